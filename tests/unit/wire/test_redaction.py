"""No error of the service keeps what it repeated of a request's credentials."""

import pickle

import orjson
import pytest

from mizzle_async import errors
from mizzle_async.codes import CODES
from mizzle_async.types import RepeatSafety, WireRequest
from mizzle_async.wire.exchange import Answer
from mizzle_async.wire.failures import service_error
from mizzle_async.wire.settings import Credentials
from mizzle_async.wire.signing import SigningKey

HELD = Credentials("AKCANARYID", "CANARYSECRET", "CANARYTOKEN/with+signs==")
GET = WireRequest("GetItem", b"{}", "orders", RepeatSafety.READ)
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKCANARYID/20260101/eu-west-1/dynamodb/aws4_request, Signature=CANARYSIGN"
ECHOES = {
    "canonical request": f"It does not match.\n\nThe Canonical String was\nx-amz-security-token:{HELD.session_token}",
    "one line": f"Authorization header requires 'Signature' parameter. Authorization={AUTHORIZATION}",
    "header": f"Wrong. Authorization header: {AUTHORIZATION}",
    "token": f"The security token {HELD.session_token} included in the request is invalid.",
    "key": "The access key AKCANARYID is not known.",
    "member": "It is wrong.",
}
UNKNOWN = ("SignatureDoesNotMatch", "InvalidClientTokenId", "AuthFailure", "OptInRequired", "")


def shown_by(error):
    """Return everything that an error holds."""
    again = pickle.loads(pickle.dumps(error))
    parts = [str(error), repr(error), repr(vars(error)), repr(vars(again)), pickle.dumps(error).decode("latin-1")]
    return "\n".join(parts)


@pytest.mark.parametrize("code", [*CODES, *UNKNOWN])
@pytest.mark.parametrize("echo", ECHOES)
def test_no_error_repeats_the_credentials_of_its_request(code, echo):
    """Whatever the code and wherever the service repeats them, text, repr, payload and pickle hold none of them."""
    payload = {"__type": code, "message": ECHOES[echo], "Details": [{"token": HELD.session_token, "ok": "kept"}]}
    error_class = CODES.get(code, (errors.ServiceError,))[0]
    error = service_error(error_class, Answer(400, {}, payload, code), GET, 1, HELD)
    assert "CANARYTOKEN" not in shown_by(error)
    assert "CANARYID" not in shown_by(error)
    if error_class is not errors.ServiceError and "Signature" in code:
        assert "CANARYSIGN" not in shown_by(error)
    assert error.code == code
    assert str(error).startswith(code)


def test_what_is_no_secret_is_kept():
    """A message is shown as it is where it repeats nothing, and the payload of other errors is the service's own."""
    payload = {"__type": "AccessDeniedException", "Message": "User: arn:aws:iam::1:user/x is not authorized"}
    error = service_error(errors.AccessDeniedError, Answer(400, {}, payload, "AccessDeniedException"), GET, 1, HELD)
    assert "User: arn:aws:iam::1:user/x is not authorized" in str(error)
    assert error.payload is payload
    expired = {"__type": "x", "message": "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z"}
    code = "InvalidSignatureException"
    error = service_error(errors.InvalidSignatureError, Answer(400, {}, expired, code), GET, 1, HELD)
    assert "Signature expired: 20260101T000000Z is now earlier" in str(error)


def test_a_stored_item_is_the_caller_s_own():
    """An item that happens to hold an access key comes as it is stored."""
    item = {"pk": {"S": "AKCANARYID"}}
    payload = {"__type": "x", "message": "AKCANARYID", "Item": item}
    code = "ConditionalCheckFailedException"
    error = service_error(errors.ConditionalCheckFailedError, Answer(400, {}, payload, code), GET, 1, HELD)
    assert error.item == item
    assert str(error) == f"{code}: … [GetItem, table 'orders', 1 attempt]"


def test_short_keys_are_not_masked():
    """An engine's key of a few letters is no secret, and would be found in words."""
    payload = orjson.loads(b'{"message": "a local table"}')
    code = "ResourceNotFoundException"
    error = service_error(
        errors.ResourceNotFoundError, Answer(400, {}, payload, code), GET, 1, Credentials("local", "local")
    )
    assert str(error).startswith(f"{code}: a local table")


def test_what_a_pickle_holds_is_what_its_class_says():
    """A class whose attributes hold stored data says that a pickle holds it too, and a pickle does."""
    item = {"pk": {"S": "VALUE"}}
    holders = {
        errors.ConditionalCheckFailedError: errors.ConditionalCheckFailedError("x", item=item),
        errors.OutcomeUnknownError: errors.OutcomeUnknownError("x", item=item),
        errors.ServiceError: errors.ServiceError("x", payload={"Item": item}),
        errors.MarshallingError: errors.MarshallingError("x", key=item),
        errors.BatchError: errors.BatchError("x", report=item),
    }
    for holder, error in holders.items():
        assert b"VALUE" in pickle.dumps(error)
        assert "VALUE" not in f"{error}{error!r}"
        assert "part of a pickle" in " ".join(holder.__doc__.split()), holder


@pytest.mark.parametrize("wrong", ['{"AWS_ACCESS_KEY_ID": "AKIA"}', "AKIA, secret", "AKIA/x", "AKIA\tsecret", "'AKIA'"])
def test_a_key_id_that_is_none_is_not_sent(wrong):
    """Secrets in the place of a key's id would come back, in parts, in the service's refusal: nothing is signed."""
    with pytest.raises(errors.CredentialsError, match="which no key id does") as caught:
        SigningKey(wrong, "secret", None, "eu-west-1")
    assert "AKIA" not in str(caught.value)
