"""Every command of this checkout: `python3 noxfile.py --list` names them, `-s NAME` runs one.

Needs Python 3.11 or newer on a POSIX system, and this checkout only. Where nox is not installed, this file makes a
private environment with it, below `.nox/`, and runs itself there; where it is, `nox -s NAME` does the same.
Every session installs just the packages that it needs, from `requirements.lock`, hashes checked.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
GROUPS = PROJECT["dependency-groups"] | PROJECT["project"]["optional-dependencies"]
GROUPS["run"] = PROJECT["project"]["dependencies"]

LOCK = HERE / "requirements.lock"
ENGINE_LOCKS = HERE / "mizzle_async" / "testing" / "locks"
OTHER_LOCKS = HERE / ".ci" / "locks"
# Other versions to test with, and uv's arguments that choose them. Their locks hold only the entries that differ.
OTHER_VERSIONS = {
    "lowest": ["--resolution", "lowest-direct", "--upgrade"],
    "aiobotocore-3.0": ["--upgrade-package", "aiobotocore==3.0.*"],
    "spark-3.5": ["--group", "pyspark", "--upgrade-package", "pyspark==3.5.*", "--upgrade-package", "pandas==2.*"],
}

INTERPRETERS = HERE / ".nox" / "interpreters"
EXTRAS = ("cli", "demo", "arrow", "otel", "cursors", "ion", "speed", "zstd")


def wanted(*groups: str) -> set[str]:
    """Return the names of the packages in these extras and groups; `run` stands for our own dependencies."""
    return {canonical(line) for group in groups for line in GROUPS[group]} - {"mizzle-async"}


def locked(names: Iterable[str], *others: Path) -> str:
    """Return the part of the lock that these packages need; entries of the other locks replace its own.

    The lock names, for every package, the packages that require it (`# via`). Followed backwards, that is everything
    that a package needs. A missing one would not go unnoticed: pip refuses to install a package without a hash.
    """
    entries: dict[str, list[str]] = {}
    for file in (LOCK, *others):
        entries |= lock_entries(file)
    parents = {name: parents_of("".join(texts)) for name, texts in entries.items()}
    chosen = set(names)
    while more := {name for name in entries if parents[name] & chosen} - chosen:
        chosen |= more
    return "".join(text for name in sorted(chosen & entries.keys()) for text in entries[name])


def lock_entries(file: Path) -> dict[str, list[str]]:
    """Return the entries of a lock by their package; one may have several, for different platforms or Pythons."""
    entries: dict[str, list[str]] = {}
    for text in re.findall(r"^\w.*\n(?:[ ].*\n)*", file.read_text(), re.MULTILINE):
        entries.setdefault(canonical(text), []).append(text)
    return entries


def parents_of(text: str) -> set[str]:
    """Return the packages that an entry of a lock names as requiring it."""
    return {canonical(name) for name in re.findall(r"^ +# +(?:via +)?(?!via$)(\S+)$", text, re.MULTILINE)}


def same_entry(text: str, ours: str) -> bool:
    """Say whether our lock's entry can stand for another one: the same hashes, and nothing requires it there only."""
    hashes = [re.findall(r"^\w.*|^ +--hash.*", entry, re.MULTILINE) for entry in (text, ours)]
    return hashes[0] == hashes[1] and parents_of(text) <= parents_of(ours)


