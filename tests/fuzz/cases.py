"""Cases by seed: a document, values for its variables, circumstances; and what two executors make of it."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, OperationDefinitionNode, parse
from graphql.language import FragmentDefinitionNode, SelectionSetNode

from tests.fuzz.answers import Answer, Call, Execute, differences, passed_on
from tests.fuzz.operations import Author, Document
from tests.fuzz.stage import Request, Stage, core

EACH = 4
"""Cases that share a document, so that what is kept of it is used again under other circumstances."""


@dataclass(frozen=True, slots=True)
class Case:
    """One execution by both."""

    seed: int
    request: Request


@lru_cache(maxsize=8)
def _document(stage: Stage, number: int) -> Document:
    return Author(stage.grammar, Random(number)).document()


def case(stage: Stage, seed: int) -> Case:
    """The case of a seed; those of one document follow each other."""
    document, chance = _document(stage, seed // EACH), Random(~seed)
    request = Request(document.text, document.chosen(chance), document.variables(chance, stage.grammar.samples))
    return Case(seed, request)


async def compared(stage: Stage, one: Case, execute: Execute) -> tuple[Answer, list[str]]:
    """graphql-core's answer, and how the other's differs from it."""
    expected = await stage.play(core(stage.schema), one.request, one.seed)
    given = await stage.play(execute, one.request, one.seed)
    found = differences(expected, given)
    if found and expected.errors and given.errors:
        found = differences(expected, given, await stage.play(core(stage.nullable), one.request, one.seed))
    return expected, found or _otherwise(one.request, expected, given)


def _otherwise(request: Request, expected: Answer, given: Answer) -> list[str]:
    """What differs beside the answer: effects, calls that nobody needs, and what was noted of the use."""
    found = []
    if expected.effects != given.effects:
        found.append(f"effects: {expected.effects} is not {given.effects}")
    if expected.noted != given.noted and not passed_on(expected):
        found.append(f"noted: {sorted(expected.noted)} is not {sorted(given.noted)}")
    if more := Counter(given.calls) - _needed(request.text, expected, given):
        found.append(f"called again: {dict(more)}")
    return found


def _needed(text: str, expected: Answer, given: Answer) -> Counter[Call]:
    """How often each place may be called at most: as often as graphql-core calls it.

    Where errors are passed on that is up to who is late: then as often as its field stands in the operation, when the
    place is reached by one path; records of loaders are reached by several.
    """
    if not passed_on(expected):
        return Counter(expected.calls)
    most = {call: len(given.calls) if "/" in call.place else _times(text)[call.field] for call in given.calls}
    return Counter(expected.calls) | Counter(most | {call: 1 for call in given.calls if not call.field})


@lru_cache(maxsize=8)
def _times(text: str) -> Counter[str]:
    """How often fields stand in a valid document, by name."""
    definitions = parse(text).definitions
    parts = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
    times: Counter[str] = Counter()

    def count(selections: SelectionSetNode | None) -> None:
        for one in selections.selections if selections else ():
            if isinstance(one, FieldNode):
                times[one.name.value] += 1
                count(one.selection_set)
            elif isinstance(one, InlineFragmentNode):
                count(one.selection_set)
            elif isinstance(one, FragmentSpreadNode) and one.name.value in parts:
                count(parts[one.name.value].selection_set)

    for one in definitions:
        if isinstance(one, OperationDefinitionNode):
            count(one.selection_set)
    return times
