"""How commands end that start something: whoever tells them to, what they have started ends with them."""

import signal
import sys
from types import FrameType
from typing import NoReturn


def end_on_signals() -> None:
    """Unwind, where the default would end the process at once with PostgreSQL left running."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
