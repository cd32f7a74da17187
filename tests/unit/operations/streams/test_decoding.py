"""Records become changes: of an entity, of a collection, and of streams whose records hold less."""

import pickle
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from mizzle_async import (
    Attribute,
    Client,
    Inserted,
    MarshallingError,
    Modified,
    PartialChange,
    PartitionKey,
    Removed,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
)
from mizzle_async.errors import ClientStateError, ExpressionError
from mizzle_async.operations.streams import ChangeDecoder
from mizzle_async.writing.table_part import target_of

NUMBER = "000000000000000000007"
TTL = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
TTL_IN_EVENTS = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@document
class Address:
    city: Attribute[str]
    street: Attribute[str] = attribute(default="")


@entity("orders", unknown="raise")
class Order:
    order_id: PartitionKey[str]
    status: Attribute[str] = attribute(default="new")
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)
    address: Attribute[Address | None] = attribute(default=None)
    version: Attribute[int] = attribute(default=0, version=True)


@entity("users")
class User:
    user_id: PartitionKey[str]
    email: Attribute[str] = attribute(unique=True)


@entity("events")
class Event:
    device: PartitionKey[str] = attribute(shards=4)
    number: SortKey[int]


@entity("readings")
class Reading:
    sensor: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str]


shop = SharedTable("shop", partition_key="PK", sort_key="SK")


@entity(shop, partition_key="CUSTOMER#{customer_id}", sort_key="PROFILE")
class Customer:
    customer_id: PartitionKey[str]
    name: Attribute[str]
    email: Attribute[str] = attribute(unique=True, default="")


@entity(shop, partition_key="CUSTOMER#{customer_id}", sort_key="NOTE#{number}")
class Note:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    text: Attribute[str]


@pytest.fixture(scope="module")
def client():
    """A client that is not open."""
    return Client()


def decoder(client, model, view="new_and_old_images"):
    """Return the decoder of an entity, or of several."""
    if isinstance(model, tuple):
        return ChangeDecoder(client.collection(*model)._target, view)
    return ChangeDecoder(target_of(client.table(model)), view)


def record(name, keys, old=None, new=None, view="NEW_AND_OLD_IMAGES", **more):
    """Return a record as the service writes it."""
    body = {"Keys": keys, "SequenceNumber": NUMBER, "SizeBytes": 41, "StreamViewType": view}
    body["ApproximateCreationDateTime"] = 1795852365.0
    body |= {"OldImage": old} if old is not None else {}
    body |= {"NewImage": new} if new is not None else {}
    return {"eventID": "e7", "eventName": name, "awsRegion": "eu-west-1", "dynamodb": body} | more


KEYS = {"order_id": {"S": "a"}}
OLD = KEYS | {"status": {"S": "new"}, "total": {"N": "1"}, "_write_id": {"S": "x"}, "version": {"N": "1"}}
NEW = KEYS | {"status": {"S": "paid"}, "total": {"N": "1.0"}, "_write_id": {"S": "y"}, "version": {"N": "2"}}


# ── the three kinds ──


@pytest.mark.parametrize("name", ["INSERT", "MODIFY", "REMOVE"])
def test_common_records_make_the_changes_of_the_careful_way(client, monkeypatch, name):
    """Of an entity alone in its table changes are made without `__init__`: every attribute is what it would be."""
    plain = decoder(client, Reading)
    keys = {"sensor": {"S": "a"}, "number": {"N": "1"}}
    old = None if name == "INSERT" else {**keys, "text": {"S": "old"}}
    new = None if name == "REMOVE" else {**keys, "text": {"S": "new"}}
    told = record(name, keys, old, new)
    careful = plain._careful(told, NUMBER, "shard")
    monkeypatch.setattr(plain, "_careful", None)
    change = plain.decode(told, NUMBER, "shard")
    assert type(change) is type(careful)
    for each in attrs.fields(type(change)):
        assert getattr(change, each.name) == getattr(careful, each.name)
    assert change.key == careful.key
    assert pickle.loads(pickle.dumps(change)) == change


