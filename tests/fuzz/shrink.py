"""The smallest request that still shows a difference."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from graphql import GraphQLError, Node, parse
from graphql.language import DocumentNode, FragmentDefinitionNode, NameNode, SelectionSetNode

from tests.fuzz.stage import Request

Differs = Callable[[Request], Awaitable[object]]
MOST_TRIES = 250
BLANK = re.compile(r"\([\s,]*\)|,(?=\s*[,)\]}])|(?<=[(\[{])\s*,")
"""What cutting leaves behind: empty parentheses and commas beside nothing."""


async def shrunk(request: Request, differs: Differs) -> Request:
    """Leave out whatever can be left out of document and variables while the two still differ."""
    at = changes = 0
    for _ in range(MOST_TRIES):
        smaller = _smaller(request)
        if at >= len(smaller):
            if not changes or not smaller:
                break
            at = changes = 0
        if await differs(smaller[at]):
            request, changes = smaller[at], changes + 1
        else:
            at += 1
    return request


def _smaller(request: Request) -> list[Request]:
    """The request less one part each, large parts first."""
    given = request.variables or {}
    fewer = [replace(request, variables={n: v for n, v in given.items() if n != name}) for name in given]
    document = _parsed(request.text)
    cuts = sorted(_cuts(document, request.text), key=lambda cut: cut[0] - cut[1] + len(cut[2])) if document else ()
    texts = (request.text[:start] + instead + request.text[end:] for start, end, instead in cuts)
    return [replace(request, text=tidied) for text in texts if (tidied := _tidied(text)) != request.text] + fewer


def _parsed(text: str) -> DocumentNode | None:
    try:
        return parse(text)
    except GraphQLError:
        return None


def _tidied(text: str) -> str:
    """Without fragments and variables that are not used any more."""
    document = _parsed(text := BLANK.sub("", BLANK.sub("", text if '"' in text else " ".join(text.split()))))
    for one in document.definitions if document else ():
        if isinstance(one, FragmentDefinitionNode) and not re.search(rf"\.\.\.\s*{one.name.value}\b", text):
            return _tidied(_without(one, text))
        for variable in getattr(one, "variable_definitions", None) or ():
            if len(re.findall(rf"\${variable.variable.name.value}\b", text)) == 1:
                return _tidied(_without(variable, text))
    return text


def _cuts(node: Node, text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what stands there instead) of all parts.

    Each is left out; selections are put in the place of what is around them; one stands for all beside it.
    """
    if isinstance(node, SelectionSetNode):
        yield from ((*_ends(node), f"{{ {_text(one, text)} }}") for one in node.selections)
    for key in node.keys:
        value = getattr(node, key, None)
        for one in value if isinstance(value, list | tuple) else ():
            yield *_ends(one), ""
            inner = getattr(one, "selection_set", None)
            if inner and isinstance(node, SelectionSetNode):
                yield *_ends(one), _text(inner, text)[1:-1]
            yield from _cuts(one, text)
        if isinstance(value, Node) and not isinstance(value, NameNode):
            yield from _cuts(value, text)


def _text(node: Node, text: str) -> str:
    start, end = _ends(node)
    return text[start:end]


def _without(node: Node, text: str) -> str:
    start, end = _ends(node)
    return text[:start] + text[end:]


def _ends(node: Node) -> tuple[int, int]:
    assert node.loc
    return node.loc.start, node.loc.end
