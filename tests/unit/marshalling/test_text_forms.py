"""Datetimes in the text forms of other languages: attributes, keys, conditions and timestamps."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mizzle_async import (
    Attribute,
    Client,
    ExpressionError,
    MarshallingError,
    ModelError,
    PartitionKey,
    SortKey,
    attribute,
    document,
    entity,
)
from mizzle_async.marshalling import Marshaller
from mizzle_async.model import schema_of
from mizzle_async.operations.tables.definition import definition_of

NOW = 1_700_000_000.123456
MOMENT = datetime(2022, 2, 26, 18, 21, 33, 34_000, tzinfo=UTC)
PYNAMODB = "%Y-%m-%dT%H:%M:%S.%f%z"
GERMAN = "%d.%m.%Y %H:%M:%S.%f"


def write_slashes(value: datetime) -> str:
    """Write a time as no format of the library's does."""
    return value.strftime("%Y/%m/%d %H:%M")


def read_slashes(text: str) -> datetime:
    """Read such a time."""
    return datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=UTC)


SLASHES = (write_slashes, read_slashes)
FORMS: list[Any] = [
    pytest.param("iso_ms", MOMENT, "2022-02-26T18:21:33.034Z", id="iso_ms"),
    pytest.param(PYNAMODB, MOMENT, "2022-02-26T18:21:33.034000+0000", id="pynamodb"),
    pytest.param(GERMAN, MOMENT, "26.02.2022 18:21:33.034000", id="german"),
    pytest.param(SLASHES, MOMENT.replace(second=0, microsecond=0), "2022/02/26 18:21", id="functions"),
]


def event_class(datetime_format: Any) -> Any:
    """Return an entity with a time as sort key and as attribute, in a form."""

    @entity("events")
    class Event:
        id: PartitionKey[str]
        at: SortKey[datetime] = attribute(datetime_format=datetime_format)
        seen: Attribute[datetime] = attribute(datetime_format=datetime_format)
        made: Attribute[datetime | None] = attribute(default=None, created_at=True, datetime_format=datetime_format)

    return Event


@pytest.mark.parametrize(("datetime_format", "moment", "text"), FORMS)
def test_times_are_stored_in_the_form_of_the_other_program(datetime_format, moment, text):
    """Attributes, keys, conditions and the library's own timestamps have the form, and are read from it."""
    model = event_class(datetime_format)
    codec = Marshaller().codec(schema_of(model))
    item = {"id": {"S": "1"}, "at": {"S": text}, "seen": {"S": text}}
    instance = model(id="1", at=moment, seen=moment.astimezone(timezone(timedelta(hours=2))))
    assert codec.encode(instance) == item
    assert codec.decode(item).at == codec.decode(item).seen == moment
    assert codec.decode(item).at.tzinfo is UTC
    assert codec.encode_key({"id": "1", "at": moment}) == {"id": {"S": "1"}, "at": {"S": text}}
    table = Client(clock=lambda: NOW).table(model)
    assert table.get(id="1", at=moment).to_wire()["Key"]["at"] == {"S": text}
    condition = table.check(id="1", at=moment).when(model.seen == moment)
    assert {"S": text} in condition.to_wire()["ExpressionAttributeValues"].values()
    made = table.insert(instance).to_wire()["Item"]["made"]["S"]
    assert len(made) == len(text)
    assert definition_of(schema_of(model), "events").attribute_types == {"id": "S", "at": "S"}


@pytest.mark.parametrize(("datetime_format", "moment", "text"), FORMS)
def test_ranges_are_taken_where_the_form_has_the_order_of_time(datetime_format, moment, text):
    """A form whose texts are not in the order of time takes equality and prefixes, and no ranges."""
    del text
    model = event_class(datetime_format)
    table = Client().table(model)
    if datetime_format == GERMAN:
        with pytest.raises(ExpressionError, match=r"Event\.at is of type datetime, which does not take <"):
            table.query(model.id == "1", model.at > moment)
        with pytest.raises(ExpressionError, match=r"Event\.seen is of type datetime, which does not take <"):
            table.query(model.id == "1").filter(model.seen.between(moment, moment))
    else:
        assert table.query(model.id == "1", model.at > moment).filter(model.seen > moment).to_wire()
    assert table.query(model.id == "1").filter(model.seen == moment).to_wire()


@pytest.mark.parametrize("datetime_format", ["iso", "iso_ms", PYNAMODB])
def test_times_as_text_take_no_sums(datetime_format):
    """Only times that are stored as numbers can be moved by the service."""
    model = event_class(datetime_format)
    with pytest.raises(ExpressionError, match="does not take `\\+`, `-`, add\\(\\)"):
        Client().table(model).update(id="1", at=MOMENT).add(model.seen, 5)


def test_times_of_different_forms_do_not_meet():
    """Texts of different forms are never equal as times: a comparison or an assignment between them is refused."""

    @entity("events")
    class Event:
        id: PartitionKey[str]
        ours: Attribute[datetime]
        theirs: Attribute[datetime] = attribute(datetime_format="iso_ms")
        others: Attribute[datetime] = attribute(datetime_format=PYNAMODB)

    table = Client().table(Event)
    for first, second in ((Event.ours, Event.theirs), (Event.theirs, Event.others)):
        with pytest.raises(ExpressionError, match="hold times that are stored in different ways"):
            table.check("1").when(first == second)
        with pytest.raises(ExpressionError, match="which is not the same as datetime, stored"):
            table.update("1").set(first, second)


