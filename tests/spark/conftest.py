"""Tests with a Spark of their own: one JVM for all of them, on this machine, without its web interface."""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mizzle_async.testing import EmbeddedEngine, Engine

collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]  # the nox session `spark` has it

MODELS = '''
import os
from datetime import datetime
from decimal import Decimal
from enum import Enum

from mizzle_async import Attribute, Client, PartitionKey, SortKey, attribute, document, entity


class Status(Enum):
    OPEN = "open"
    PAID = "paid"


@document
class Line:
    sku: Attribute[str]
    cents: Attribute[int] = attribute(default=0)


@entity("orders")
class Order:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    status: Attribute[Status] = attribute(default=Status.OPEN)
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)
    lines: Attribute[list[Line]] = attribute(factory=list)
    counts: Attribute[dict[str, int]] = attribute(factory=dict)
    paid: Attribute[bool] = attribute(default=False)
    ratio: Attribute[float | None] = attribute(default=None)
    data: Attribute[bytes | None] = attribute(default=None)


@entity("copies")
class Copy:
    customer_id: PartitionKey[str]
    number: SortKey[int]
    total: Attribute[Decimal] = attribute(default=Decimal(0))
    placed: Attribute[datetime | None] = attribute(default=None)
    tags: Attribute[set[str]] = attribute(factory=set)


def connect():
    """Return a client of the engine that the environment names."""
    return Client()


def nothing():
    """Return a client of nothing."""
    return Client(endpoint_url="http://127.0.0.1:9", region_name="eu-west-1", credentials=("a", "b"), timeout=1.0)
'''


@pytest.fixture(scope="session")
def spark_engine() -> Iterator[Engine]:
    """An engine whose address and credentials are in the environment, as tasks of Spark have them."""
    engine = EmbeddedEngine().start()
    before = dict(os.environ)
    os.environ.update(engine.environment)
    yield engine
    os.environ.clear()
    os.environ.update(before)
    engine.stop()


@pytest.fixture(scope="session")
def models(spark_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module that the driver and its workers import."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "spark_models.py").write_text(MODELS)
    sys.path.insert(0, str(folder))
    paths = [str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return import_module("spark_models")


@pytest.fixture(scope="session")
def spark(models: Any) -> Iterator[Any]:
    """One session for all tests."""
    from pyspark.sql import SparkSession  # noqa: PLC0415  (only where it is installed)

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = (
        SparkSession.builder.master("local[2, 2]")  # a task that fails runs once more
        .appName("mizzle_async")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
