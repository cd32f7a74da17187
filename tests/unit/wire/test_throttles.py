"""Throttling is each table's own affair."""

from mizzle_async.wire.throttles import TABLES_LIMIT, ThrottleBook


def test_tables_and_indexes_have_quotas_of_their_own():
    """What one table uses up, no other misses."""
    book = ThrottleBook(10)
    assert not book
    assert book.of("hot", None).quota.take(10)
    assert book.of("hot", None).quota.tokens == 0
    assert book.of("hot", "by-status").quota.tokens == 10
    assert book.of("cold", None).quota.tokens == 10
    assert len(book) == 3


def test_success_gives_back_to_the_table_that_succeeded():
    """A success replenishes a table that is remembered, and makes nobody remembered."""
    book = ThrottleBook(10)
    book.of("hot", None).quota.take(5)
    book.of("hot", "index").quota.take(5)
    book.succeeded("hot", None)
    book.succeeded("cold", None)
    book.succeeded("hot", "index")
    assert [book.of("hot", None).quota.tokens, book.of("hot", "index").quota.tokens] == [6, 6]
    assert len(book) == 2


def test_counts_name_who_was_throttled():
    """Only who was throttled is counted."""
    book = ThrottleBook(10)
    book.of("hot", "by-status").throttled += 3
    book.of("cold", None)
    assert book.counts() == {"hot/by-status": 3}


def test_the_quietest_tables_are_forgotten_first():
    """A client that meets thousands of tables remembers the last thousand."""
    book = ThrottleBook(10)
    first = book.of("first", None)
    for number in range(TABLES_LIMIT - 1):
        book.of(str(number), None)
    assert book.of("first", None) is first
    book.of("another", None)
    assert len(book) == TABLES_LIMIT
    assert book.of("first", None) is first
