"""What a scripted server says, byte by byte."""

from zlib import crc32

import pytest

from mizzle_async.testing.replies import Ending, Reply


def head_and_body(data):
    """Split an answer."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ") for line in lines), body


def test_an_answer_looks_like_dynamodbs():
    """Status, checksum, request id and date are those that DynamoDB sends."""
    first, headers, body = head_and_body(Reply({"Item": {}}).encode("ID", "now"))
    assert first == "HTTP/1.1 200 OK"
    assert body == b'{"Item":{}}'
    assert headers == {
        "Server": "Server",
        "Date": "now",
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": "11",
        "Connection": "keep-alive",
        "x-amzn-RequestId": "ID",
        "x-amz-crc32": str(crc32(body)),
    }


def test_headers_are_replaced_and_left_out_by_name_in_any_spelling():
    """A header given by the script takes the place of the usual one; None leaves it out."""
    reply = Reply(headers={"content-type": "text/plain", "DATE": None, "X-Other": "1"})
    _, headers, _ = head_and_body(reply.encode("ID", "now"))
    assert headers["content-type"] == "text/plain"
    assert headers["X-Other"] == "1"
    assert not {"Content-Type", "Date"} & headers.keys()
    _, bare, _ = head_and_body(Reply(own_headers=False, checksum="absent").encode("ID", "now"))
    assert bare == {"Content-Length": "2", "Connection": "keep-alive"}


def test_a_wrong_checksum_is_wrong():
    """A wrong checksum differs from the right one."""
    _, headers, body = head_and_body(Reply(checksum="wrong").encode())
    assert headers["x-amz-crc32"] != str(crc32(body))


@pytest.mark.parametrize("size", [0, 1, 2, 10])
def test_chunks_join_to_the_body(size):
    """A body in chunks has a length before each part and an empty chunk at its end."""
    _, headers, body = head_and_body(Reply(b"x" * size, framing="chunked").encode())
    assert headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in headers
    joined = b""
    while body:
        length, _, body = body.partition(b"\r\n")
        joined += body[: int(length, 16)]
        assert body[int(length, 16) :][:2] == b"\r\n"
        body = body[int(length, 16) + 2 :]
    assert joined == b"x" * size


def test_an_error_carries_its_code_and_members():
    """An error has the service's namespace, a message, and whatever else is given."""
    status, _, body = Reply.error("ConditionalCheckFailedException", Item={"pk": {"S": "a"}}).parts()
    assert status == 400
    assert body == (
        b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
        b'"message":"scripted ConditionalCheckFailedException","Item":{"pk":{"S":"a"}}}'
    )
    throttled = Reply.throttled("TableWriteAccountLimitExceeded", "arn:x")
    assert throttled.payload["ThrottlingReasons"] == [{"reason": "TableWriteAccountLimitExceeded", "resource": "arn:x"}]


def test_pages_and_redirects_lack_what_the_service_signs_with():
    """HTML and redirects have no checksum."""
    status, headers, body = Reply.html(502).parts("ID")
    assert (status, headers["content-type"], body[:6]) == (502, "text/html", b"<html>")
    assert not {"x-amz-crc32", "x-amzn-requestid"} & headers.keys()
    status, headers, body = Reply.redirect("http://elsewhere", 308).parts()
    assert (status, headers["location"], body) == (308, "http://elsewhere", b"")


def test_the_ways_to_say_nothing():
    """Hanging, closing and resetting are answers of no bytes."""
    assert [(reply.cut, reply.ending) for reply in (Reply.hang(), Reply.close(), Reply.reset())] == [
        (0, Ending.HANG),
        (0, Ending.CLOSE),
        (0, Ending.RESET),
    ]
    assert Reply.raw(b"abc").encode()[: Reply.raw(b"abc").cut] == b"abc"
    cut = Reply().cut_at(7)
    assert (cut.cut, cut.ending) == (7, Ending.CLOSE)
    assert Reply(prefix=b"before ", trailing=b" after").encode().startswith(b"before HTTP/1.1 200")
    assert Reply(trailing=b" after").encode().endswith(b"{} after")
