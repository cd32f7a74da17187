"""The measured process of the import: it makes 60 entities, each in a table of its own or all in one. Run by `run.py`.

Run: ``python modules.py plain`` or ``python modules.py shared``. It prints CPU milliseconds.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType

import mizzle_async

ENTITIES = 60

HEADER = "from mizzle_async import Attribute, PartitionKey, SharedTable, SortKey, attribute, entity\n"
TABLE = 'APP = SharedTable("app", partition_key="PK", sort_key="SK")\n'
ENTITY = """
@entity({arguments})
class Entity{number}:
    owner_id: PartitionKey[str]
    entity_id: SortKey[str]
    title: Attribute[str]
    amount: Attribute[int] = attribute(default=0)
"""


def source(way: str) -> str:
    """Return the module: two key attributes and two others in each class."""
    keys = 'APP, partition_key="OWNER#{{owner_id}}", sort_key="ENTITY{number}#{{entity_id}}"'
    arguments = '"table-{number}"' if way == "plain" else keys
    made = (ENTITY.format(arguments=arguments.format(number=number), number=number) for number in range(ENTITIES))
    return HEADER + TABLE + "".join(made)


def main() -> None:
    """Run the module, whose compilation Python keeps from one process to the next, and print the time."""
    code = compile(source(sys.argv[1]), "entities.py", "exec", dont_inherit=True)
    module = sys.modules["entities"] = ModuleType("entities")
    _ = mizzle_async.SharedTable, mizzle_async.entity, mizzle_async.attribute  # imported when first asked for
    begun = time.process_time()
    exec(code, vars(module))  # noqa: S102  (its own text)
    print((time.process_time() - begun) * 1000)


main()
