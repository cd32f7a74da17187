"""The imports of a fresh process: which ones there are, when, and in which thread."""

import asyncio
import os
import subprocess
import sys

import pytest

from mizzle_async.testing.replies import Reply
from mizzle_async.testing.server import ScriptedServer

ISSUED = {"AccessKeyId": "AKBOX", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}
ITEM = Reply({"Item": {"a": {"S": "b"}}})
KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_import_brings_neither_botocore_nor_aiohttp():
    """Importing the package is cheap: what takes long is imported when a client opens."""
    heavy = ["botocore", "aiobotocore", "aiohttp", "cryptography"]
    program = f"import sys, mizzle_async; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_converter_cattrs_is_not_imported():
    """The library imports cattrs for nobody who does not bring a converter."""
    source = "import sys, mizzle_async.marshalling as m; m.Marshaller(); print('cattrs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_worker_of_the_shell_imports_what_reads():
    """It has no options to parse and no frame to make, and its client opens without the rules of botocore."""
    heavy = ["click", "rich", "pyarrow", "cattrs", "botocore", "aiobotocore", "urllib.request"]
    program = f"""
import asyncio, sys
from mizzle_async.bulk.workers.worker import main
from mizzle_async.cli.worker_connect import WorkerConnect
from mizzle_async.handles.with_workers import perform

async def open_one():
    async with WorkerConnect("http://127.0.0.1:9", None, "eu-west-1", 10.0)():
        print([name for name in {heavy} if name in sys.modules])

asyncio.run(open_one())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **KEYS}
    )
    assert done.stdout.strip() == "[]"


WHERE = """
import asyncio, ssl, sys, threading
from mizzle_async import Client

noted = set()

def note(what):
    noted.add((what, threading.current_thread() is threading.main_thread()))

def watch(event, arguments):
    if event == "import" and arguments[0].partition(".")[0] in {"aiobotocore", "botocore"}:
        note("import")
    if event == "open" and "service-2.json" in str(arguments[0]):
        note("service model")

def watched(load):
    def noting(self, *arguments, **options):
        note("authorities")
        load(self, *arguments, **options)

    return noting

async def main():
    async with Client(region_name="eu-west-1", credentials=("a", "b")):
        pass

sys.addaudithook(watch)
ssl.SSLContext.load_default_certs = watched(ssl.SSLContext.load_default_certs)
ssl.SSLContext.load_verify_locations = watched(ssl.SSLContext.load_verify_locations)
asyncio.run(main())
print(sorted(noted))
"""


@pytest.mark.parametrize(
    ("environ", "noted"),
    [
        ({}, ["authorities"]),
        ({"AWS_DEFAULTS_MODE": "legacy"}, ["authorities", "import", "service model"]),
        ({"AWS_CONFIG_FILE": __file__}, ["authorities", "import", "service model"]),
    ],
    ids=["short", "long", "file"],
)
def test_what_takes_long_is_done_in_a_thread(tmp_path, environ, noted):
    """In a fresh process, whatever opening takes is imported and read off the loop's thread; the short way is short."""
    if "AWS_CONFIG_FILE" in environ:
        (tmp_path / "config").write_text("[default]\n")
        environ = {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-c", WHERE], check=True, capture_output=True, text=True, env=os.environ | environ
    )
    assert done.stdout.strip() == str([(what, False) for what in noted])


FRESH = """
import asyncio, sys
from mizzle_async import Client

async def main():
    async with Client(endpoint_url=sys.argv[1]) as client:
        print(await client.table("orders", partition_key="a").get("b"))

asyncio.run(main())
print(sorted({name.partition(".")[0] for name in sys.modules} & {"aiobotocore", "aiohttp", "boto3", "botocore"}))
"""


@pytest.mark.parametrize("holder", ["environment", "container", "long"])
async def test_a_fresh_process_imports_botocore_only_where_it_is_needed(tmp_path, holder):
    """With environment or container credentials the first answer comes without botocore, aiobotocore and aiohttp."""
    async with ScriptedServer(then=Reply(ISSUED)) as box, ScriptedServer(then=ITEM) as server:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environ |= {"AWS_REGION": "eu-west-1", "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
        environ |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": box.url} if holder == "container" else KEYS
        environ |= {"AWS_DEFAULTS_MODE": "legacy"} if holder == "long" else {}
        command = [sys.executable, "-c", FRESH, server.url]
        done = await asyncio.to_thread(subprocess.run, command, env=environ, check=True, capture_output=True, text=True)
    answer, imported = done.stdout.splitlines()
    assert answer == "{'a': 'b'}"
    assert imported == ("[]" if holder != "long" else "['aiobotocore', 'aiohttp', 'botocore']")


def test_pydantic_is_imported_by_pydantic_alone():
    """Entities, clients and JSON bring no Pydantic: it is there where a program imports it."""
    source = (
        "import sys, mizzle_async as m\n"
        "@m.entity('orders')\n"
        "class Order:\n    id: m.PartitionKey[str] = m.attribute(default='1')\n"
        "order = m.from_json('{}', Order)\n"
        "m.to_json(order), m.Client().table(Order), m.path(Order, lambda one: one.id)\n"
        "print('pydantic' in sys.modules, hasattr(Order, '__get_pydantic_core_schema__'))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
