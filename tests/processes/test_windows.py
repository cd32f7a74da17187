"""Windows, simulated: a process whose standard library has none of the POSIX-only parts."""

import subprocess
import sys
import textwrap

SIMULATION = """
    import importlib.abc, os, select, signal, sys

    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name in {"fcntl", "grp", "pwd", "resource", "termios", "tty"}:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    import asyncio, subprocess  # they choose by sys.platform, which stays: they may use POSIX
    for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Absent())
    for name in ("fork", "killpg", "pread", "register_at_fork"):
        delattr(os, name)
    for module, name in ((select, "poll"), (select, "epoll"), (signal, "SIGHUP"), (signal, "SIGKILL")):
        delattr(module, name)
"""


def run(program):
    """Run a program where POSIX is absent, warnings are errors, and return what it printed."""
    text = textwrap.dedent(SIMULATION) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_testing_imports_without_posix_and_its_engines_refuse_with_advice():
    """Everything of `testing` can be imported; starting an engine is an error that says where it would run."""
    output = run(
        """
        from mizzle_async import testing
        import mizzle_async.testing.plugin
        for engine in (testing.EmbeddedEngine(), testing.DynamoDBLocal()):
            try:
                engine.start()
            except testing.EngineError as error:
                print(error)
        """
    )
    assert [line.partition(":")[0] for line in output.splitlines()] == [
        "embedded needs a POSIX system to start and stop its processes",
        "dynamodb-local needs a POSIX system to start and stop its processes",
    ]


def test_calls_need_no_posix():
    """A client calls, and calls again on the connection that has idled, where POSIX is absent."""
    output = run(
        """
        import asyncio
        from mizzle_async import Attribute, Client, PartitionKey, entity
        from mizzle_async.testing import Reply, ScriptedServer

        @entity("notes")
        class Note:
            id: PartitionKey[str]
            text: Attribute[str]

        async def main():
            loop = asyncio.get_running_loop()
            clock = loop.time
            async with ScriptedServer(then=Reply({"Item": {"id": {"S": "a"}, "text": {"S": "b"}}})) as server:
                async with Client(endpoint_url=server.url, region_name="x", credentials=("a", "b")) as client:
                    for number in range(3):
                        loop.time = lambda idle=number: clock() + idle
                        note = await client.table(Note).get(id="a")
                        print(note.text)
                print(len({request.connection for request in server.requests}), "connection")

        asyncio.run(main())
        """
    )
    assert output.splitlines() == ["b", "b", "b", "1 connection"]