def canonical(requirement: str) -> str:
    """Return the normalised name of the package that a requirement starts with."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def identity(*parts: object) -> str:
    """Return a short name for these parts and the running interpreter."""
    return hashlib.sha256(repr((parts, sys.version, sys.base_prefix)).encode()).hexdigest()[:12]


def held(lock: Path) -> IO[str]:
    """Lock a file until it is closed or this process ends; wait, with a message, while another run holds it."""
    lock.parent.mkdir(exist_ok=True)
    file = lock.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"noxfile.py: another run in this checkout holds {lock.name}; waiting for its end", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def private_python() -> Path:
    """Return the interpreter of an environment with nox in it, made on first use."""
    requirements = locked(wanted("nox"))
    folder = HERE / ".nox" / f"bootstrap-{identity(requirements)}"
    python = folder / "bin" / "python"
    with held(HERE / ".nox" / "bootstrap.lock"):
        if folder.exists():
            return python
        print("noxfile.py: nox is not installed; making a private environment with it", flush=True)
        for leftover in folder.parent.glob("bootstrap-*.part"):  # of a run that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="bootstrap-", suffix=".part") as scratch:
            made = Path(scratch) / "environment"
            (Path(scratch) / "requirements.txt").write_text(requirements)
            pip = [made / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            if subprocess.run([sys.executable, "-m", "venv", made], check=False).returncode:
                sys.exit(
                    "noxfile.py: Python's own venv failed; it said why above. It needs ensurepip and its wheels\n"
                    "(Debian and Ubuntu: apt install python3-venv). Or install nox, and run this again."
                )
            subprocess.run([*pip, "install", "--require-hashes", "-r", f"{scratch}/requirements.txt"], check=True)
            made.rename(folder)
    return python


if __name__ == "__main__":
    python = sys.executable if importlib.util.find_spec("nox") else str(private_python())
    os.execv(python, [python, "-m", "nox", "--noxfile", __file__, *sys.argv[1:]])  # noqa: S606 - itself, under nox

import nox  # there now: either it was installed, or this runs in the private environment

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests"]
# An environment is used again only by the same interpreter and with the same dependencies. Runs that share
# environments wait for each other; MIZZLE_LANE gives a run environments of its own.
ENVIRONMENTS = HERE / ".nox" / (os.environ.get("MIZZLE_LANE", "") + identity(LOCK.read_text(), GROUPS))
nox.options.envdir = str(ENVIRONMENTS)
if {"-l", "--list", "--list-sessions"}.isdisjoint(sys.argv):
    RUN_LOCK = held(ENVIRONMENTS.with_suffix(".lock"))
os.environ["PATH"] = f"{INTERPRETERS}{os.pathsep}{os.environ['PATH']}"


def install(session: nox.Session, *groups: str, package: bool = True, others: Iterable[Path] = ()) -> None:
    """Install extras and groups from the lock and, unless told otherwise, this package as its users get it."""
    requirements = Path(session.create_tmp()) / "requirements.txt"
    requirements.write_text(locked(wanted(*groups, *(["run", "build"] if package else [])), *others))
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
    install(session, *EXTRAS, "test")
    if session.posargs:
        run_pytest(session, *session.posargs)
        return
    settings = {"COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage"), "PYTHONSAFEPATH": "1"}
    session.run("coverage", "erase", env=settings)
    session.run("coverage", "run", "-m", "pytest", env=settings)
    session.run("coverage", "combine", "--quiet", env=settings)
    session.run("coverage", "report", env=settings)


@nox.session(python=PYTHONS)
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported Python; `-s interpreters` gets those that are not installed."""
    install(session, *EXTRAS, "test")
    run_pytest(session, *session.posargs)


@nox.session
@nox.parametrize("versions", ["lowest", "aiobotocore-3.0"], ids=["lowest", "aiobotocore-3.0"])
def dependencies(session: nox.Session, versions: str) -> None:
    """Run the tests that depend most on other packages, with the lowest versions and with older aiobotocores."""
    install(session, *EXTRAS, "test", others=[OTHER_LOCKS / f"{versions}.lock"])
    sessions = sorted(str(path.relative_to(HERE)) for path in HERE.glob("tests/wire/test_*session*.py"))
    everything = ["tests/unit"] if versions == "lowest" else ["tests/unit/wire", "tests/unit/handles/test_client.py"]
    run_pytest(session, *(session.posargs or [*everything, *sessions, "tests/wire/test_credential_keeper.py"]))


@nox.session
def spark(session: nox.Session) -> None:
    """Run the tests of Spark, with one JVM (needs Java 17 or newer; without it, it says so and does nothing)."""
    run_spark(session)


@nox.session(python="3.11")
def spark_3_5(session: nox.Session) -> None:
    """Run the tests of reading and writing on Spark 3.5 and Python 3.11, as Glue 5 and EMR 7 have them."""
    chosen = "data_frame or query or put or again"
    run_spark(session, "-k", chosen, others=[OTHER_LOCKS / "spark-3.5.lock"])


def run_spark(session: nox.Session, *arguments: str, others: Iterable[Path] = ()) -> None:
    """Install Spark and run its tests."""
    if shutil.which("java") is None:
        session.skip("there is no Java: Spark's tests did not run")
    install(session, *EXTRAS, "test", "pyspark", others=others)
    run_pytest(session, *(session.posargs or ["tests/spark", *arguments]))


