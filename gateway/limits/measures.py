"""How large an operation is, counted on its document alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from graphql.language import FragmentSpreadNode

from gateway.limits.mentions import mentioned

TOKEN = re.compile(
    r"""\"{3}(?:[^"\\]|\\\"{3}|\\|"(?!""))*+(?:\"{3})?|"(?:\\.|[^"\\\r\n])*+"?|\#[^\r\n]*+|-?\w++(?:\.\w++)?|\.\.\.|[^\s,\ufeff]"""
)
"""A string that does not end is one token up to where it breaks off, so that no text is looked at twice."""
MOST = 10**9
"""Nobody counts further."""
MOST_STEPS = 20_000
"""Selections that are looked at; merging can make far more of a document than it has."""


class TooManyWays(Exception):
    """A document whose fields merge in more ways than are looked at."""


class Size(NamedTuple):
    """Of a set of fields with all that is selected below them, each fragment counted wherever it is used.

    `repetitions` are the pairs of fields under one response key, and of fragments in one place.
    """

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    repetitions: int = 0


NOTHING = Size()


@dataclass(frozen=True, slots=True)
class Measures:
    """Of an operation; `repetitions` and what comes after it are those of the whole document, which is validated."""

    size: Size
    root_fields: int
    repetitions: int
    directives: int
    values: int
    """Literals and variables: lists and objects count, and each of what is in them."""
    entries: int
    """Of the largest object that is written out."""
    operations: int
    longest_name: int
    """Characters of the longest response key: it stands in the answer as often as its field has a value."""
    introspects: bool
    """Whether it asks for the schema."""


def measured(document: DocumentNode, operation: OperationDefinitionNode) -> Measures:
    """Count; raises `TooManyWays`, and `RecursionError` for what is nested without end."""
    counting = _Counting(document)
    roots = counting.selected([operation.selection_set])
    names = {node.name.value for nodes in roots.values() for node in nodes}
    size = counting.size((operation.selection_set,))
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    mentions = mentioned(document)
    return Measures(
        size=size,
        root_fields=len(roots),
        repetitions=size.repetitions + counting.elsewhere(operation, operations),
        directives=mentions.directives,
        values=mentions.values,
        entries=mentions.entries,
        operations=len(operations),
        longest_name=counting.longest,
        introspects=not names.isdisjoint(("__schema", "__type")),
    )


class _Counting:
    """Counts each merged set of fields once, however often it is reached."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._used: set[str] = set()
        self._known: dict[Any, Size] = {}
        self._steps = 0
        self.longest = 0

    def size(self, sets: tuple[SelectionSetNode, ...]) -> Size:
        """Of what these select together."""
        key = tuple(map(id, sets))
        if key not in self._known:
            self._known[key] = NOTHING  # of a fragment within itself
            spread: set[str] = set()
            together = _together(map(self._field, self.selected(sets, spread).values()))
            self._known[key] = together._replace(repetitions=together.repetitions + _pairs(len(spread)))
        return self._known[key]

    def elsewhere(self, operation: OperationDefinitionNode, operations: Iterable[OperationDefinitionNode]) -> int:
        """The repetitions in other operations, and in fragments that no operation uses."""
        others = sum(self.size((one.selection_set,)).repetitions for one in operations if one is not operation)
        unused = [one for name, one in self._fragments.items() if name not in self._used]
        return others + sum(self.size((one.selection_set,)).repetitions for one in unused)

    def selected(self, sets: Iterable[SelectionSetNode], spread: set[str] | None = None) -> dict[str, list[FieldNode]]:
        """The fields by response key; the names of fragments they are in go to `spread`."""
        found: dict[str, list[FieldNode]] = {}
        seen = set() if spread is None else spread
        for one in sets:
            for node in self._spread(one.selections, seen):
                found.setdefault((node.alias or node.name).value, []).append(node)
        self._used |= seen
        self.longest = max([self.longest, *map(len, found)])
        return found

    def _field(self, nodes: list[FieldNode]) -> Size:
        below = self.size(tuple(node.selection_set for node in nodes if node.selection_set))
        aliases = any(node.alias for node in nodes)
        repetitions = below.repetitions + _pairs(len(nodes))
        return Size(below.depth + 1, below.fields + 1, below.aliases + aliases, repetitions)

    def _spread(self, selections: Iterable[SelectionNode], seen: set[str]) -> Iterator[FieldNode]:
        """The fields themselves and those in fragments, each fragment once."""
        for selection in selections:
            self._step()
            if isinstance(selection, FieldNode):
                yield selection
            elif (inner := self._inside(selection, seen)) is not None:
                yield from self._spread(inner.selections, seen)

    def _inside(self, selection: SelectionNode, seen: set[str]) -> SelectionSetNode | None:
        if not isinstance(selection, FragmentSpreadNode):
            return getattr(selection, "selection_set", None)
        name = selection.name.value
        if name in seen or name not in self._fragments:
            return None
        seen.add(name)
        return self._fragments[name].selection_set

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooManyWays


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _together(sizes: Iterable[Size]) -> Size:
    depth = fields = aliases = repetitions = 0
    for one in sizes:
        depth = max(depth, one.depth)
        fields += one.fields
        aliases += one.aliases
        repetitions += one.repetitions
    return Size(depth, min(fields, MOST), min(aliases, MOST), min(repetitions, MOST))


def has_more_tokens(text: str, most: int) -> bool:
    """Whether a text has more words and signs than that; it is not read for this."""
    return next(islice(TOKEN.finditer(text), most, None), None) is not None
