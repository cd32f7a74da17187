import base64

import orjson
import pytest

from mizzle_async import InvalidCursorError
from mizzle_async.integrations.cursors import CursorCipher
from mizzle_async.operations.reads.cursors import PLAIN, CursorCodec, cursor_secret, query_digest

KEY = {"pk": {"S": "a/b+ü"}, "sk": {"N": "7"}}
SECRET = b"sixteen bytes or more"
QUERY = query_digest({"TableName": "orders"})
OTHER = query_digest({"TableName": "customers"})
NOW = 1_000.0


def plain(**options):
    """A codec without a key."""
    return CursorCodec(**options)


def signed(secret=SECRET, **options):
    """A codec that authenticates."""
    return CursorCodec(secret, **options)


def sealed(secret=SECRET, **options):
    """A codec that encrypts."""
    return CursorCodec(secret, CursorCipher(secret), **options)


@pytest.mark.parametrize("codec", [plain(), signed(), sealed()], ids=repr)
def test_cursor_is_read_back(codec):
    """What was written is read, and is safe in a URL."""
    cursor = codec.write(KEY, QUERY, NOW)
    assert codec.read(cursor, QUERY, NOW) == KEY
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("codec", [plain(), signed(), sealed()], ids=repr)
def test_cursor_of_another_query_is_refused(codec):
    """A cursor belongs to the query that made it."""
    with pytest.raises(InvalidCursorError, match="another query"):
        codec.read(codec.write(KEY, OTHER, NOW), QUERY, NOW)


@pytest.mark.parametrize("codec", [signed(), sealed()], ids=repr)
def test_every_changed_bit_is_noticed(codec):
    """With a key, no byte of a cursor can be changed."""
    raw = base64.urlsafe_b64decode(codec.write(KEY, QUERY, NOW) + "==")
    for position in range(1, len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(InvalidCursorError):
            codec.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), QUERY, NOW)


@pytest.mark.parametrize("kind", [signed, sealed])
def test_cursor_of_another_key_is_refused(kind):
    """A cursor made with another secret is foreign."""
    with pytest.raises(InvalidCursorError, match="another cursor_key"):
        kind().read(kind(b"another secret, also long").write(KEY, QUERY, NOW), QUERY, NOW)


@pytest.mark.parametrize("kind", [plain, signed, sealed])
def test_cursor_expires(kind):
    """A cursor with an age limit is good until then, and not after."""
    codec = kind(max_age=60)
    cursor = codec.write(KEY, QUERY, NOW)
    assert codec.read(cursor, QUERY, NOW + 60) == KEY
    with pytest.raises(InvalidCursorError, match="expired"):
        codec.read(cursor, QUERY, NOW + 61)


@pytest.mark.parametrize(
    ("writer", "reader", "message"),
    [
        (signed(), plain(), "this client has none"),
        (sealed(), plain(), "this client has none"),
        (plain(), signed(), "not authenticated"),
        (plain(), sealed(), "not authenticated"),
        (sealed(), signed(), "install the extra"),
        (signed(), sealed(), "not encrypted"),
    ],
)
def test_cursor_of_another_kind_is_refused(writer, reader, message):
    """A weaker cursor is never accepted for a stronger one; the message says what differs."""
    with pytest.raises(InvalidCursorError, match=message):
        reader.read(writer.write(KEY, QUERY, NOW), QUERY, NOW)


@pytest.mark.parametrize("text", ["", "!", "ä", "AAAA", "a", "QUJD", None, 5])
@pytest.mark.parametrize("codec", [plain(), signed(), sealed()], ids=repr)
def test_what_is_no_cursor_is_refused(codec, text):
    """Any other text, or no text at all, is an invalid cursor and nothing worse."""
    with pytest.raises(InvalidCursorError):
        codec.read(text, QUERY, NOW)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b'{"pk":1}', b'{"pk":{"M":{}}}', b'{"pk":{"S":1}}', b'{"pk":{}}']
)
def test_cursor_that_holds_no_key_is_refused(body):
    """Without a key anybody can write a cursor: what it holds is checked."""
    raw = b"\x01" + QUERY[:12] + bytes(6) + body
    with pytest.raises(InvalidCursorError):
        plain().read(base64.urlsafe_b64encode(raw).decode().rstrip("="), QUERY, NOW)


def test_encrypted_cursor_shows_nothing():
    """An encrypted cursor holds no readable key, and no two are the same."""
    codec = sealed()
    first, second = codec.write(KEY, QUERY, NOW), codec.write(KEY, QUERY, NOW)
    assert first != second
    assert b"pk" not in base64.urlsafe_b64decode(first + "==")


def test_secret_is_given_as_text_or_bytes():
    """A secret is text or bytes, long enough to be one, and in no repr."""
    assert cursor_secret(None) == b""
    assert cursor_secret("0123456789abcdef") == b"0123456789abcdef"
    with pytest.raises(ValueError, match="16 or more"):
        cursor_secret("short")
    assert repr(signed()) == "<CursorCodec authenticated>"
    assert repr(CursorCipher(SECRET)) == "<CursorCipher AES-256-GCM>"


@pytest.mark.parametrize("codec", [CursorCodec(), CursorCodec(b"a secret of sixteen"), CursorCodec(max_age=60)])
@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("backwards", [False, True])
def test_position_comes_back(codec, key, backwards):
    """A cursor holds a key or an end of the query, and its direction; only what leads forward has a key alone."""
    cursor = codec.write(key, QUERY, 0.0, backwards=backwards)
    assert codec.read_position(cursor, QUERY, 0.0) == (key, backwards)
    if key is not None and not backwards:
        assert codec.read(cursor, QUERY, 0.0) == key
    else:
        with pytest.raises(InvalidCursorError, match="is not a cursor"):
            codec.read(cursor, QUERY, 0.0)


@pytest.mark.parametrize("position", [[], [2], [1, None], [1, KEY, 1], ["1"], [0, {}], [True, KEY, KEY], 5, None, {}])
def test_position_of_another_shape_is_no_cursor(position):
    """A cursor without authentication may have been changed: what is no position is refused."""
    raw = PLAIN + QUERY[:12] + (0).to_bytes(6, "big") + orjson.dumps(position)
    cursor = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    with pytest.raises(InvalidCursorError, match="is not a cursor"):
        CursorCodec().read_position(cursor, QUERY, 0.0)