def test_a_time_that_the_form_cannot_say_is_refused():
    """No digit is lost in silence: a finer time than the form has is an error."""
    finer = MOMENT.replace(microsecond=34_001)
    codec = Marshaller().codec(schema_of(event_class("iso_ms")))
    with pytest.raises(MarshallingError, match=r"Event\.seen: expected a datetime down to milliseconds, found a finer"):
        codec.encode(codec.schema.cls(id="1", at=MOMENT, seen=finer))
    codec = Marshaller().codec(schema_of(event_class(SLASHES)))
    with pytest.raises(MarshallingError, match="that its datetime_format says exactly, found a finer one"):
        codec.encode(codec.schema.cls(id="1", at=MOMENT.replace(second=0, microsecond=0), seen=MOMENT))
    codec = Marshaller().codec(schema_of(event_class("%H:%M")))
    with pytest.raises(MarshallingError, match=r"Event\.at: expected a datetime that its datetime_format says exactly"):
        codec.encode_key({"id": "1", "at": MOMENT})


def test_other_text_in_the_form_s_place_is_refused():
    """Text of another form is an error; a function that fails is its cause."""
    codec = Marshaller().codec(schema_of(event_class(SLASHES)))
    item = {"id": {"S": "1"}, "at": {"S": "2022/02/26 18:21"}, "seen": {"S": "yesterday"}}
    with pytest.raises(MarshallingError, match=r"Event\.seen: expected a datetime in its datetime_format") as caught:
        codec.decode(item)
    assert isinstance(caught.value.__cause__, ValueError)
    naive = (str, datetime.fromisoformat)
    codec = Marshaller().codec(schema_of(event_class(naive)))
    with pytest.raises(MarshallingError, match="expected a datetime with a time zone, found a naive one"):
        codec.decode(item | {"at": {"S": "2022-02-26 18:21:33"}})
    broken = (datetime.toordinal, datetime.fromisoformat)
    codec = Marshaller().codec(schema_of(event_class(broken)))
    with pytest.raises(MarshallingError, match="expected text from the function of its datetime_format, found int"):
        codec.encode_key({"id": "1", "at": MOMENT})


def test_iso_ms_reads_every_iso_form_as_an_attribute():
    """An attribute that several programs write is read in any ISO 8601 form; a key in its own form only."""
    codec = Marshaller().codec(schema_of(event_class("iso_ms")))
    item = {"id": {"S": "1"}, "at": {"S": "2022-02-26T18:21:33.034Z"}}
    for text in ("2022-02-26T18:21:33.034+00:00", "2022-02-26T19:21:33.034000+01:00", "2022-02-26T18:21:33.034Z"):
        assert codec.decode(item | {"seen": {"S": text}}).seen == MOMENT
    with pytest.raises(MarshallingError, match="as datetime is written"):
        codec.decode(item | {"at": {"S": "2022-02-26T18:21:33.034000Z"}, "seen": {"S": "2022-02-26T18:21:33.034Z"}})


def test_documents_say_how_their_own_times_are_stored():
    """A form belongs to its attribute: the one of a document is used for the document's own."""

    @document
    class Visit:
        at: Attribute[datetime] = attribute(datetime_format=GERMAN)

    @entity("people")
    class Person:
        id: PartitionKey[str]
        visit: Attribute[Visit]
        visits: Attribute[dict[str, datetime]] = attribute(factory=dict, datetime_format="iso_ms")

    check = Client().table(Person).check("1")
    with pytest.raises(ExpressionError, match="does not take <"):
        check.when(Person.visit[Visit.at] > MOMENT)
    assert check.when(Person.visit["at"] == MOMENT).to_wire()
    values = check.when(Person.visits["a"] > MOMENT).to_wire()["ExpressionAttributeValues"]
    assert list(values.values()) == [{"S": "2022-02-26T18:21:33.034Z"}]


@pytest.mark.parametrize("datetime_format", ["unix", ("a", "b"), (write_slashes,), 5, write_slashes])
def test_what_is_no_form_is_refused_when_the_class_is_made(datetime_format):
    """A format is one that is known, a strftime format, or a pair of functions."""
    with pytest.raises(ModelError, match="datetime_format is one of iso, iso_ms, epoch, epoch_ms, a strftime format"):
        event_class(datetime_format)


@pytest.mark.parametrize("stored", [1_700_000_000_000, 1_700_000_000_000_000])
def test_a_time_far_outside_asks_for_its_unit(stored):
    """A number that is too large for a time in its unit is probably in another: the error says so."""

    @entity("sessions")
    class Session:
        id: PartitionKey[str]
        expires: Attribute[datetime | None] = attribute(default=None, time_to_live=True)

    codec = Marshaller().codec(schema_of(Session))
    with pytest.raises(MarshallingError, match="is it a number of milliseconds, or of a smaller unit"):
        codec.decode({"id": {"S": "1"}, "expires": {"N": str(stored)}})
