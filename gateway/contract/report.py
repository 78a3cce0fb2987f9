"""A difference of schemas, told to people and to programs."""

import json
from collections.abc import Collection, Iterator, Sequence

from gateway.contract.change import REFUSED, Change, Verdict
from gateway.contract.diff import grouped


class UnknownVerdict(ValueError):
    """A change is `breaking`, `loosening`, `tightening`, `dangerous` or `safe`."""


def verdicts(words: str) -> frozenset[Verdict]:
    """The verdicts in a list such as `breaking,loosening`; raises `UnknownVerdict`."""
    try:
        return frozenset(Verdict(word) for word in words.replace(",", " ").split())
    except ValueError as error:
        raise UnknownVerdict(f"Nothing is called {words}. {UnknownVerdict.__doc__}") from error


def refused(changes: Sequence[Change], allowed: Collection[Verdict]) -> list[Change]:
    """The changes that nobody has allowed."""
    return [change for change in changes if change.verdict in REFUSED - set(allowed)]


def lines(changes: Sequence[Change]) -> Iterator[str]:
    """A heading for each verdict, a line for each change, and their number."""
    if not changes:
        yield "The schemas are equal."
    for verdict, own in grouped(changes).items():
        yield f"{verdict.upper()} ({len(own)})"
        yield from (f"  {change.coordinate}  {change.description}" for change in own)
        yield ""


def as_json(changes: Sequence[Change], allowed: Collection[Verdict]) -> str:
    """The same as one object: the changes, how many of each verdict, and whether they are refused."""
    counted = {verdict.value: len(own) for verdict, own in grouped(changes).items()}
    told = {
        "refused": bool(refused(changes, allowed)),
        "counts": counted,
        "changes": [change._asdict() for change in changes],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)
