"""Our signatures, byte for byte against botocore's."""

import datetime as dt
from unittest import mock

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from mizzle_async import errors
from mizzle_async.wire.exchange import Endpoint, HeaderLines
from mizzle_async.wire.signing import CONTENT_TYPE, RequestSigner, SigningKey

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
HOSTS = st.from_regex(r"[a-z][a-z0-9.\-]{0,40}[a-z]", fullmatch=True) | st.sampled_from(["127.0.0.1", "::1"])
PATHS = st.sampled_from(["/", "", "/a/b", "/a//b/", "/./a/../b", "/..", "/a%20b", "/~x/%41"])
KEY_IDS = st.text(st.characters(categories=["L", "N"], max_codepoint=126), min_size=1, max_size=60)
SECONDS = st.integers(0, 4_102_444_800)


def by_botocore(endpoint, operation, secrets, *, region, body, second):
    """Sign a request with botocore at a given second, and return its headers."""
    access_key, secret_key, token = secrets
    headers = {
        "Host": endpoint.authority,
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": CONTENT_TYPE,
    }
    url = f"{endpoint.scheme}://{endpoint.authority}{endpoint.path}"
    request = AWSRequest("POST", url, headers=headers, data=body)
    moment = dt.datetime.fromtimestamp(second, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        credentials = ReadOnlyCredentials(access_key, secret_key, token, None)
        botocore.auth.SigV4Auth(credentials, "dynamodb", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@settings(max_examples=300, deadline=None)
@given(
    endpoint=st.builds(
        Endpoint, st.sampled_from(["http", "https"]), HOSTS, st.integers(1, 65535) | st.just(443), PATHS
    ),
    operation=st.sampled_from(["GetItem", "TransactWriteItems", "SearchVectors"]),
    secrets=st.tuples(KEY_IDS, SECRETS, st.none() | SECRETS),
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    seconds=st.lists(SECONDS, min_size=1, max_size=3),
)
def test_equal_to_botocore_byte_for_byte(*, endpoint, operation, secrets, region, bodies, seconds):
    """Every request, whatever its host, path, body, second and credentials, is signed exactly as botocore signs it."""
    signer = RequestSigner(endpoint, operation, SigningKey(*secrets, region), "mizzle_async")
    for second in seconds:
        for body in bodies:
            ours = dict(signer.sign(body, second))
            theirs = by_botocore(endpoint, operation, secrets, region=region, body=body, second=second)
            assert ours == theirs | {"accept-encoding": "identity", "user-agent": "mizzle_async"}


def test_a_new_day_takes_a_new_key():
    """The key of a day is made once, and changes with the day."""
    key = SigningKey("AKID", "secret", None, "us-east-1")
    first = key.of_day("20260101")
    assert key.of_day("20260101") is first
    assert key.of_day("20260102") != first


@pytest.mark.parametrize("token", ["two\r\nlines", "two\nlines", "a\rb", "ü"])
def test_what_http_cannot_carry_is_not_signed(token):
    """A line break in a token would make headers of its own: it is refused, and not shown."""
    signer = RequestSigner(Endpoint("https", "host", 443), "GetItem", SigningKey("A", "b", token, "c"), "agent")
    with pytest.raises(errors.CredentialsError) as caught:
        signer.sign(b"", 0)
    assert token not in str(caught.value)


def test_header_lines_are_a_sequence_of_pairs():
    """What is ready for the wire can still be looked at; its repr shows names only."""
    lines = HeaderLines(b"host: a\r\nx-amz-security-token: CANARY: b\r\n")
    assert list(lines) == [("host", "a"), ("x-amz-security-token", "CANARY: b")]
    assert (len(lines), lines[1][0], lines[:1]) == (2, "x-amz-security-token", [("host", "a")])
    assert repr(lines) == "<HeaderLines: host, x-amz-security-token>"


def test_reprs_show_no_secret():
    """Neither the key nor the signer shows what it signs with."""
    key = SigningKey("CANARY1", "CANARY2", "CANARY3", "us-east-1")
    signer = RequestSigner(Endpoint("https", "host", 443), "GetItem", key, "agent")
    assert repr(key) == "<SigningKey for us-east-1>"
    assert repr(signer) == "<RequestSigner for host>"
