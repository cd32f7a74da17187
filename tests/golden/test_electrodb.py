"""The library table that ElectroDB 3.9.3 writes, adopted: read, and written the same.

`electrodb/make.mjs` made `electrodb/library.json` with the package from npm. Its models are those of ElectroDB's own
example, where one attribute of the genre's index is spelt as the index is.
"""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from mizzle_async import (
    Attribute,
    GlobalSecondaryIndex,
    PartitionKey,
    SharedTable,
    SortKey,
    attribute,
    document,
    entity,
    key_template,
    make_converter,
)

FIXTURE = json.loads((Path(__file__).parent / "electrodb" / "library.json").read_text())

library = SharedTable("library", partition_key="pk", sort_key="sk", type_attribute="__edb_e__")
GSI1 = library.index("gsi1pk-gsi1sk-index", partition_key="gsi1pk", sort_key="gsi1sk")
GSI2 = library.index("gsi2pk-gsi2sk-index", partition_key="gsi2pk", sort_key="gsi2sk")
GSI3 = library.index("gsi3pk-gsi3sk-index", partition_key="gsi3pk", sort_key="gsi3sk")

WORKS = "$library#authorlastname_{:lower}#authorfirstname_{:lower}"


@entity(
    library,
    type_name="book",
    partition_key="$library#isbn_{isbn:lower}",
    sort_key="$detail#book_1#bookid_{book_id:lower}",
)
class Book:
    isbn: PartitionKey[str]
    book_id: SortKey[str] = attribute(name="bookId")
    title: Attribute[str] = attribute(name="bookTitle")
    description: Attribute[str]
    publisher: Attribute[str]
    released: Attribute[str] = attribute(name="releaseDate")
    first_name: Attribute[str] = attribute(name="authorFirstName")
    last_name: Attribute[str] = attribute(name="authorLastName")
    lent: Attribute[str | None] = attribute(name="loanStartDate", default=None)
    due: Attribute[str | None] = attribute(name="loanEndDate", default=None)
    member_id: Attribute[str | None] = attribute(name="memberId", default=None)
    model_version: Attribute[Literal["1"]] = attribute(name="__edb_v__", default="1")


LOANS = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("$library#memberid_{:lower}", Book.member_id),
    sort_key=key_template("$account#book_1#loanenddate_{:lower}", Book.due),
)
BOOKS_OF_AUTHOR = GlobalSecondaryIndex(
    GSI2,
    partition_key=key_template(WORKS, Book.last_name, Book.first_name),
    sort_key=key_template("$works#book_1#loanenddate_{:lower}", Book.due),
)
EDITIONS = GlobalSecondaryIndex(
    GSI3,
    partition_key=key_template("$library#booktitle_{:lower}", Book.title),
    sort_key=key_template("$titles#book_1#releasedate_{:lower}", Book.released),
)


@entity(
    library,
    type_name="author",
    partition_key="$library#authorlastname_{last_name:lower}",
    sort_key="$author_1#authorfirstname_{first_name:lower}#birthday_{birthday:lower}",
)
class Author:
    last_name: PartitionKey[str] = attribute(name="authorLastName")
    first_name: SortKey[str] = attribute(name="authorFirstName")
    birthday: SortKey[str]
    bio: Attribute[str]
    model_version: Attribute[Literal["1"]] = attribute(name="__edb_v__", default="1")


AUTHOR = GlobalSecondaryIndex(
    GSI2,
    partition_key=key_template(WORKS, Author.last_name, Author.first_name),
    sort_key=key_template("$works#author_1"),
)


@entity(
    library,
    type_name="genre",
    partition_key="$library#isbn_{isbn:lower}",
    sort_key="$detail#genre_1#genre_{genre:lower}#subgenre_{subgenre:lower}",
)
class Genre:
    isbn: PartitionKey[str]
    genre: SortKey[str]
    subgenre: SortKey[str]
    book_id: Attribute[str] = attribute(name="bookId")
    title: Attribute[str] = attribute(name="bookTitle")
    first_name: Attribute[str] = attribute(name="authorFirstName")
    last_name: Attribute[str] = attribute(name="authorLastName")
    model_version: Attribute[Literal["1"]] = attribute(name="__edb_v__", default="1")


CATEGORIES = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("$library#genre_{:lower}", Genre.genre),
    sort_key=key_template("$genre_1#subgenre_{:lower}", Genre.subgenre),
)
GENRES_OF_AUTHOR = GlobalSecondaryIndex(
    GSI2,
    partition_key=key_template(WORKS, Genre.last_name, Genre.first_name),
    sort_key=key_template("$works#genre_1#genre_{:lower}#subgenre_{:lower}", Genre.genre, Genre.subgenre),
)
GENRES_OF_TITLE = GlobalSecondaryIndex(
    GSI3,
    partition_key=key_template("$library#booktitle_{:lower}", Genre.title),
    sort_key=key_template("$titles#genre_1#genre_{:lower}#subgenre_{:lower}", Genre.genre, Genre.subgenre),
)


@document
class Address:
    street: Attribute[str] = attribute(name="streetAddress")
    city: Attribute[str]
    state: Attribute[str]
    zip: Attribute[str]


@entity(library, type_name="member", partition_key="$library#memberid_{member_id:lower}", sort_key="$member_1")
class Member:
    member_id: PartitionKey[str] = attribute(name="memberId")
    starts: Attribute[str] = attribute(name="membershipStartDate")
    ends: Attribute[str] = attribute(name="membershipEndDate")
    address: Attribute[Address]
    model_version: Attribute[Literal["1"]] = attribute(name="__edb_v__", default="1")


ACCOUNT = GlobalSecondaryIndex(
    GSI1,
    partition_key=key_template("$library#memberid_{:lower}", Member.member_id),
    sort_key=key_template("$account#member_1"),
)

CLASSES: dict[str, type[Any]] = {"book": Book, "author": Author, "genre": Genre, "member": Member}


@pytest.mark.parametrize("item", FIXTURE["items"], ids=lambda item: f"{item['__edb_e__']['S']}-{item['sk']['S']}")
def test_items_of_electrodb_are_read_and_written_the_same(item: dict[str, Any]) -> None:
    """Keys, index keys, type attribute and values of the written item equal those that ElectroDB wrote."""
    converter = make_converter()
    instance = converter.structure(item, CLASSES[item["__edb_e__"]["S"]])
    assert converter.unstructure(instance) == item


def test_every_kind_of_item_is_in_the_fixture() -> None:
    """The fixture was made by the named version and has an item of each entity."""
    assert FIXTURE["electrodb"].startswith("3.9.")
    assert {item["__edb_e__"]["S"] for item in FIXTURE["items"]} == set(CLASSES)
