"""A new user's first day, by the findings of one: what stood in the way does so no more."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from mizzle_async import (
    Attribute,
    Client,
    ClientStateError,
    CredentialsError,
    ExpressionError,
    LimitError,
    PartitionKey,
    ResourceNotFoundError,
    SharedTable,
    SortKey,
    UnawaitedOperationWarning,
    attribute,
    entity,
    evolve,
    from_json,
    to_json,
)
from mizzle_async.integrations.aws_lambda import lambda_handler
from mizzle_async.testing import DynamoDBLocal, StubCaller, Tables

README = Path(__file__).parents[2] / "README.md"


@entity("tasks")
class Task:
    tenant_id: PartitionKey[str]
    task_id: SortKey[UUID] = attribute(factory=uuid4)
    title: Attribute[str]
    price: Attribute[Decimal] = attribute(default=Decimal(0))
    tags: Attribute[set[str]] = attribute(factory=set)
    done: Attribute[bool] = attribute(default=False)


APP = SharedTable("first-day", partition_key="PK", sort_key="SK")


@entity(APP, partition_key="USER#{user_id}", sort_key="PROFILE")
class User:
    user_id: PartitionKey[str]
    name: Attribute[str]


@entity(APP, partition_key="USER#{user_id}", sort_key="POST#{number}")
class Post:
    user_id: PartitionKey[str]
    number: SortKey[int]
    title: Attribute[str]


TASK = Task(tenant_id="a", title="first", price=Decimal("1.50"), tags={"x"})


def test_1_a_client_of_a_module_is_opened_by_every_run() -> None:
    """One client serves one event loop after another, as the tests of an application and its runs have them."""
    client = Client(caller=StubCaller({"GetItem": {}}))
    tasks = client.table(Task)

    async def run() -> object:
        async with client:
            return await tasks.get(TASK)

    assert [asyncio.run(run()) for _ in range(3)] == [None] * 3


async def test_2_an_entity_is_a_body_a_response_and_json() -> None:
    """No second class is written for FastAPI, and JSON comes and goes by the declared types."""
    app = FastAPI()

    @app.post("/tasks")
    async def create(task: Task) -> Task:
        return task

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as web:
        answer = await web.post("/tasks", content=to_json(TASK), headers={"Content-Type": "application/json"})
    assert (answer.status_code, from_json(answer.text, Task)) == (200, TASK)
    assert app.openapi()["components"]["schemas"]["Task-Output"]["properties"]["title"] == {
        "type": "string",
        "title": "Title",
    }


def test_3_a_lambda_function_keeps_its_client() -> None:
    """An asynchronous function answers invocations on one loop, with one opening of its client."""
    client = Client(caller=StubCaller({"GetItem": {}}))
    loops = set()

    @lambda_handler(client)
    async def handler(event: str, context: object) -> str:
        loops.add(asyncio.get_running_loop())
        return repr(await client.table(Task).get(tenant_id=event, task_id=TASK.task_id))

    assert [handler("a", None), handler("b", None)] == ["None", "None"]
    assert len(loops) == 1
    handler.close()


async def test_4_several_entities_share_a_table(client: Client, tables: Tables) -> None:
    """Entities of one partition are read together, each as its own class, and one of them alone."""
    users, posts = await tables(User, Post)
    await users.put(User(user_id="u1", name="Ann"))
    await posts.put(Post(user_id="u1", number=7, title="Hello"))
    both = await client.collection(User, Post).query(User.user_id == "u1").all()
    assert {type(item) for item in both} == {User, Post}
    assert await users.scan().all() == [User(user_id="u1", name="Ann")]


async def test_5_reports_of_bulk_changes_count_their_writes(dynamodb_local: DynamoDBLocal) -> None:
    """A rewrite and a deletion by condition report the units of their reads and of their writes."""
    async with Client(
        endpoint_url=dynamodb_local.endpoint_url,
        region_name=dynamodb_local.region_name,
        credentials=dynamodb_local.credentials,
        table_prefix=f"{uuid4().hex}-",
    ) as client:
        await client.ensure_tables(Task)
        tasks = client.table(Task)
        await tasks.put_many(Task(tenant_id="a", title=f"{number:03}") for number in range(200))
        rewritten = await tasks.scan().rewrite(lambda task: evolve(task, done=True))
        deleted = await tasks.scan().delete_where(Task.title >= "100")
        await client.delete_table(Task)
    assert (rewritten.written, rewritten.write_units >= 200, rewritten.read_units > 0) == (200, True, True)
    assert (deleted.written, deleted.write_units >= 100, deleted.read_units > 0) == (100, True, True)


async def test_6_the_tour_stays_on_this_machine_and_a_client_says_where_it_is(client: Client) -> None:
    """The README's first lines name an engine of their own; the repr of a client names region and host."""
    first_block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert first_block is not None
    assert "EmbeddedEngine" in first_block[1]
    assert "endpoint_url=" in first_block[1]
    assert re.search(r"us-east-1 at 127\.0\.0\.1:\d+", repr(client))