@pytest.mark.parametrize(
    "keys",
    [{"sensor": {"S": "a"}}, {"sensor": {"S": "a"}, "other": {"N": "1"}}, {"x": {"S": "a"}, "number": {"N": "1"}}],
)
def test_common_record_with_another_key_is_refused(client, keys):
    """The key of a record has the key attributes of its entity, and no other."""
    image = {"sensor": {"S": "a"}, "number": {"N": "1"}, "text": {"S": "t"}}
    with pytest.raises(MarshallingError, match="expected a record with the key sensor, number"):
        decoder(client, Reading).decode(record("INSERT", keys, new=image), NUMBER)


def test_each_kind_of_record_is_a_class_of_its_own(client):
    """INSERT, MODIFY and REMOVE have the images that they can have, decoded."""
    orders = decoder(client, Order)
    inserted = orders.decode(record("INSERT", KEYS, new=NEW), NUMBER, "shard")
    modified = orders.decode(record("MODIFY", KEYS, OLD, NEW), NUMBER, "shard")
    removed = orders.decode(record("REMOVE", KEYS, OLD), NUMBER, "shard")
    old = Order(order_id="a", status="new", total=Decimal(1), version=1)
    new = Order(order_id="a", status="paid", total=Decimal(1), version=2)
    match inserted, modified, removed:
        case Inserted(item), Modified(before, after), Removed(last, expired=False):
            assert (item, before, after, last) == (new, old, new, old)
        case _:
            pytest.fail(f"{inserted}, {modified}, {removed}")


def test_a_change_says_where_and_when_it_was(client):
    """Key, identity, position, time, region and size are read from the record."""
    change = decoder(client, Order).decode(record("INSERT", KEYS, new=NEW), NUMBER, "shard")
    assert change.key == client.table(Order).key("a")
    assert (change.event_id, change.sequence_number, change.number, change.shard) == ("e7", 7, NUMBER, "shard")
    assert change.at == datetime.fromtimestamp(1795852365, UTC)
    assert change.at.tzinfo is UTC
    assert (change.region, change.size) == ("eu-west-1", 41)
    assert change.raw["dynamodb"]["NewImage"] is NEW


@pytest.mark.parametrize("identity", [TTL, TTL_IN_EVENTS])
def test_a_removal_by_time_to_live_is_told_from_a_delete(client, identity):
    """In both spellings; another service's removal is none."""
    orders = decoder(client, Order)
    assert orders.decode(record("REMOVE", KEYS, OLD, userIdentity=identity), NUMBER).expired
    for other in (None, {}, identity | {next(iter(identity)): "Somebody"}):
        assert not orders.decode(record("REMOVE", KEYS, OLD, userIdentity=other), NUMBER).expired
    keys_only = decoder(client, Order, "keys_only")
    assert keys_only.decode(record("REMOVE", KEYS, view="KEYS_ONLY", userIdentity=identity), NUMBER).expired


def test_the_shape_of_a_change_shows_no_values(client):
    """Logs show entity, number and shard."""
    change = decoder(client, Order).decode(record("MODIFY", KEYS, OLD, NEW), NUMBER, "shard-1")
    assert repr(change) == f"<Modified Order, record {NUMBER} of shard-1>"
    assert (
        repr(decoder(client, Order).decode(record("REMOVE", KEYS, OLD), NUMBER)) == f"<Removed Order, record {NUMBER}>"
    )


