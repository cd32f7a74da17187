"""DynamoDB's limits, each once, with the page that states it.

Sizes are bytes, durations are seconds. Where the service and its documentation disagree, the value that the service
enforces stands here, and the comment says so.
"""

from typing import Final

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ITEM_BYTES: Final = 409_600
"""An item with its attribute names: 409,600 bytes are accepted, 409,601 are not."""

ATTRIBUTE_NAME_BYTES: Final = 65_535
"""A top-level or nested attribute name. The documentation says 64 KB, the service refuses 65,536."""

KEY_ATTRIBUTE_NAME_BYTES: Final = 255
"""The name of a key attribute of a table or an index, of a projected attribute and of the time-to-live attribute."""

PARTITION_KEY_BYTES: Final = 2_048
SORT_KEY_BYTES: Final = 1_024
NESTING_LEVELS: Final = 32
"""An attribute value may nest this deep: the item is level one."""

NUMBER_DIGITS: Final = 38
"""Significant digits after leading and trailing zeros are trimmed."""

NUMBER_MIN_EXPONENT: Final = -130
"""The smallest positive number is 1E-130."""

NUMBER_MAX_EXPONENT: Final = 125
"""The largest number is 9.99…E+125, with 38 nines."""

TABLE_NAME_PATTERN: Final = r"[a-zA-Z0-9_.\-]{3,255}"

EXPRESSION_BYTES: Final = 4_096
EXPRESSION_OPERATORS: Final = 300
"""Operators and functions in one expression. Parentheses do not count."""

EXPRESSION_IN_OPERANDS: Final = 100
EXPRESSION_SUBSTITUTION_BYTES: Final = 2 * 1024 * 1024
"""All names and values that one expression substitutes."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
BATCH_GET_KEYS: Final = 100

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH_WRITE_ITEMS: Final = 25
REQUEST_BYTES: Final = 16 * 1024 * 1024
"""One request, and one BatchGetItem answer."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION_ACTIONS: Final = 100
TRANSACTION_BYTES: Final = 4 * 1024 * 1024
"""The payload of a transaction: the bytes that the request carries, not those that it deletes."""

CLIENT_REQUEST_TOKEN_LENGTH: Final = 36
CLIENT_REQUEST_TOKEN_SECONDS: Final = 540.0
"""The service remembers a token for ten minutes after its first request. One minute is left for the last attempt."""

TRANSACTION_IN_PROGRESS_SECONDS: Final = 5.0
"""A retry this long after the first attempt makes the service finish a stuck transaction inline."""

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
PARTIQL_BATCH_STATEMENTS: Final = 25
PARTIQL_STATEMENT_LENGTH: Final = 8_192

GLOBAL_SECONDARY_INDEXES: Final = 20
LOCAL_SECONDARY_INDEXES: Final = 5
INDEX_KEY_ATTRIBUTES: Final = 4
"""A global secondary index may have this many attributes in its partition key, and as many in its sort key."""

SCAN_SEGMENTS: Final = 1_000_000

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
PAGE_BYTES: Final = 1024 * 1024
"""The bytes that a query or a scan reads for one page, before the filter."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
READ_UNIT_BYTES: Final = 4_096
WRITE_UNIT_BYTES: Final = 1_024

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
TIME_TO_LIVE_YEARS: Final = 5
"""The service ignores a time to live that lies further in the past than this."""
