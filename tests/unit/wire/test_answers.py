"""What is believed, and what is not."""

from typing import Any
from zlib import crc32

import orjson
import pytest

from mizzle_async import errors
from mizzle_async.types import Outcome
from mizzle_async.wire.answers import check_answer, error_message, is_bodiless

JSON = {"content-type": "application/x-amz-json-1.0"}


def checked(body: bytes, **more: str) -> dict[str, str]:
    """Return headers as the service sends them with this body."""
    return JSON | {"x-amz-crc32": str(crc32(body))} | more


def test_a_checksummed_object_is_an_answer():
    """A 200 with the right checksum is parsed, and has no code."""
    body = b'{"Item":{"a":{"S":"b"}}}'
    answer = check_answer(200, checked(body), body)
    assert (answer.status, answer.payload, answer.code) == (200, {"Item": {"a": {"S": "b"}}}, "")


def test_json_without_a_checksum_is_believed():
    """An engine that sends no checksum is believed when it says that it sends JSON."""
    for kind in ("application/json", "Application/X-AMZ-JSON-1.0", "application/x-amz-json-1.0; charset=utf-8"):
        assert check_answer(200, {"content-type": kind}, b"{}").payload == {}


def test_a_checksum_may_have_spaces_around_it():
    """Spaces at the end of a header are none of its value, and the parser leaves them there."""
    assert check_answer(200, JSON | {"x-amz-crc32": f"{crc32(b'{}')} \t"}, b"{}").payload == {}


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_redirects_are_refused(status):
    """No redirect is an answer, whatever it holds."""
    with pytest.raises(
        errors.CorruptResponseError, match=f"HTTP {status} is a redirect, which is never followed"
    ) as caught:
        check_answer(status, checked(b"{}", location="http://elsewhere/"), b"{}")
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [100, 201, 204, 206, 299, 600, 999])
def test_statuses_that_the_service_never_sends_are_refused(status):
    """Other successes than 200, and numbers that are no status, come from somebody else."""
    with pytest.raises(errors.CorruptResponseError, match="a status that DynamoDB never sends"):
        check_answer(status, checked(b"{}"), b"{}")


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (JSON, b"", "are not JSON"),
        (JSON, b'{"Item":', "are not JSON"),
        (JSON, b"[]", "is not an object"),
        (JSON, b'{"a":"\\ud800"}', "are not JSON"),
        ({"content-type": "text/html"}, b"<html></html>", "neither checksummed nor JSON"),
        ({}, b"{}", "neither checksummed nor JSON"),
        (checked(b"<html></html>"), b"<html></html>", "are not JSON"),
        (checked(b"{}"), b'{"a":1}', "x-amz-crc32 is not the checksum of the 7 bytes that came"),
        (JSON | {"x-amz-crc32": "many"}, b"{}", "x-amz-crc32 is not the checksum"),
        (checked(b"{}") | {"content-encoding": "gzip"}, b"{}", "compressed"),
        (checked(b"{}") | {"transfer-encoding": "gzip, chunked"}, b"{}", "compressed"),
    ],
)
def test_a_200_that_is_not_the_services_is_refused(headers, body, reason):
    """HTML, nothing, cut or wrong JSON, a wrong checksum and compression each raise, with the outcome unknown."""
    with pytest.raises(errors.CorruptResponseError, match=reason) as caught:
        check_answer(200, headers, body)
    assert caught.value.outcome is Outcome.UNKNOWN


def test_the_reason_never_shows_the_body():
    """Nothing of a corrupt body, which may hold items, gets into the error's text."""
    with pytest.raises(errors.CorruptResponseError) as caught:
        check_answer(200, JSON, b'{"Item": {"secret": {"S": "CANARY"}')
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_identity_is_no_compression():
    """``Content-Encoding: identity`` says nothing, and chunks are the parser's affair."""
    headers = checked(b"{}") | {"content-encoding": "Identity", "transfer-encoding": "Chunked"}
    assert check_answer(200, headers, b"{}").payload == {}
    assert check_answer(400, headers, b"{}").status == 400


def test_a_compressed_error_is_refused():
    """An error that nobody can read is no answer."""
    with pytest.raises(errors.CorruptResponseError, match="compressed"):
        check_answer(500, {"content-encoding": "gzip"}, b"\x1f\x8b")


def test_an_empty_body_with_its_checksum_is_bodiless():
    """Tagging a table answers with nothing, checksummed; that is told apart from an empty object."""
    assert is_bodiless(check_answer(200, checked(b""), b""))
    assert not is_bodiless(check_answer(200, checked(b"{}"), b"{}"))


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}', "ResourceNotFoundException"),
        ({}, b'{"__type":"com.amazon.coral.validate#ValidationException:http://x/"}', "ValidationException"),
        ({}, b'{"__type":"ValidationException"}', "ValidationException"),
        ({}, b'{"code":"Throttling"}', "Throttling"),
        ({"x-amzn-errortype": "ThrottlingException:http://internal/"}, b"<html>", "ThrottlingException"),
        ({"x-amzn-errortype": "a#SerializationException"}, b"", "SerializationException"),
        ({"x-amzn-errortype": "ThrottlingException:http://internal/#a"}, b"", "ThrottlingException"),
        ({}, b'{"__type":"com.amazon.coral#ThrottlingException:http://x/#y"}', "ThrottlingException"),
        ({"x-amzn-errortype": "Header"}, b'{"__type":"Body","code":"Code"}', "Header"),
        ({}, b'{"__type":"Body","code":"Code"}', "Body"),
        ({}, b'{"Code":"Throttling"}', "Throttling"),
        ({}, b'{"Output":{"__type":"com.amazon.coral.service#InternalFailure"},"Version":"1.0"}', "InternalFailure"),
        ({}, b'{"Output":["__type"]}', ""),
        ({}, b'{"Item":{"__type":"Nested"}}', ""),
        ({}, b'{"__type":7}', ""),
        ({}, b"[1]", ""),
        ({}, b"<html>Service Unavailable</html>", ""),
    ],
)
def test_where_the_code_is(headers, body, code):
    """The code is the header's, else the body's or its output's; without namespace, URL and other nesting."""
    assert check_answer(400, headers, body).code == code


def test_an_error_with_a_wrong_checksum_is_refused():
    """A damaged error is as untrustworthy as a damaged item."""
    with pytest.raises(errors.CorruptResponseError, match="x-amz-crc32"):
        check_answer(400, JSON | {"x-amz-crc32": "1"}, b'{"__type":"ValidationException"}')


def test_the_services_words():
    """The text is spelled ``message`` or ``Message``, and is text."""
    assert error_message({"message": "a"}) == "a"
    assert error_message({"Message": "b"}) == "b"
    assert error_message({"message": 5}) == ""
    assert error_message({}) == ""


def test_a_good_answer_is_read_as_its_request_asked():
    """What the operation gave for it reads the JSON of a 200; errors are read as ever."""

    def parse(body: bytes) -> Any:
        return {"read": body.decode()}

    assert check_answer(200, JSON, b"{}", parse).payload == {"read": "{}"}
    assert check_answer(400, JSON, b'{"__type": "ValidationException"}', parse).code == "ValidationException"
    with pytest.raises(errors.CorruptResponseError, match="not an object"):
        check_answer(200, JSON, b"{}", lambda _body: [])
    with pytest.raises(errors.CorruptResponseError, match="are not JSON"):
        check_answer(200, JSON, b"{", orjson.loads)