def test_changes_travel_between_processes(client):
    """A pickled change has everything but its consumer, compares equal, and still knows its paths."""
    change = decoder(client, Order).decode(record("MODIFY", KEYS, OLD, NEW), NUMBER, "shard")
    copy = pickle.loads(pickle.dumps(change))
    assert (copy, hash(copy), copy.new, copy.key) == (change, hash(change), change.new, change.key)
    assert copy.changed(Order.status)
    assert not copy.changed(Order.total)
    partial = decoder(client, Order, "new_image").decode(record("INSERT", KEYS, new=NEW, view="NEW_IMAGE"), NUMBER)
    assert pickle.loads(pickle.dumps(partial)) == partial
    noted = decoder(client, (Customer, Note)).decode(record("INSERT", NOTE_KEYS, new=NOTE), NUMBER)
    assert pickle.loads(pickle.dumps(noted)).new == noted.new
    assert change != partial


# ── changed ──


@pytest.mark.parametrize(
    ("old", "new", "paths", "expected"),
    [
        ({}, {}, ["status"], False),
        ({"status": {"S": "a"}}, {"status": {"S": "b"}}, ["status"], True),
        ({"total": {"N": "1"}}, {"total": {"N": "1.00"}}, ["total"], False),
        ({"tags": {"SS": ["a", "b"]}}, {"tags": {"SS": ["b", "a"]}}, ["tags"], False),
        ({"tags": {"SS": ["a"]}}, {}, ["tags"], True),
        ({}, {"status": {"S": "new"}}, ["status"], False),  # the default, not stored and stored
        ({}, {"status": {"S": "paid"}}, ["status"], True),
        ({}, {"status": {"S": "paid"}}, ["total"], False),
        ({}, {"status": {"S": "paid"}}, ["total", "status"], True),
        ({"address": {"M": {"city": {"S": "x"}}}}, {"address": {"M": {"city": {"S": "y"}}}}, ["address"], True),
        ({"address": {"NULL": True}}, {}, ["address"], False),
    ],
)
def test_a_value_that_differs_has_changed(client, old, new, paths, expected):
    """Values are compared as the class reads them."""
    change = decoder(client, Order).decode(record("MODIFY", KEYS, KEYS | old, KEYS | new), NUMBER)
    assert change.changed(*(getattr(Order, path) for path in paths)) is expected


def test_places_inside_attributes_can_change(client):
    """A path leads into documents."""
    old = KEYS | {"address": {"M": {"city": {"S": "x"}, "street": {"S": "s"}}}}
    new = KEYS | {"address": {"M": {"city": {"S": "x"}, "street": {"S": "t"}}}}
    change = decoder(client, Order).decode(record("MODIFY", KEYS, old, new), NUMBER)
    assert change.changed(Order.address[Address.street])
    assert not change.changed(Order.address[Address.city])
    gone = decoder(client, Order).decode(record("MODIFY", KEYS, old, KEYS), NUMBER)
    assert gone.changed(Order.address[Address.street])


def test_a_path_of_anything_else_is_refused(client):
    """Another entity's path, a condition and a text are mistakes, also behind a path that has changed."""
    change = decoder(client, Order).decode(record("MODIFY", KEYS, OLD, NEW), NUMBER)
    for wrong in (User.email, "status", Order.status == "new"):
        with pytest.raises(ExpressionError):
            change.changed(Order.status, wrong)


# ── what is ours, and what is none of an entity's business ──


def test_guard_items_never_show(client):
    """The guards of unique attributes lie in the table, of other entities of a shared table as well."""
    guard = {"user_id": {"S": "_unique#email#S#a@x"}}
    assert decoder(client, User).decode(record("INSERT", guard, new=guard), NUMBER) is None
    assert decoder(client, User, "keys_only").decode(record("REMOVE", guard, view="KEYS_ONLY"), NUMBER) is None
    shared = {"PK": {"S": "_unique#Customer.email#S#a@x"}, "SK": {"S": "_unique#0f"}}
    for model in (Customer, Note, (Customer, Note)):
        assert decoder(client, model).decode(record("INSERT", shared, new=shared), NUMBER) is None


def test_a_key_like_a_guard_s_is_the_caller_s_own_where_nothing_is_unique(client):
    """An entity without unique attributes has no guards: its items all show."""
    keys = {"order_id": {"S": "_unique#1"}}
    assert decoder(client, Order).decode(record("INSERT", keys, new=keys), NUMBER).new.order_id == "_unique#1"


