"""The exit codes of the commands."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
"""The service, the network or the configuration failed."""

IN_PART: Final = 3
"""Some of the work was not done: see the report and the rejects file."""

NOT_FOUND: Final = 4
NOT_DONE: Final = 5
"""A condition of the user is not true of the stored item."""

INTERRUPTED: Final = 130

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part, 4 nothing found, 5 condition false, 130 interrupted"
    " (Ctrl-C)."
)
