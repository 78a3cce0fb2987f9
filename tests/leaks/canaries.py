"""Values that tell where they come from: found in an answer, each says whose record it is and who was told it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.leaks.facts import KEYS, RECORDS


class Canary(NamedTuple):
    """A field of a record as a product told it to an access; `ANY` for what it tells all of them alike.

    `told` is how much the access was shown then: `a` for everything of the module, `s` for assigned customers only,
    `r` when fields are hidden from its role.
    """

    company: str
    access: str
    told: str
    module: str
    record: str
    field: str


ANY = "any"
_TEXT = re.compile(r"\bc\.(\w+)\.(\w+)\.(\w)\.(\w+)\.(\w+)\.(\w+)")
_NUMBER = re.compile(r"\b7\d{9}\b")
_FIRST = 7 * 10**9
_WORDS = (
    tuple(dict.fromkeys(key.partition("_")[0] for key in KEYS)),
    (ANY, *KEYS),
    ("a", "s", "r"),
    (*RECORDS, "customers", "billed"),
    tuple(map(str, range(10_000))),
    (
        *("total", "balance", "outstanding", "lineItems", "subTotal"),
        *("taxTotal", "discount", "adjustment", "paymentMade"),
    ),
)
"""What a number can say, part by part."""
_PLACES = tuple({word: place for place, word in enumerate(words)} for words in _WORDS)


def text(canary: Canary) -> str:
    """The canary as a text."""
    return "c." + ".".join(canary)


def number(canary: Canary) -> int:
    """The canary as a number of ten digits."""
    code = 0
    for places, word in zip(_PLACES, canary, strict=True):
        code = code * len(places) + places[word]
    return _FIRST + code


SPELLED = {word.casefold(): word for word in (*_WORDS[3], *_WORDS[5])}
"""Words by how they stand in a cursor, where texts are without case."""


def found(body: str) -> Iterator[Canary]:
    """Those in a text."""
    for company, access, told, module, record, field in set(_TEXT.findall(body)):
        yield Canary(company, access, told, SPELLED.get(module, module), record, SPELLED.get(field, field))
    for digits in set(_NUMBER.findall(body)):
        yield _spelled(int(digits) - _FIRST)


def _spelled(code: int) -> Canary:
    words = []
    for possible in reversed(_WORDS):
        code, place = divmod(code, len(possible))
        words.append(possible[place])
    return Canary(*reversed(words))