async def test_7_tasks_take_what_send_returns(client: Client, tables: Tables) -> None:
    """A TaskGroup takes `operation.send()`, and the warning after `create_task(operation)` names it."""
    tasks = await tables(Task)
    async with asyncio.TaskGroup() as group:
        group.create_task(tasks.put(TASK).send())
        counting = group.create_task(client.table(Task).scan().count())
    assert counting.result() in {0, 1}

    def mistake():
        with pytest.raises(TypeError, match="a coroutine was expected"):
            asyncio.create_task(tasks.get(TASK))  # noqa: RUF006  (it is none)
        gc.collect()

    with pytest.warns(UnawaitedOperationWarning, match=r"`create_task\(operation\.send\(\)\)`"):
        mistake()


async def test_8_keys_are_checked_by_name_and_type(tables: Tables) -> None:
    """A key is written as equalities, which type checkers follow; a wrong one is refused before it is sent."""
    tasks = await tables(Task)
    await tasks.put(TASK)
    assert await tasks.get(Task.tenant_id == "a", Task.task_id == TASK.task_id) == TASK
    assert await tasks.get_many([tasks.key(tenant_id="a", task_id=TASK.task_id)]) == [TASK]
    for wrong in ({"tenant": "a", "task_id": TASK.task_id}, {"tenant_id": "a"}, {}):
        with pytest.raises(ExpressionError, match="tenant_id"):
            tasks.get(**wrong)


async def test_9_each_test_has_tables_of_its_own(client: Client, tables: Tables) -> None:
    """The fixtures of the plugin give an open client and empty tables, though other tests here fill theirs."""
    tasks = await tables(Task)
    assert await tasks.scan().count() == 0
    assert tasks.name.endswith("-tasks")
    assert client.table(Task).name == tasks.name


async def test_11_a_missing_table_is_named_with_place_and_remedy(client: Client) -> None:
    """The commonest error says which table is missing where, and what creates it, once."""
    with pytest.raises(ResourceNotFoundError) as caught:
        await client.table(Task).get(TASK)
    text = str(caught.value)
    assert re.search(r"table 't\w+-tasks' does not exist in us-east-1 at 127\.0\.0\.1:\d+", text)
    assert "ensure_tables(Task)" in text
    assert "ResourceNotFound" not in text


async def test_13_a_prompt_shows_pages_and_operations(tables: Tables) -> None:
    """A page shows its items and whether there are more; an operation that was shown does not warn later."""
    tasks = await tables(Task)
    await tasks.put_many(Task(tenant_id="a", title=f"{number}") for number in range(4))
    page = await tasks.query(Task.tenant_id == "a").page(max_items=2)
    assert repr(page).count("Task(tenant_id='a'") == 2
    assert "cursor='" in repr(page)
    assert "<table>" in page._repr_html_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "GetItem" in repr(tasks.get(TASK))
        gc.collect()


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda tasks: tasks.query(tenant_id="a"), r"write `Task\.tenant_id == value`"),
        (lambda tasks: tasks.get("a", "b"), r"give the key by name, \(tenant_id=…, task_id=…\)"),
        (lambda tasks: tasks.update(TASK).set(name="x"), r'`\.set\(\{"name": value\}\)`'),
        (lambda _: Task.title.is_in("a", "b"), r"one collection, `Task\.title\.is_in\(\[…\]\)`"),
        (lambda tasks: tasks.query(Task.tenant_id == "a", limit=5), r"did you mean max_items=\?"),
        (lambda _: Client(region="eu-west-1"), r"did you mean region_name=\?"),
    ],
)
def test_14_plain_type_errors_name_the_right_line(mistake: Any, sentence: str) -> None:
    """A wrong argument is explained by the line that is right."""
    with pytest.raises((ExpressionError, TypeError), match=sentence):
        mistake(Client().table(Task))


async def test_14_one_mistake_has_one_message(client: Client) -> None:
    """`and` between conditions raises, and the half-built write does not warn as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="Combine conditions with &"):
            client.table(Task).update(TASK).set(Task.title, "c").when(Task.title == "a" and Task.title == "b")
        gc.collect()


async def test_14_an_endpoint_without_a_scheme_is_told_so() -> None:
    """`localhost:8000` says that http:// is missing."""
    client = Client(endpoint_url="localhost:8000", region_name="us-east-1", credentials=("a", "b"))
    with pytest.raises(ClientStateError, match=r"'localhost:8000' has no scheme: write http:// or https://"):
        await client.open()


async def test_14_no_credentials_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """The error is all there is: nothing is logged beside it."""
    caplog.set_level(logging.INFO)
    async with Client(region_name="us-east-1") as client:
        with pytest.raises(CredentialsError, match="no AWS credentials were found"):
            await client.table(Task).get(TASK)
    assert caplog.records == []


def test_14_a_table_name_is_checked_here() -> None:
    """A name of one character is refused before anything is sent."""
    with pytest.raises(LimitError, match="'x' is not a table name"):
        Client().table("x", partition_key="pk")


async def test_14_an_unknown_operation_is_named() -> None:
    """An operation of the control plane that botocore does not know is our own error."""
    async with Client(region_name="us-east-1", credentials=("a", "b")) as client:
        with pytest.raises(ClientStateError, match="FooBar is unknown to botocore"):
            await client.control("FooBar", {})


async def test_14_a_patch_takes_a_dict(tables: Tables) -> None:
    """`.set({…})` sets attributes by name, checked."""
    tasks = await tables(Task)
    await tasks.put(TASK)
    assert (await tasks.update(TASK).set({"title": "second", "done": True})).title == "second"
    with pytest.raises(ExpressionError, match="colour"):
        tasks.update(TASK).set({"colour": "red"})
