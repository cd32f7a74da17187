"""Shared tables: what is refused when a table, an entity or an index is declared."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Literal

import pytest

from mizzle_async.errors import ModelError
from mizzle_async.model import (
    Attribute,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    entity,
    key_template,
    schema_of,
)


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


def table(**options: Any) -> SharedTable:
    """Return a shared table."""
    return SharedTable("app", partition_key="PK", sort_key="SK", **options)


def made(app: SharedTable, partition_key: str, sort_key: str, annotations: dict[str, Any], **values: Any) -> type[Any]:
    """Return an entity with these annotations, made in a shared table."""
    body = {"__annotations__": annotations, "__module__": __name__, **values}
    return entity(app, partition_key=partition_key, sort_key=sort_key)(type("Thing", (), body))


def test_schema_has_the_stored_keys_and_the_parts():
    """The keys are the table's texts; the attributes of the formats make them."""
    app = table()

    @entity(app, partition_key="CUSTOMER#{customer_id}", sort_key="ORDER#{placed_at}#{order_id}")
    class Order:
        customer_id: PartitionKey[str]
        placed_at: SortKey[datetime]
        order_id: SortKey[str]
        total: Attribute[Decimal]

    schema = schema_of(Order)
    assert schema.key_names == ("PK", "SK")
    assert [each.field for each in schema.key_attributes] == ["customer_id", "placed_at", "order_id"]
    assert schema.required_fields == ("total",)
    assert schema.table == "app"
    assert app.members[Order].type_names == ("Order",)


@pytest.mark.parametrize(
    ("partition_key", "sort_key", "annotations", "message"),
    [
        ("A#{a}{b}", "S", {"a": PartitionKey[str], "b": PartitionKey[str]}, "nothing separates a from b"),
        ("A#{a}", "S#{c}", {"a": PartitionKey[str]}, "no attribute 'c'"),
        ("A#{a}", "S", {"a": PartitionKey[str], "b": SortKey[str]}, "name it in the sort key's format"),
        ("A#{a}", "S", {"a": PartitionKey[str], "b": PartitionKey[str]}, "the format 'A#{a}' does not name it"),
        ("A#{a}", "S#{b}", {"a": PartitionKey[str], "b": Attribute[str]}, "annotate it SortKey"),
        ("A#{a}", "S", {"a": PartitionKey[float]}, "cannot be part of a key"),
        ("A#{a}", "S", {"a": PartitionKey[bytes]}, "cannot be part of a key"),
        ("A#{a}", "S", {"a": PartitionKey[timedelta]}, "cannot be part of a key"),
        ("A#{a:5}", "S", {"a": PartitionKey[int]}, "an int takes a width"),
        ("A#{a}", "S", {"a": PartitionKey[Decimal]}, "a Decimal takes a width and places"),
        ("A#{a:minute}", "S", {"a": PartitionKey[datetime]}, "a datetime takes"),
        ("A#{a:lower}", "S", {"a": PartitionKey[Status]}, "takes no format"),
        ("A#{a}", "S", {"a": PartitionKey[str | None]}, "never absent"),
        ("A#{a:rest}#x", "S", {"a": PartitionKey[str]}, "put it last"),
        ("A#{}", "S", {"a": PartitionKey[str]}, "write {name} for each attribute"),
        ("A#{a!r}", "S", {"a": PartitionKey[str]}, "write {name} for each attribute"),
        ("A#{a", "S", {"a": PartitionKey[str]}, "expected '}'"),
        ("_unique#{a}", "S", {"a": PartitionKey[str]}, "belong to guards"),
        ("", "S", {"a": PartitionKey[str]}, "a key format is a text"),
    ],
)
def test_format_that_does_not_fit_is_refused(partition_key, sort_key, annotations, message):
    """A format that could not be kept is refused when the class is made, with what to write."""
    with pytest.raises(ModelError, match=re.escape(message)):
        made(table(), partition_key, sort_key, annotations)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (Enum("Mixed", {"A": "a#b"}), "contains the separator"),
        (Enum("Numbers", {"A": 1}), "must be texts"),
        (Literal["a", 1], "all text"),
    ],
)
def test_listed_values_that_cannot_stand_in_a_key_are_refused(values, message):
    """Values with the separator, and numbers, are refused when the class is made."""
    with pytest.raises(ModelError, match=message):
        made(table(), "A#{a}", "S", {"a": PartitionKey[values]})


def test_one_key_of_two_entities_is_refused():
    """The second class is refused where one key could be an item of both."""
    app = table()
    made(app, "A#{a}", "S#{b}", {"a": PartitionKey[str], "b": SortKey[str]})
    body = {"__annotations__": {"c": PartitionKey[str], "d": SortKey[datetime]}, "__module__": __name__}
    with pytest.raises(ModelError, match=r"one key could belong to Other .* and to Thing"):
        entity(app, partition_key="A#{c}", sort_key="S#{d}")(type("Other", (), body))
    entity(app, partition_key="A#{c}", sort_key="T#{d}")(type("Third", (), body))


def test_family_shares_one_key_where_a_type_tells_them_apart():
    """A class inherits formats, parts and indexes, and has a type name of its own."""
    app = table()

    @entity(app, partition_key="ACCOUNT#{name}", sort_key="ACCOUNT")
    class Account:
        name: PartitionKey[str]

    @entity(app)
    class User(Account):
        email: Attribute[str]

    assert schema_of(User).shared.formats is schema_of(Account).shared.formats
    assert app.members_of_type("User").cls is User