def test_attributes_of_replication_do_not_trip_a_strict_class(client):
    """`unknown="raise"` refuses what the class does not declare, but for what global tables add."""
    replicated = NEW | {"aws:rep:updatetime": {"N": "1.5"}, "aws:rep:updateregion": {"S": "x"}}
    change = decoder(client, Order).decode(record("INSERT", KEYS, new=replicated), NUMBER)
    assert change.new.status == "paid"
    with pytest.raises(MarshallingError, match="later"):
        decoder(client, Order).decode(record("INSERT", KEYS, new=NEW | {"later": {"S": "x"}}), NUMBER)


def test_a_dict_shows_no_attributes_of_replication():
    """A table without a class has its items as dicts, keys as they are."""
    table = Client().table("things", partition_key="id")
    image = {"id": {"S": "a"}, "n": {"N": "1"}, "aws:rep:deleting": {"BOOL": False}}
    change = ChangeDecoder(target_of(table)).decode(record("INSERT", {"id": {"S": "a"}}, new=image), NUMBER)
    assert change.new == {"id": "a", "n": 1}
    assert change.key == table.key("a")


def test_a_sharded_key_comes_without_its_suffix(client):
    """The instance has the key that the caller knows; the key finds the item."""
    event = Event(device="d", number=1)
    image = target_of(client.table(Event)).codec.encode(event)
    assert image["device"]["S"] != "d"
    change = decoder(client, Event).decode(record("INSERT", image, new=image), NUMBER)
    assert change.new == event
    assert change.key == client.table(Event).key(device="d", number=1)


# ── shared tables ──

CUSTOMER_KEYS = {"PK": {"S": "CUSTOMER#c1"}, "SK": {"S": "PROFILE"}}
CUSTOMER = CUSTOMER_KEYS | {"_type": {"S": "Customer"}, "customer_id": {"S": "c1"}, "name": {"S": "Ada"}}
NOTE_KEYS = {"PK": {"S": "CUSTOMER#c1"}, "SK": {"S": "NOTE#1"}}
NOTE = NOTE_KEYS | {"_type": {"S": "Note"}, "customer_id": {"S": "c1"}, "number": {"N": "1"}, "text": {"S": "x"}}
FOREIGN = CUSTOMER_KEYS | {"_type": {"S": "Elsewhere"}}


def test_an_entity_of_a_shared_table_sees_its_own_items(client):
    """Those of others are left out, also where only keys are there to tell them by."""
    customers = decoder(client, Customer)
    assert customers.decode(record("INSERT", CUSTOMER_KEYS, new=CUSTOMER), NUMBER).new.name == "Ada"
    assert customers.decode(record("INSERT", NOTE_KEYS, new=NOTE), NUMBER) is None
    assert customers.decode(record("MODIFY", NOTE_KEYS, NOTE, NOTE), NUMBER) is None
    keys_only = decoder(client, Customer, "keys_only")
    assert keys_only.decode(record("INSERT", NOTE_KEYS, view="KEYS_ONLY"), NUMBER) is None
    partial = keys_only.decode(record("MODIFY", CUSTOMER_KEYS, view="KEYS_ONLY"), NUMBER)
    assert (partial.kind, partial.old, partial.new) == ("modified", None, None)
    assert partial.key == client.table(Customer).key("c1")


def test_a_key_that_changes_hands_came_into_being_or_went(client):
    """To one entity the item of another is none."""
    customers = decoder(client, Customer)
    assert isinstance(customers.decode(record("MODIFY", CUSTOMER_KEYS, FOREIGN, CUSTOMER), NUMBER), Inserted)
    assert isinstance(customers.decode(record("MODIFY", CUSTOMER_KEYS, CUSTOMER, FOREIGN), NUMBER), Removed)


