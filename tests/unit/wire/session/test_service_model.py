"""botocore's model of the service holds nothing that is neither known here nor left alone on purpose.

A new operation, error code, enum value or limit fails here when a new botocore is installed: whoever upgrades decides
whether the library has to know it, and lists it in ``service_model.json``, beside this file.
"""

import json
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from botocore.loaders import Loader

from mizzle_async import limits, operations
from mizzle_async.codes import CODES
from mizzle_async.operations import Operation
from mizzle_async.operations.partiql import statements

LISTED: dict[str, Any] = json.loads(Path(__file__).with_name("service_model.json").read_text())


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """The installed botocore's model of DynamoDB."""
    loaded: dict[str, Any] = Loader().load_service_model("dynamodb", "service-2")
    return loaded


def every(kind: str) -> dict[str, Any]:
    """What is listed of a kind, known or left alone, with its values where it has some."""
    both: dict[str, Any] = {}
    for names in LISTED[kind].values():
        both |= names if isinstance(names, dict) else dict.fromkeys(names)
    return both


def test_every_operation_is_known_or_left_alone(model: dict[str, Any]):
    """What the service can do and the library does not is a decision."""
    assert set(model["operations"]) - every("operations").keys() == set()


def test_every_error_code_is_known_or_left_alone(model: dict[str, Any]):
    """A code of an operation that is sent has a class of its own."""
    codes = {name for name, shape in model["shapes"].items() if shape.get("exception")}
    assert codes - CODES.keys() - every("codes").keys() == set()
    for name in LISTED["operations"]["known"]:
        raised = {error["shape"] for error in model["operations"][name].get("errors", ())}
        unknown = raised - CODES.keys()
        assert unknown <= {"IndexNotFoundException", "TableNotFoundException"}, name


def test_every_enum_value_is_known_or_left_alone(model: dict[str, Any]):
    """A new status, or a new reason, may need an answer."""
    listed = every("enums")
    found = {name: shape["enum"] for name, shape in model["shapes"].items() if "enum" in shape}
    assert found.keys() - listed.keys() == set()
    assert {name: new for name, values in found.items() if (new := set(values) - set(listed[name]))} == {}


def test_every_limit_is_known_or_left_alone(model: dict[str, Any]):
    """A limit that was raised would be refused here for nothing, one that was lowered by the service only."""
    listed, earlier = every("limits"), {"KeySchema": [1, 2, None]}  # before keys of several attributes
    found = {
        name: [shape.get("min"), shape.get("max"), shape.get("pattern")]
        for name, shape in model["shapes"].items()
        if {"min", "max", "pattern"} & shape.keys()
    }
    assert {name: value for name, value in found.items() if value not in (listed.get(name), earlier.get(name))} == {}


def test_known_limits_are_those_that_are_enforced():
    """The numbers of the service's model are the numbers of ours."""
    known = {name: value for name, (_, value, _) in LISTED["limits"]["known"].items()}
    ours = {
        "AttributeName": limits.ATTRIBUTE_NAME_BYTES,
        "BatchGetRequestMap": limits.BATCH_GET_KEYS,
        "BatchWriteItemRequestMap": limits.BATCH_WRITE_ITEMS,
        "CancellationReasonList": limits.TRANSACTION_ACTIONS,
        "ClientRequestToken": limits.CLIENT_REQUEST_TOKEN_LENGTH,
        "IndexName": 255,
        "ItemResponseList": limits.TRANSACTION_ACTIONS,
        "KeyList": limits.BATCH_GET_KEYS,
        "KeySchemaAttributeName": limits.KEY_ATTRIBUTE_NAME_BYTES,
        "NonKeyAttributeName": limits.KEY_ATTRIBUTE_NAME_BYTES,
        "ParameterizedStatements": limits.TRANSACTION_ACTIONS,
        "PartiQLBatchRequest": limits.PARTIQL_BATCH_STATEMENTS,
        "PartiQLStatement": limits.PARTIQL_STATEMENT_LENGTH,
        "ScanSegment": limits.SCAN_SEGMENTS - 1,
        "ScanTotalSegments": limits.SCAN_SEGMENTS,
        "TableName": 255,
        "TimeToLiveAttributeName": limits.KEY_ATTRIBUTE_NAME_BYTES,
        "TransactGetItemList": limits.TRANSACTION_ACTIONS,
        "TransactWriteItemList": limits.TRANSACTION_ACTIONS,
        "WriteRequests": limits.BATCH_WRITE_ITEMS,
    }
    assert known == ours
    for name in ("TableName", "IndexName"):
        least, most, _ = LISTED["limits"]["known"][name]
        assert re.fullmatch(limits.TABLE_NAME_PATTERN, "x" * least)
        assert re.fullmatch(limits.TABLE_NAME_PATTERN, "x" * most)
        assert not re.fullmatch(limits.TABLE_NAME_PATTERN, "x" * (least - 1))
        assert not re.fullmatch(limits.TABLE_NAME_PATTERN, "x" * (most + 1))


def test_every_operation_that_is_sent_is_known():
    """The list of known operations is not longer than what there is, nor shorter."""
    for each in walk_packages(operations.__path__, f"{operations.__name__}."):
        import_module(each.name)  # some are imported with their first use

    def below(cls: type[Any]) -> set[type[Any]]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    sent = {name for cls in below(Operation) if (name := vars(cls).get("api")) is not None}
    tables = {"CreateTable", "DeleteTable", "DescribeTable", "DescribeTimeToLive", "ListTables", "UpdateTable"}
    assert sent - {"ConditionCheck", "SearchVectors"} | tables | {"UpdateTimeToLive"} == set(
        LISTED["operations"]["known"]
    )


@pytest.mark.parametrize("code", LISTED["enums"]["known"]["BatchStatementErrorCodeEnum"])
def test_every_code_of_a_statement_has_a_class(code: str):
    """Codes of statements in a batch are no exceptions' names; each is told as one all the same."""
    error = statements._statement_error(code, "words", None, None)
    assert type(error).__name__ != "ServiceError"
    assert error.code == code
