"""A GraphQL operation as it arrives over HTTP; anything else is refused before it is looked at."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NoReturn

from services.errors import BadUserInput

DEPTH = 64
"""Levels of objects and lists in a body."""
KEYS = 1_000
"""Of one object."""
NESTS = 50_000
"""Objects and lists in a body: each takes more time than it has characters."""
STRINGS = re.compile(rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?[^"\[\]{}]*+)++')
"""With what stands between them, apart from brackets. One that does not end goes on to the end of the text, so that
none is looked at twice."""
SQUARE = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
ID = re.compile(r"[!-~]{1,256}")
"""Of a trusted document."""
NUL = re.compile(r"\0|\\u0000|\\u\{0+\}")
"""Itself, which a URL can bring, and as GraphQL escapes it."""
HIGH, LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
"""The halves of a character beyond U+FFFF, as JSON escapes them."""
HALF = re.compile(f"{HIGH}(?!{LOW})|(?<!{HIGH}){LOW}")


class Malformed(BadUserInput):
    """The request is not a GraphQL request."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client wants executed."""

    query: str
    """Empty for one that is sent by its id alone."""
    variables: dict[str, Any] | None = None
    name: str | None = None
    asks_cost: bool = False
    """Whether the client wants to be told what it took: `"extensions": {"cost": true}`."""
    document_id: str | None = None
    """Of a trusted document."""
    falls_back: bool = False
    """Whether the client sends the text itself once it is told that the id is not known, as Apollo's and urql's do."""

    @classmethod
    def from_body(cls, body: bytes) -> "Operation":
        """Read a JSON body; raises `Malformed`."""
        fields = decoded(body)
        if isinstance(fields, list):
            raise Malformed("Batches are not supported.", hint="Send one operation a request.")
        return cls.from_fields(fields)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> "Operation":
        """Read a URL's query string, in which `variables` and `extensions` are JSON; raises `Malformed`."""
        fields: dict[str, Any] = dict(parameters)
        fields["operationName"] = fields.get("operationName") or None  # in a URL, the empty name is none
        for name in ("variables", "extensions"):
            if name in fields:
                fields[name] = decoded(fields[name].encode())
        return cls.from_fields(fields)

    @classmethod
    def from_fields(cls, fields: Any) -> "Operation":
        """Check the shape of a decoded request; raises `Malformed`."""
        if not isinstance(fields, dict):
            raise Malformed("The request must be a JSON object.", hint='Send {"query": "…"}.')
        query, extensions = _typed(fields, "query", str) or "", _typed(fields, "extensions", dict) or {}
        document_id = _document_id(fields, extensions)
        if not query.strip() and document_id is None:
            raise Malformed("The request has no query.", field=["query"])
        if NUL.search(query):
            raise Malformed("The query holds a NUL character.", field=["query"])
        asks_cost = extensions.get("cost", False)
        if type(asks_cost) is not bool:
            raise Malformed("extensions.cost must be true or false.", field=["extensions", "cost"])
        variables, name = _typed(fields, "variables", dict), _typed(fields, "operationName", str)
        return cls(query, variables, name, asks_cost, document_id, "persistedQuery" in extensions)


def _document_id(fields: Mapping[str, Any], extensions: Mapping[str, Any]) -> str | None:
    """The id of a trusted document, as Relay, the GraphQL over HTTP draft, and Apollo's clients send it."""
    persisted = _typed(extensions, "persistedQuery", dict) or {}
    told = (_typed(fields, name, str) for name in ("documentId", "doc_id", "id"))
    ids = {one for one in (_typed(persisted, "sha256Hash", str), *told) if one is not None}
    if len(ids) > 1:
        raise Malformed("The request names several documents.", field=["documentId"])
    if ids and not ID.fullmatch(chosen := next(iter(ids))):
        raise Malformed("The id of the document is not one.", field=["documentId"])
    return chosen if ids else None


def _typed(fields: Mapping[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if value is not None and type(value) is not kind:
        word = "a string" if kind is str else "an object"
        raise Malformed(f"{name} must be {word}.", field=[name])
    return value


def decoded(body: bytes) -> Any:
    """Strict JSON: UTF-8, no key twice, no NaN, no infinite number, no lone surrogates or NUL, not too deep or many."""
    if _opened(body) > NESTS and _opened(STRINGS.sub(b"", body)) > NESTS:
        raise Malformed(f"The request holds more than {NESTS} objects and lists.")
    try:
        text = body.decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Malformed("The request is not UTF-8.") from error
    except RecursionError as error:
        raise Malformed(f"The request is nested deeper than {DEPTH} levels.") from error
    except ValueError as error:
        raise Malformed("The request is not valid JSON.", hint=_explained(error)) from error
    if "\\u" in text:
        _check_escapes(text.replace("\\\\", "//"))
    if _opened(body) > DEPTH:
        _check_depth(body)
    return value


def _opened(body: bytes) -> int:
    return body.count(b"[") + body.count(b"{")


def _explained(error: ValueError) -> str | None:
    return str(error) if isinstance(error, json.JSONDecodeError) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > KEYS:
        raise Malformed(f"An object has {len(pairs)} keys.", hint=f"At most {KEYS} are read.")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("A key stands twice in one object.")
    return fields


def _no_constant(word: str) -> NoReturn:
    raise Malformed(f"{word} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Malformed("A number is too large.")
    return number


def _check_depth(body: bytes) -> None:
    """In valid JSON: the brackets that are left of it vanish level by level, from the innermost."""
    left = STRINGS.sub(b"", body).translate(SQUARE, NO_BRACKETS)
    for _ in range(DEPTH):
        left = left.replace(b"[]", b"")
    if left:
        raise Malformed(f"The request is nested deeper than {DEPTH} levels.")


def _check_escapes(text: str) -> None:
    """In valid JSON with something else for escaped backslashes, so that each one left begins another escape."""
    if HALF.search(text):
        raise Malformed("A text holds half of a character (a lone surrogate).")
    if "\\u0000" in text:
        raise Malformed("A text holds a NUL character.")


def holds_more(values: Iterable[Any], most: int) -> bool:
    """Whether these are more than that, with all that is within lists and objects."""
    count, level = 0, list(islice(values, most + 1))
    while level and count <= most:
        count += len(level)
        level = list(islice(chain.from_iterable(map(_inside, level)), most + 1))
    return count > most


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
