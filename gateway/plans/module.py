"""Generated source as it grows: functions, and the objects they name."""

import linecache
import re
import weakref
from collections.abc import Iterable
from itertools import count
from typing import Any

_numbers = count(1)


class Module:
    """Functions to be compiled together. A name ends in a number where it is not the compiler's own."""

    def __init__(self, title: str, **names: Any) -> None:
        self._title = title
        self._names = dict(names)
        self._functions: list[str] = []
        self._count = count()

    def name(self, text: str) -> str:
        """A name that is not taken, after a name of the schema."""
        return f"{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', text).lower()}_{next(self._count)}"

    def bind(self, text: str, value: object) -> str:
        """A name for an object."""
        name = f"{text}_{next(self._count)}"
        self._names[name] = value
        return name

    def add(self, head: str, about: str, body: Iterable[str]) -> None:
        """Add a function or a table."""
        said = [f'    """{about}"""'] if about else []
        self._functions.append("\n".join([head, *said, *(f"    {line}" for line in body)]))

    @property
    def source(self) -> str:
        """The text."""
        title = ascii(self._title)[1:-1]  # it cannot end its line, whatever it says
        return "\n\n\n".join([f"# {title}", *self._functions]) + "\n"

    def load(self, owner: object) -> dict[str, Any]:
        """Compile it and give all its names; tracebacks show its lines as long as `owner` lives."""
        file, source = f"<plan {next(_numbers)}>", self.source
        exec(compile(source, file, "exec"), self._names)  # noqa: S102  # our text: of a client's there are only literals
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        weakref.finalize(owner, linecache.cache.pop, file, None)
        return self._names
