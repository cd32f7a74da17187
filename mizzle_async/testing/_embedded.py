"""The embedded engine: ministack, pure Python, in an environment of its own in the user's cache."""

from mizzle_async.testing._engine import Engine, EngineCommand
from mizzle_async.testing._environment import environment, locked_version
from mizzle_async.testing._process import LOOPBACK


class EmbeddedEngine(Engine):
    """ministack: needs Python only, and is ready in about two seconds.

    It has multi-attribute index keys and vector indexes, which `DynamoDBLocal` lacks. Both serve streams, of one shard
    each; here the time to live never removes an item. Limits and messages of `DynamoDBLocal` are closer to the
    service's.

    Cost:
        The first start on a machine installs some 20 MB from the package index into the user's cache.

    Source:
        https://pypi.org/project/ministack/
    """

    name = "embedded"

    @property
    def version(self) -> str:
        """The pinned version of ministack."""
        return locked_version("ministack")

    def _command(self, port: int) -> EngineCommand:
        return EngineCommand(
            [str(environment("ministack")), "-I", "-m", "ministack"],
            {
                "BIND_HOST": LOOPBACK,  # its default is every interface
                "GATEWAY_PORT": str(port),
                "SERVICES": "dynamodb,dynamodbstreams",
                "LOG_LEVEL": "WARNING",  # else a line per request
                "MINISTACK_REGION": self.region_name,
                "PERSIST_STATE": "0",
                "IOT_MTLS_ENABLED": "0",  # else it listens on port 8883 too
                "SFTP_ENABLED": "0",
                "DOCKER_HOST": "unix:///nonexistent",  # else it looks for containers to remove
            },
        )