def run_pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest on the installed package, not on the checkout."""
    session.run("pytest", *arguments, env={"PYTHONSAFEPATH": "1"})


@nox.session
def package(session: nox.Session) -> None:
    """Build sdist and wheel, check them, and use the wheel as a stranger does: nothing locked, nothing cached."""
    install(session, "build", "release", "lock", package=False)
    session.run("python", ".ci/package.py", session.create_tmp())


@nox.session
def instructions(session: nox.Session) -> None:
    """Count the instructions of every verb and compare them with the recorded ratios (needs valgrind: Linux only)."""
    install(session, "speed")
    session.run("python", "benchmarks/calls/instructions.py", *session.posargs)


@nox.session
def interpreters(session: nox.Session) -> None:
    """Find an interpreter of every supported Python, and valgrind; what is missing comes from Debian's packages."""
    install(session, "interpreters", package=False)
    session.run("python", ".ci/interpreters.py", str(INTERPRETERS), *PYTHONS)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, the README and the guide: mypy and pyright, both strict; the public API whole."""
    install(session, *EXTRAS, "test", "typing")
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
def docs(session: nox.Session) -> None:
    """Build the guide and the reference as a site, check its links, and look at it in a browser if there is one."""
    install(session, "cli", "docs", "test")
    folder = HERE / "build" / "site"
    session.run("python", ".ci/site.py", str(folder))
    settings = {"MIZZLE_SITE": str(folder / "html"), "PYTHONSAFEPATH": "1"}
    session.run("pytest", "--rootdir", ".ci", "-c", os.devnull, ".ci/test_site.py", *session.posargs, env=settings)
    session.log(f"the site is {folder / 'html' / 'index.html'}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format with ruff; `-- --fix` mends what can be mended."""
    install(session, "lint", package=False)
    fix = "--fix" in session.posargs
    if fix:
        session.run("ruff", "format")  # first: the check refuses lines that this would break
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--diff"]))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks, or those in the folders of benchmarks/ that are named after `--`."""
    install(session, "cli", "demo", "cursors", "speed", "test")
    for folder in session.posargs or sorted(script.parent.name for script in HERE.glob("benchmarks/*/run.py")):
        session.run("python", f"benchmarks/{folder}/run.py")


@nox.session
def lock(session: nox.Session) -> None:
    """Choose versions anew (`-- --upgrade`, or after a change of dependencies) and write the locks with hashes."""
    install(session, "lock", package=False)
    scratch = Path(session.create_tmp())
    options = [
        "--quiet",
        "--system-certs",
        "--universal",
        "--generate-hashes",
        "--python-version",
        PYTHONS[0],
        "--no-header",
    ]
    options += ["--no-emit-index-url", "--no-emit-find-links"]

    def compile_lock(target: Path, *arguments: str) -> None:
        session.run("uv", "pip", "compile", *options, *arguments, "--output-file", str(target))

    groups = [option for group in PROJECT["dependency-groups"] for option in ("--group", group)]
    compile_lock(LOCK, "--all-extras", *groups, *session.posargs, "pyproject.toml")
    for engine_lock in sorted(ENGINE_LOCKS.glob("*.lock")):
        source = scratch / "name.in"
        source.write_text(f"{engine_lock.stem}\n")
        compile_lock(engine_lock, "--no-annotate", *session.posargs, str(source))
    for name, choice in OTHER_VERSIONS.items():
        whole = scratch / f"{name}.lock"
        shutil.copy(LOCK, whole)
        compile_lock(whole, "--all-extras", "--group", "build", "--group", "test", *choice, "pyproject.toml")
        entries = lock_entries(LOCK)
        different = [
            text
            for package, texts in lock_entries(whole).items()
            for text in texts
            if not any(same_entry(text, other) for other in entries.get(package, []))
        ]
        (OTHER_LOCKS / f"{name}.lock").write_text("".join(different))


@nox.session(default=False, venv_backend="none")
def clean(session: nox.Session) -> None:
    """Remove everything that the sessions made in this checkout; the engines in the user's cache stay."""
    for path in (".nox", ".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"):
        shutil.rmtree(HERE / path, ignore_errors=True)
    session.log("removed; the engines' cache is kept (mizzle-async local --help says where it is)")
