"""The guide's page of the shell: its commands run in order, and print what it shows."""

import re
import subprocess
import sys
from pathlib import Path

import mizzle_async

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


def test_commands_print_what_the_page_shows(shell):
    """Every line that the page shows below a command is printed by it, and no command ends in a traceback."""
    if not shell.engine.name.startswith("embedded"):
        return  # the order of items and the units are the embedded engine's
    script = shell.folder / "bin" / "mizzle-async"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'from mizzle_async.cli import main; main()' \"$@\"\n")
    script.chmod(0o755)
    environment = shell.environment | {"PATH": f"{script.parent}:{shell.environment['PATH']}"}
    (shell.folder / "work").mkdir()
    listed = list(commands())
    assert len(listed) > 30
    program = "".join(f"{command}\necho '{MARK}'\n" for command, _ in listed)
    done = subprocess.run(
        ["/bin/bash"],
        input=program,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=shell.folder / "work",
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
