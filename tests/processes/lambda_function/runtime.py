"""Lambda's runtime: it loads the function, and passes it one event after another, a line of JSON each.

Beside events it takes what happens to an execution environment: the clock that has jumped during a freeze, and the
restore of a snapshot in another environment.
"""

import json
import os
import sys
import time

import function
import snapshot_restore_py


def jump(seconds: float) -> None:
    """Set the wall clock forward, as its correction after a freeze does; the steady one has stood still."""
    real = time.time
    time.time = lambda: real() + seconds


def restore(environment: dict[str, str]) -> None:
    """Begin to live in another environment: with its variables, and with the hooks of the restore."""
    os.environ.update(environment)
    for hook, arguments, keywords in snapshot_restore_py.get_after_restore():
        hook(*arguments, **keywords)


for number, line in enumerate(sys.stdin):
    message = json.loads(line)
    if "jump" in message:
        answer = jump(message["jump"])
    elif "restore" in message:
        answer = restore(message["restore"])
    elif "open" in message:
        answer = function.handler.open()
    else:
        answer = function.handler(message["event"], {"request": f"r{number}"})
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()
