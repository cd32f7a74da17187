"""What PartiQL can say to DynamoDB, and what it cannot: statements, and the answers of DynamoDB Local."""

from __future__ import annotations

from attrs import frozen

from mizzle_async.testing import Engine, EngineError

TABLE = {
    "TableName": "abilities",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}

QUESTIONS = {
    "several partitions in one statement": "SELECT * FROM abilities WHERE pk IN ['a', 'b']",
    "a filter without a key (reads the whole table, unasked)": "SELECT * FROM abilities WHERE n = 1",
    "descending order of the sort key": "SELECT * FROM abilities WHERE pk = 'a' ORDER BY sk DESC",
    "order of another attribute": "SELECT * FROM abilities WHERE pk = 'a' ORDER BY n",
    "LIMIT": "SELECT * FROM abilities WHERE pk = 'a' LIMIT 1",
    "COUNT": "SELECT COUNT(*) FROM abilities WHERE pk = 'a'",
    "SUM": "SELECT SUM(n) FROM abilities WHERE pk = 'a'",
    "JOIN": "SELECT * FROM abilities one, abilities other",
    "UPDATE of one item": "UPDATE abilities SET n = n + 1 WHERE pk = 'a' AND sk = 1",
    "UPDATE that creates (upsert)": "UPDATE abilities SET n = 1 WHERE pk = 'none' AND sk = 1",
    "INSERT that replaces (put)": "INSERT INTO abilities VALUE {'pk': 'a', 'sk': 1}",
    "UPDATE of several items": "UPDATE abilities SET n = 1 WHERE pk = 'a'",
    "DELETE of several items": "DELETE FROM abilities WHERE pk = 'a'",
}
"""What one may want, and how it would be said."""


@frozen
class Ability:
    """One question and its answer.

    Attributes:
        wish: What one may want.
        statement: How it would be said.
        answer: ``yes``, or the engine's words.
    """

    wish: str
    statement: str
    answer: str


def abilities(engine: Engine) -> list[Ability]:
    """Ask an engine everything."""
    engine.call("CreateTable", TABLE)
    for number in range(3):
        item = {"pk": {"S": "a"}, "sk": {"N": str(number)}, "n": {"N": str(number)}}
        engine.call("PutItem", {"TableName": "abilities", "Item": item})
    found: list[Ability] = []
    for wish, statement in QUESTIONS.items():
        try:
            engine.call("ExecuteStatement", {"Statement": statement})
        except EngineError as error:
            found.append(Ability(wish, statement, str(error).rpartition('essage":"')[2].rstrip('"}')))
        else:
            found.append(Ability(wish, statement, "yes"))
    return found
