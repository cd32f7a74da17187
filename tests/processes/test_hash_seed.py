"""Requests that do not depend on the hash seed of their process."""

import os
import subprocess
import sys


def test_compiled_text_does_not_depend_on_the_hash_seed():
    """Processes with different hash seeds compile the same request, byte for byte, sets included."""
    program = """
from mizzle_async.expressions import *
class Order: pass
a, b, tags = (AttributePath(Order, (name,)) for name in ("a", "b", "tags"))
def encode(value, path, facet):
    return {"SS": sorted(value)} if isinstance(value, set) else {"S": str(value)}
checker, compiler = Checker(encode, "Order", key_names={"id", "other"}), Compiler(encode, "Order")
words = {"one", "two", "three", "four", "five"}
print(compiler.condition(checker.condition(a.is_in(words) & (b == 1) | a.contains("x") & (tags == words))))
clauses = UpdateClauses().add(tags, words).set(a, "x").discard(b, words)
print(compiler.update(checker.update(clauses.remove(AttributePath(Order, ("c",))))))
print(compiler.finish(), ((a == 1) & (b == 2)).owners)
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(outputs) == 1
    assert "#a IN (:a, :a_2, :a_3, :a_4, :a_5)" in outputs.pop()
