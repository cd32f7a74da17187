"""Everything that is run on this checkout: `python3 noxfile.py --list` names it, `-s NAME` runs one.

Needs Python 3.11 or newer and this checkout only. Where nox is not installed, this file makes a private environment
with it, below `.nox/`, and runs itself there; where it is, `nox -s NAME` does the same. Every session installs from
`requirements.lock`, hashes checked, just what it needs.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
ENGINE_LOCKS = HERE / "mizzle_async" / "testing" / "locks"
PYTHONS = ("3.11", "3.12", "3.13")


def wanted(*groups: str) -> set[str]:
    """Return the names of the packages in these extras and groups; `run` stands for our own dependencies."""
    content = tomllib.loads((HERE / "pyproject.toml").read_text())
    named = content["dependency-groups"] | content["project"]["optional-dependencies"]
    named["run"] = content["project"]["dependencies"]
    return {canonical(line) for group in groups for line in named[group]} - {"mizzle-async"}


def locked(names: Iterable[str]) -> str:
    """Return the part of the lock that these packages need.

    The lock says of every package what wants it (`# via`), so following it backwards finds all that a package needs.
    A package too few would not go unnoticed: pip refuses to install what has no hash.
    """
    entries = list(lock_entries())
    chosen = set(names)
    while more := {name for name, parents, _ in entries if parents & chosen} - chosen:
        chosen |= more
    return "".join(text for name, _, text in entries if name in chosen)


def lock_entries() -> Iterator[tuple[str, set[str], str]]:
    """Yield each entry of the lock: the package's name, the names of those that want it, the text."""
    for text in re.findall(r"^\w.*\n(?:[ ].*\n)*", LOCK.read_text(), re.MULTILINE):
        comments = re.findall(r"^ +# (?:via)? *(\S+)", text, re.MULTILINE)
        yield canonical(text), {canonical(parent) for parent in comments if parent != "via"}, text


