"""Build the sdist and the wheel, check both, and use the wheel as a stranger would: `python .ci/package.py FOLDER`.

Nothing is locked here and no cache of this machine is used: what the package index has today is what users get today.
"""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))

SESSION_TESTS = ("tests/unit/wire", "tests/unit/handles/test_client.py", "tests/wire/test_credential_keeper.py")

# Settings of the machine that would let an installation succeed, or an import, where a stranger's fails.
OWN_SETTINGS = ("MIZZLE_ASYNC_CACHE", "PYTHONPATH", "XDG_CACHE_HOME", "PIP_CACHE_DIR", "JAVA_HOME")

START_LOCAL = "from mizzle_async.testing import DynamoDBLocal\nwith DynamoDBLocal() as engine: print(engine)"


class Environment:
    """An empty environment of Python, with a home folder in which nothing is cached."""

    def __init__(self, folder: Path) -> None:
        run([sys.executable, "-m", "virtualenv", "--quiet", folder])
        self.python = folder / "bin" / "python"
        self.settings = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
        self.settings |= {"HOME": str(folder), "PYTHONSAFEPATH": "1"}

    def install(self, *requirements: str | Path, group: str = "") -> None:
        """Install with pip, from wheels only."""
        options = ["--group", group] if group else []
        self.run("-m", "pip", "install", "--quiet", "--only-binary=:all:", *options, *requirements)
        self.run("-m", "pip", "check")

    def newest(self, name: str) -> str:
        """Return the version of a package that pip chooses where nothing else is asked for."""
        options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report=-"]
        report = json.loads(self.run("-m", "pip", "install", *options, name, capture=True))
        return str(report["install"][0]["metadata"]["version"])

    def version(self, name: str) -> str:
        """Return the installed version of a package."""
        return self.run("-c", f"import importlib.metadata as m; print(m.version({name!r}))", capture=True).strip()

    def run(self, *arguments: str | Path, folder: Path | None = None, capture: bool = False) -> str:
        """Run this environment's Python."""
        return run([self.python, *arguments], settings=self.settings, folder=folder, capture=capture)


def main(folder: Path) -> None:
    """Run every check; stop at the first that fails."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sdist, wheel = build(folder / "dist")
    source = unpack(sdist, folder / "source")
    check_contents(source, wheel)
    check_metadata(metadata(wheel))
    check_engine_locks(folder / "nowhere")
    use_alone(Environment(folder / "alone"), wheel, source)
    use_beside_aioboto3(Environment(folder / "beside"), wheel, source)


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist from the checkout and the wheel from the sdist, and let twine judge both."""
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder], folder=HERE)
    (sdist,) = folder.glob("*.tar.gz")
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, sdist])
    (wheel,) = folder.glob("*.whl")
    run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel])
    return sdist, wheel


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack the sdist and return its only folder."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def check_contents(source: Path, wheel: Path) -> None:
    """Compare the sdist with the checkout and the wheel with the sdist: no file is missing, none is stray."""
    shipped = set(files(source))
    if (HERE / ".git").exists():
        listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], folder=HERE, capture=True)
        tracked = {name for name in listed.splitlines() if (HERE / name).exists()}
        expect("the sdist's files", shipped, tracked | {"PKG-INFO"})
    package = {name for name in shipped if name.startswith("mizzle_async/")}
    information = f"mizzle_async-{PROJECT['version']}.dist-info"
    described = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    with zipfile.ZipFile(wheel) as archive:
        expect("the wheel's files", set(archive.namelist()), package | {f"{information}/{name}" for name in described})
    expect(
        "the marker of types", sorted(name for name in package if name.endswith(".typed")), ["mizzle_async/py.typed"]
    )


def files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, by their names within it."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def metadata(wheel: Path) -> Message:
    """Read the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(f"mizzle_async-{PROJECT['version']}.dist-info/METADATA"))


def check_metadata(stated: Message) -> None:
    """Compare the metadata with what a reader of the package index needs."""
    expect("the Pythons", stated["Requires-Python"], f">={PYTHONS[0]}")
    needed = [line for line in stated.get_all("Requires-Dist", []) if "extra ==" not in line]
    expect("the dependencies", sorted(needed), sorted(PROJECT["dependencies"]))
    labels = {line.split(",")[0] for line in stated.get_all("Project-URL", [])}
    expect("the labels of the links", labels, set(PROJECT["urls"]))
    expect("the licence", stated["License-Expression"], "MIT")
    expect("the authors", stated["Author"], ", ".join(author["name"] for author in PROJECT["authors"]))


def check_engine_locks(target: Path) -> None:
    """Check that every lock of an engine has wheels for every supported Python, by today's index."""
    options = [
        "--quiet",
        "--system-certs",
        "--dry-run",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
        target,
    ]
    for lock in sorted(HERE.glob("mizzle_async/testing/locks/*.lock")):
        for python in PYTHONS:
            run(["uv", "pip", "install", *options, "--python-version", python, "-r", lock])


EXTRAS = "cli,demo,arrow,otel,cursors,ion,speed,zstd"
"""Everything that the unit tests use, as `noxfile.py` installs it for them."""


def use_alone(environment: Environment, wheel: Path, source: Path) -> None:
    """Install the wheel only, run the first page on a fresh engine, then the unit tests of the sdist."""
    environment.install(wheel)
    environment.run("-W", "error", HERE / ".ci" / "first_page.py", source / "README.md")
    environment.run("-c", START_LOCAL)
    environment.install(f"{wheel}[{EXTRAS}]", group=f"{source / 'pyproject.toml'}:test")
    environment.run("-m", "pytest", "-q", "tests/unit", folder=source)


def use_beside_aioboto3(environment: Environment, wheel: Path, source: Path) -> None:
    """Install the wheel and aioboto3 in one command: both in their newest versions, both at work in one process."""
    environment.install(wheel, "aioboto3")
    expect("aioboto3 beside us", environment.version("aioboto3"), environment.newest("aioboto3"))
    expect("our version", environment.version("mizzle-async"), PROJECT["version"])
    environment.run("-W", "error", HERE / ".ci" / "beside_aioboto3.py")
    environment.install(f"{wheel}[{EXTRAS}]", group=f"{source / 'pyproject.toml'}:test")
    sessions = sorted(path.relative_to(source) for path in source.glob("tests/wire/test_session*.py"))
    environment.run("-m", "pytest", "-q", *SESSION_TESTS, *sessions, folder=source)


def expect(subject: str, actual: object, expected: object) -> None:
    """End with a message unless both are the same."""
    if actual != expected:
        difference = f"\n  differing: {sorted(actual ^ expected)}" if isinstance(actual, set) else ""
        sys.exit(f"package: {subject}: expected {expected!r}, got {actual!r}{difference}")


def run(
    command: list[str | Path],
    *,
    settings: dict[str, str] | None = None,
    folder: Path | None = None,
    capture: bool = False,
) -> str:
    """Run a command and return its output if asked for; a failure ends this program."""
    print("package:", *(str(part).replace("\n", "; ") for part in command), flush=True)
    done = subprocess.run(
        command, check=False, env=settings, cwd=folder, text=True, stdout=subprocess.PIPE if capture else None
    )
    if done.returncode:
        sys.exit(f"package: the command above failed with status {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() / "package")
