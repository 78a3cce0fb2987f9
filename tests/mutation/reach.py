"""Which lines of some modules a test reaches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Reach:
    """Lines by file, noted while a block is executed."""

    def __init__(self, files: frozenset[str]) -> None:
        self._files = files
        self.lines: set[tuple[str, int]] = set()

    @contextmanager
    def noting(self) -> Iterator[set[tuple[str, int]]]:
        """Of the block alone."""
        self.lines = set()
        sys.settrace(self._entered)
        try:
            yield self.lines
        finally:
            sys.settrace(None)

    def _entered(self, frame: FrameType, _event: str, _value: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, _value: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._stepped
