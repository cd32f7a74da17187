from typing import Literal

import attrs
import pytest

from mizzle_async.marshalling import item_from_plain, plain_item
from mizzle_async.model import Attribute, PartitionKey, document, entity


@document
class Letter:
    marks: Attribute[set[str]]


@document
class Parcel:
    marks: Attribute[list[str]]


@attrs.define
class Sea:
    kind: Literal["sea"]
    content: bytes


@attrs.define
class Air:
    kind: Literal["air"]
    content: str


@entity("posts")
class Post:
    id: PartitionKey[str]
    sent: Attribute[Letter | Parcel | None]
    ways: Attribute[list[Sea | Air | str]]


@pytest.mark.parametrize("sent", [Letter(marks={"a", "b"}), Parcel(marks=["b", "a"]), None])
def test_plain_json_of_a_union_is_read_as_the_class_that_it_names(codec_of, sent):
    """What plain JSON does not tell, sets from lists and bytes from text, the class of a union tells that is named."""
    codec = codec_of(Post)
    post = Post(id="1", sent=sent, ways=[Sea("sea", b"text"), Air("air", "text"), "on foot"])
    assert codec.decode(item_from_plain(codec, plain_item(codec.encode(post)))) == post
