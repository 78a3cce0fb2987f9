"""Documents over the whole schema: searches, filters, fragments, variables anywhere; ids of any company."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from schema import schema
from tests.fuzz.operations import Author, Document, Grammar
from tests.fuzz.real import SELDOM, samples
from tests.leaks.operations import Operation

SUMMED = frozenset({"report", "reports", "dashboard", "dashboards"})
"""Left out: sums of values are no values that tell where they come from."""


@dataclass(frozen=True)
class Anything(Operation):
    """One of them."""

    document: Document
    grammar: Grammar
    is_modelled = False

    def variables(self, _organizations: Sequence[str], chance: Random) -> dict[str, Any]:
        """Values for its variables."""
        return self.document.variables(chance, self.grammar.samples) or {}


def anything(chance: Random, ids: Mapping[str, list[str]]) -> Iterator[Operation]:
    """As the fuzz of both executors writes them, those with one operation; `ids` are global ones by module."""
    inner = schema._schema  # noqa: SLF001 - Strawberry's way to graphql-core's schema
    rare = SELDOM - {"where", "search", "nodes"}
    grammar = Grammar(inner, samples(ids), left_out=SUMMED, rare=rare, mutations=False)
    while True:
        document = Author(grammar, chance).document()
        if len(document.operations) == 1:
            yield Anything(document.text, "", document, grammar)
