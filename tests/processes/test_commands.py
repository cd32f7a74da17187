"""The command line as a process: its script, and how it ends."""

import signal
import subprocess
import sys


def test_script_is_installed():
    """`mizzle-async --version` runs from the shell."""
    script = [sys.executable, "-c", "from mizzle_async.cli import main; main()", "--version"]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("mizzle-async, version ")


def test_termination_stops_the_engine_in_order():
    """SIGTERM, as a service manager sends it, ends the command like the interrupt key."""
    program = (
        "import mizzle_async.cli.local as module, threading\n"
        "class Engine:\n"
        "    name = version = endpoint_url = 'x'; environment = {}\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *_): print('engine stopped', flush=True)\n"
        "    def wait(self): print('waiting', flush=True); threading.Event().wait()\n"
        "module.start_engine = lambda name, port: Engine()\n"
        "module.local([])\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "engine stopped\n"
        assert process.wait() == 0