def test_a_collection_tells_its_entities_apart(client):
    """Each change has an instance of its class, and a key of its entity."""
    both = decoder(client, (Customer, Note))
    customer = both.decode(record("INSERT", CUSTOMER_KEYS, new=CUSTOMER), NUMBER)
    note = both.decode(record("MODIFY", NOTE_KEYS, NOTE, NOTE | {"text": {"S": "y"}}), NUMBER)
    assert isinstance(customer.new, Customer)
    assert customer.key == client.table(Customer).key("c1")
    match note:
        case Modified(new=Note(text="y")):
            assert note.key == client.table(Note).key(customer_id="c1", number=1)
        case _:
            pytest.fail(repr(note))
    assert repr(note) == f"<Modified Note, record {NUMBER}>"
    assert both.decode(record("INSERT", CUSTOMER_KEYS, new=FOREIGN), NUMBER) is None


def test_paths_of_other_entities_of_a_collection_have_not_changed(client):
    """A handler of several entities asks about one without looking first; a path of no entity of them is a mistake."""
    both = decoder(client, (Customer, Note))
    note = both.decode(record("MODIFY", NOTE_KEYS, NOTE, NOTE | {"text": {"S": "y"}}), NUMBER)
    assert note.changed(Note.text)
    assert not note.changed(Customer.name)
    with pytest.raises(ExpressionError):
        note.changed(Order.status)


animals = SharedTable("animals", partition_key="PK", sort_key="SK")


@entity(animals, partition_key="ANIMAL#{name}", sort_key="SELF")
class Animal:
    name: PartitionKey[str]
    age: Attribute[int]


@entity(animals)
class Dog(Animal):
    tricks: Attribute[set[str]] = attribute(factory=set)


def test_a_family_s_items_have_their_own_classes(client):
    """Through the parent's table; a path of the subclass counts where the item is of it."""
    codec = target_of(client.table(Dog)).codec
    old, new = (codec.encode(Dog(name="rex", age=3, tricks=tricks)) for tricks in ({"sit"}, {"sit", "roll"}))
    keys = {name: old[name] for name in ("PK", "SK")}
    change = decoder(client, Animal).decode(record("MODIFY", keys, old, new), NUMBER)
    assert change.new == Dog(name="rex", age=3, tricks={"sit", "roll"})
    assert change.key == client.table(Animal).key("rex")
    assert change.changed(Dog.tricks)
    assert not change.changed(Animal.age, Dog.age)
    plain = target_of(client.table(Animal)).codec.encode(Animal(name="cat", age=1))
    keys = {name: plain[name] for name in ("PK", "SK")}
    older = plain | {"age": {"N": "2"}}
    change = decoder(client, Animal).decode(record("MODIFY", keys, plain, older), NUMBER)
    assert not change.changed(Dog.tricks)
    assert change.changed(Animal.age)
    assert decoder(client, Dog).decode(record("MODIFY", keys, plain, older), NUMBER) is None


def test_a_foreign_item_is_an_error_where_the_collection_says_so():
    """`unknown="raise"` of a collection counts here as well."""
    collection = Client().collection(Customer, Note, unknown="raise")
    with pytest.raises(MarshallingError, match="foreign") as caught:
        ChangeDecoder(collection._target).decode(record("INSERT", CUSTOMER_KEYS, new=FOREIGN), NUMBER)
    assert caught.value.key == CUSTOMER_KEYS


# ── other views ──


