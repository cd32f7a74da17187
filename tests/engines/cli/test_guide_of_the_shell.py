"""The guide's page of the shell: its commands run in order, and print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mizzle_async
from mizzle_async.testing import EmbeddedEngine

PAGE = Path(mizzle_async.__file__).parent / "guide" / "shell.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "-- end of command"


def commands():
    """Yield each command of the page, with its continuations, and the lines that are shown below it."""
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        command, shown = [], []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield "\n".join(command), shown
                command, shown = [line[2:]], []
            elif line.startswith("> "):
                command.append(line[2:])
            else:
                shown.append(line)
        yield "\n".join(command), shown


def test_commands_print_what_the_page_shows(tmp_path):
    """Every line that the page shows below a command is printed by it, and no command ends in a traceback."""
    script = tmp_path / "bin" / "mizzle-async"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'from mizzle_async.cli import main; main()' \"$@\"\n")
    script.chmod(0o755)
    (tmp_path / "work").mkdir()
    listed = list(commands())
    assert len(listed) > 30
    program = "".join(f"{command}\necho '{MARK}'\n" for command, _ in listed)
    with EmbeddedEngine() as engine:  # one of its own: the page creates tables by name
        done = subprocess.run(
            ["/bin/bash"],
            input=program,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **engine.environment, "PATH": f"{script.parent}:{os.environ['PATH']}"},
            cwd=tmp_path / "work",
            check=True,
        )
    outputs = done.stdout.split(f"{MARK}\n")
    assert "Traceback" not in done.stdout, done.stdout
    other = [
        f"$ {command}\n{output}"
        for (command, shown), output in zip(listed, outputs, strict=False)
        if not all(any(printed.startswith(line) for printed in output.splitlines()) for line in shown)
    ]
    assert other == [], "\n".join(other)