def canonical(requirement: str) -> str:
    """Return the normalised name of the package that a requirement starts with."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def private_python() -> Path:
    """Return the interpreter of an environment with nox in it, made on first use."""
    requirements = locked(wanted("nox"))
    identity = hashlib.sha256(f"{requirements}{sys.version}{sys.base_prefix}".encode()).hexdigest()[:12]
    folder = HERE / ".nox" / f"bootstrap-{identity}"
    if not folder.exists():
        if importlib.util.find_spec("ensurepip") is None:
            sys.exit(
                "noxfile.py makes itself an environment with Python's own venv and pip, and this Python lacks them.\n"
                "Install them (Debian and Ubuntu: apt install python3-venv), or install nox, and run this again."
            )
        print("noxfile.py: nox is not installed; making a private environment with it", flush=True)
        folder.parent.mkdir(exist_ok=True)
        # Made aside and renamed: two runs at once do not see each other's half.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="bootstrap-") as scratch:
            made = Path(scratch) / "environment"
            (Path(scratch) / "requirements.txt").write_text(requirements)
            pip = [made / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            subprocess.run([sys.executable, "-m", "venv", made], check=True)
            subprocess.run([*pip, "install", "--require-hashes", "-r", f"{scratch}/requirements.txt"], check=True)
            if not folder.exists():
                made.rename(folder)
    return folder / "bin" / "python"


if __name__ == "__main__":
    python = sys.executable if importlib.util.find_spec("nox") else str(private_python())
    os.execv(python, [python, "-m", "nox", "--noxfile", __file__, *sys.argv[1:]])  # noqa: S606 - itself, under nox

import nox  # there now: either it was installed, or this runs in the private environment

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
# nox would reuse an environment that another Python made, and test that one.
nox.options.envdir = f".nox/{sys.version_info.major}.{sys.version_info.minor}"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests"]


def install(session: nox.Session, *groups: str, package: bool = True) -> None:
    """Install extras and groups from the lock and, unless told otherwise, this package as its users get it."""
    requirements = Path(session.create_tmp()) / "requirements.txt"
    requirements.write_text(locked(wanted(*groups, *(["run", "build"] if package else []))))
    session.install("--quiet", "--require-hashes", "-r", str(requirements))
    if package:
        session.install("--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall", ".")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job: 28,000 airports into the embedded engine and back (arguments after `--` go to it)."""
    install(session, "cli", "demo")
    session.run("mizzle-async", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on this Python, with the coverage gate; arguments after `--` go to pytest, without coverage."""
    run_tests(session)


@nox.session(python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported Python that must be there: 3.11, 3.12 and 3.13."""
    run_tests(session)


def run_tests(session: nox.Session) -> None:
    """Run pytest on the installed package; all tests measure branches, and are held to the gate in pyproject.toml."""
    install(session, "cli", "demo", "otel", "cursors", "speed", "test")
    settings = {
        "COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage"),
        "PYTHONSAFEPATH": "1",  # the installed package, not the checkout
    }
    if session.posargs:
        session.run("pytest", *session.posargs, env=settings)
        return
    session.run("coverage", "erase", env=settings)
    session.run("coverage", "run", "-m", "pytest", env=settings)
    session.run("coverage", "combine", "--quiet", env=settings)
    session.run("coverage", "report", env=settings)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, the README and the guide: mypy and pyright, both strict; the public API whole."""
    install(session, "cli", "demo", "otel", "cursors", "speed", "test", "typing")
    settings = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # it would ask the package index for a newer version
    session.run("mypy")
    session.run("pyright", env=settings)
    session.run("pyright", "--verifytypes", "mizzle_async", "--ignoreexternal", env=settings)
    pages = Path(session.create_tmp()) / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    for page in (HERE / "README.md", *sorted((HERE / "mizzle_async" / "guide").glob("*.md"))):
        (pages / f"{page.stem.replace('-', '_').lower()}_page.py").write_text(page_program(page))
    session.run("mypy", str(pages))
    session.run("pyright", str(pages), env=settings)


def page_program(page: Path) -> str:
    """Return the Python of a page as one program: its imports, then the rest in a function, which may await.

    A line whose comment says `type error` must be one: ignoring it where there is none is an error for both checkers.
    """
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("# type error", "# type: ignore[arg-type]  # type error").splitlines()
    imports = [line for line in lines if re.match(r"from|import", line)]
    settings = [
        '# mypy: disable-error-code="unused-awaitable"',  # some lines are there to be looked at
        "# pyright: reportUnusedExpression=false, reportUnusedVariable=false, reportUnusedFunction=false",
        "# pyright: reportUnnecessaryTypeIgnoreComment=true",
    ]
    body = [f"    {line}" for line in lines if line not in imports]
    return "\n".join([*settings, *imports, "", "", "async def page() -> None:", "    pass", *body, ""])


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff; `-- --fix` mends what can be mended."""
    install(session, "lint", package=False)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--diff"]))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks, or those in the folders of benchmarks/ that are named after `--`."""
    install(session, "cli", "demo", "speed", "test")
    for folder in session.posargs or sorted(script.parent.name for script in HERE.glob("benchmarks/*/run.py")):
        session.run("python", f"benchmarks/{folder}/run.py")


@nox.session
def lock(session: nox.Session) -> None:
    """Choose versions anew (`-- --upgrade`, or after a change of dependencies) and write the locks with hashes."""
    install(session, "lock", package=False)
    options = ["--quiet", "--universal", "--generate-hashes", "--python-version", PYTHONS[0], "--no-header"]
    options += ["--no-emit-index-url", "--no-emit-find-links", *session.posargs]
    groups = tomllib.loads((HERE / "pyproject.toml").read_text())["dependency-groups"]
    named = [option for group in groups for option in ("--group", group)]
    session.run("uv", "pip", "compile", *options, "--all-extras", *named, "pyproject.toml", "--output-file", str(LOCK))
    for engine_lock in sorted(ENGINE_LOCKS.glob("*.lock")):
        source = Path(session.create_tmp()) / "name.in"
        source.write_text(f"{engine_lock.stem}\n")
        session.run("uv", "pip", "compile", *options, "--no-annotate", str(source), "--output-file", str(engine_lock))


@nox.session(default=False, venv_backend="none")
def clean(session: nox.Session) -> None:
    """Remove what the sessions made in this checkout; the engines in the user's cache stay."""
    for path in (".nox", ".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"):
        shutil.rmtree(HERE / path, ignore_errors=True)
    session.log("removed; the engines' cache is kept (mizzle-async local --help says where it is)")