@pytest.mark.parametrize(
    ("view", "name", "images", "expected"),
    [
        ("new_image", "INSERT", {"new": NEW}, ("inserted", None, "paid")),
        ("new_image", "MODIFY", {"new": NEW}, ("modified", None, "paid")),
        ("new_image", "REMOVE", {}, ("removed", None, None)),
        ("old_image", "INSERT", {}, ("inserted", None, None)),
        ("old_image", "MODIFY", {"old": OLD}, ("modified", "new", None)),
        ("old_image", "REMOVE", {"old": OLD}, ("removed", "new", None)),
        ("keys_only", "INSERT", {}, ("inserted", None, None)),
        ("keys_only", "MODIFY", {}, ("modified", None, None)),
        ("keys_only", "REMOVE", {}, ("removed", None, None)),
    ],
)
def test_records_that_hold_less_are_partial_changes(client, view, name, images, expected):
    """What the view leaves out is None."""
    change = decoder(client, Order, view).decode(record(name, KEYS, view=view.upper(), **images), NUMBER)
    assert type(change) is PartialChange
    assert (change.kind, change.old and change.old.status, change.new and change.new.status) == expected
    assert change.key == client.table(Order).key("a")


@pytest.mark.parametrize(("view", "held"), [("new_and_old_images", "KEYS_ONLY"), ("new_image", "OLD_IMAGE")])
def test_a_stream_with_another_view_is_named(client, view, held):
    """A mistake of the configuration is no item that does not fit."""
    with pytest.raises(ExpressionError, match=f"holds {held.lower()}, not {view}: say view='{held.lower()}'"):
        decoder(client, Order, view).decode(record("INSERT", KEYS, view=held), NUMBER)


@pytest.mark.parametrize("view", ["NEW_IMAGE", "both", None])
def test_a_view_that_does_not_exist_is_refused(client, view):
    """Views are in lower case."""
    with pytest.raises(ExpressionError, match="view="):
        decoder(client, Order, view)


# ── poison ──


@pytest.mark.parametrize(
    "image",
    [
        KEYS | {"total": {"S": "a secret"}},
        KEYS | {"total": {"N": "a secret"}},
        KEYS | {"total": "a secret"},
        KEYS | {"total": {}},
        {"status": {"S": "a secret"}},
        ["a secret"],
        "a secret",
        None,
    ],
)
def test_an_image_that_does_not_fit_names_shard_number_and_key(client, image):
    """`error.key` finds the item; the text holds neither the key's value nor any other."""
    poison = record("INSERT", KEYS)
    poison["dynamodb"]["NewImage"] = image
    with pytest.raises(MarshallingError) as caught:
        decoder(client, Order).decode(poison, NUMBER, "shard-1")
    error = caught.value
    assert error.key == KEYS
    assert f"(record {NUMBER} of shard shard-1)" in str(error)
    assert "table 'orders'" in str(error)
    assert "secret" not in str(error)
    assert "secret" not in repr(error)


@pytest.mark.parametrize("keys", [{"id": {"S": "a"}}, KEYS | {"more": {"S": "a"}}])
@pytest.mark.parametrize("model", [Order, User])
def test_a_record_with_another_key_is_of_another_table(client, model, keys):
    """Without an image there is nothing else to tell it by."""
    with pytest.raises(MarshallingError, match="expected a record with the key") as caught:
        decoder(client, model, "keys_only").decode(record("REMOVE", keys, view="KEYS_ONLY"), NUMBER)
    assert caught.value.key == keys


def test_a_member_that_a_record_lacks_is_named_when_it_is_asked_for(client):
    """An event that was written by hand may lack what no handler asks for."""
    bare = {"eventName": "INSERT", "dynamodb": {"Keys": KEYS, "NewImage": NEW, "SequenceNumber": NUMBER}}
    change = decoder(client, Order).decode(bare, NUMBER)
    assert (change.new.status, change.size) == ("paid", 0)
    for name in ("at", "event_id", "region"):
        with pytest.raises(MarshallingError, match="has no usable"):
            getattr(change, name)


def test_only_delivered_changes_can_be_acknowledged(client):
    """A change that was only decoded belongs to no consumer."""
    change = decoder(client, Order).decode(record("INSERT", KEYS, new=NEW), NUMBER)
    with pytest.raises(ClientStateError, match="only decoded"):
        change.done()
    with pytest.raises(ClientStateError, match="only decoded"):
        change.apply()