def test_family_without_a_type_attribute_is_refused():
    """Without a type attribute nothing tells the members of a family apart."""
    app = table(type_attribute=None)

    @entity(app, partition_key="ACCOUNT#{name}", sort_key="ACCOUNT")
    class Account:
        name: PartitionKey[str]

    with pytest.raises(ModelError, match="one key could belong"):

        @entity(app)
        class User(Account):
            email: Attribute[str]


def test_class_that_is_defined_again_replaces_the_old_one():
    """In a notebook a cell is run again: the class of the same place replaces."""
    app = table()
    first = made(app, "A#{a}", "S", {"a": PartitionKey[str]})
    second = made(app, "A#{a}", "S", {"a": PartitionKey[str]})
    assert list(app.members) == [second] != [first]


def test_type_name_of_another_class_is_refused():
    """Two classes with one type name are refused; both modules are named."""
    app = table()
    made(app, "A#{a}", "S", {"a": PartitionKey[str]})
    body = {"__annotations__": {"a": PartitionKey[str]}, "__module__": "elsewhere"}
    with pytest.raises(ModelError, match=r"elsewhere\.Thing and tests.*Thing both have the type name 'Thing'"):
        entity(app, partition_key="B#{a}", sort_key="S")(type("Thing", (), body))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "PK"}, "keeps 'PK' itself"),
        ({"name": "_type"}, "keeps '_type' itself"),
        ({"name": "GSI1PK"}, "keeps 'GSI1PK' itself"),
    ],
)
def test_attribute_under_a_name_of_the_table_is_refused(options, message):
    """Attributes are not stored under the names of keys, index keys and the type attribute."""
    app = table()
    app.index("GSI1", partition_key="GSI1PK", sort_key="GSI1SK")
    with pytest.raises(ModelError, match=message):
        made(app, "A#{a}", "S", {"a": PartitionKey[str], "x": Attribute[str]}, x=attribute(**options))


def test_version_is_no_part_of_a_key():
    """Every write would move the item."""
    with pytest.raises(ModelError, match=r"a version, so it cannot be part of a key|cannot be version too"):
        made(
            table(),
            "A#{a}",
            "S#{v:04}",
            {"a": PartitionKey[str], "v": SortKey[int]},
            v=attribute(default=0, version=True),
        )


def test_second_time_to_live_is_refused():
    """A table has one time to live."""
    app = table()
    lifetime = {"expires": Attribute[datetime]}
    made(app, "A#{a}", "S", {"a": PartitionKey[str], **lifetime}, expires=attribute(time_to_live=True))
    body = {"__annotations__": {"a": PartitionKey[str], "ends": Attribute[datetime]}, "__module__": __name__}
    body["ends"] = attribute(time_to_live=True)
    with pytest.raises(ModelError, match="a table has one time to live"):
        entity(app, partition_key="B#{a}", sort_key="S")(type("Other", (), body))


def test_shared_table_needs_names_that_differ():
    """Partition key, sort key and type attribute are three attributes."""
    with pytest.raises(ModelError, match="different names"):
        SharedTable("app", partition_key="PK", sort_key="PK")


def test_index_of_another_module_is_refused():
    """A mapping that a process could miss, because it imports the class alone, is refused."""
    app = table()
    index = app.index("GSI1", partition_key="GSI1PK")
    body = {"__annotations__": {"a": PartitionKey[str], "x": Attribute[str]}, "__module__": "models"}
    thing: Any = entity(app, partition_key="A#{a}", sort_key="S")(type("Thing", (), body))
    with pytest.raises(ModelError, match="make it in models, beside the class"):
        GlobalSecondaryIndex(index, partition_key=key_template("X#{}", thing.x))


def test_sparse_condition_that_the_client_cannot_evaluate_is_refused():
    """``where=`` takes comparisons with values only."""
    app = table()
    index = app.index("GSI1", partition_key="GSI1PK")
    thing: Any = made(app, "A#{a}", "S", {"a": PartitionKey[str], "x": Attribute[str]})
    with pytest.raises(ModelError, match="where= takes comparisons"):
        GlobalSecondaryIndex(index, partition_key=key_template("X#{}", thing.x), where=thing.x.contains("a"))


def test_template_of_a_table_key_must_be_its_format():
    """An inverted index writes nothing of its own."""
    app = table()
    index = app.index("GSI1", partition_key="SK", sort_key="PK")
    thing: Any = made(app, "A#{a}", "S#{b}", {"a": PartitionKey[str], "b": SortKey[str]})
    with pytest.raises(ModelError, match="its template is that of Thing"):
        GlobalSecondaryIndex(index, partition_key=key_template("T#{}", thing.b), sort_key=key_template("A#{}", thing.a))
    GlobalSecondaryIndex(index, partition_key=key_template("S#{}", thing.b), sort_key=key_template("A#{}", thing.a))


def test_the_stream_is_the_table_s():
    """All entities of a table have its stream; one of them cannot say it."""
    app = table(stream="keys_only")
    cls = made(app, "A#{a}", "B", {"a": PartitionKey[str]})
    assert schema_of(cls).stream == "keys_only"
    assert schema_of(made(table(), "A#{a}", "B", {"a": PartitionKey[str]})).stream is None
    options: dict[str, Any] = {"partition_key": "A#{a}", "sort_key": "B", "stream": "keys_only"}
    with pytest.raises(ModelError, match=r"the table's, of all its entities: write SharedTable\('app', …"):
        entity(app, **options)


@pytest.mark.parametrize("view", ["KEYS_ONLY", "everything", "", 7])
def test_a_view_of_a_table_that_does_not_exist_is_refused(view: Any):
    """Views are in lower case, and there are four."""
    with pytest.raises(ModelError, match="table 'app': stream="):
        table(stream=view)
