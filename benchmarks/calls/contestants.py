"""Who is measured: each client, the file that drives it, and the packages that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness import environments

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    Attributes:
        name: How the row is called.
        client: The file that drives it, in ``peers/``.
        requirements: Its environment, in ``requirements/``.
        variant: What that file is to do.
        package: The checkout that is installed, None for this one.
    """

    name: str
    client: str
    requirements: str
    variant: str = ""
    package: Path | None = None

    @property
    def script(self) -> Path:
        """The file that drives it."""
        return HERE / "peers" / f"{self.client}.py"

    def interpreter(self) -> Path:
        """Its own environment's interpreter, made the first time; raises InstallationError where that fails."""
        package = (self.package or PROJECT) if self.requirements == "mizzle" else None
        return environments.interpreter(HERE / "requirements" / f"{self.requirements}.txt", package=package)


CONTESTANTS = (
    Contestant("floor: bare protocol", "floor", "floor"),
    Contestant("floor: aiohttp", "floor", "floor", "aiohttp"),
    Contestant("mizzle_async, model", "mizzle_client", "mizzle", "model"),
    Contestant("mizzle_async, dict", "mizzle_client", "mizzle", "dict"),
    Contestant("dynamoxy, dict", "dynamoxy_client", "dynamoxy", "dict"),
    Contestant("dynamoxy, model", "dynamoxy_client", "dynamoxy", "model"),
    Contestant("pydynox, dict", "pydynox_client", "pydynox", "dict"),
    Contestant("pydynox, model", "pydynox_client", "pydynox", "model"),
    Contestant("aiodynamo", "aiodynamo_client", "aiodynamo"),
    Contestant("capo-dynamodb", "capo_client", "capo"),
    Contestant("aws-sdk-dynamodb", "aws_sdk_client", "aws-sdk"),
    Contestant("aioboto3 Table", "aioboto3_table", "aioboto3"),
    Contestant("aiobotocore + TypeDeserializer", "aiobotocore_client", "aiobotocore"),
    Contestant("boto3, 64 threads", "boto3_client", "aiobotocore"),
)
