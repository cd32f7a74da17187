"""The guide on a terminal."""

import os
import pty
import subprocess
import sys


def test_a_page_on_a_terminal_is_laid_out():
    """On a terminal, headings and tables are drawn, and no Markdown sign of them is left."""
    command = [sys.executable, "-c", "from mizzle_async.cli import main; main()", "guide", "shell"]
    own, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=its, stderr=its, stdin=its, env=environment) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                part = os.read(own, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(own)
    assert process.returncode == 0
    text = shown.decode()
    assert "The shell" in text
    assert "\x1b[" in text
    assert "| --- |" not in text
    assert "## " not in text
