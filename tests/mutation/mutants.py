"""Mutants of a module: its source with one thing in it changed."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff

from tests.mutation.edits import EDITS, Names

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """Where something stands: in the outermost `function`, in a `table` of the module, or else in a class."""

    function: str | None = None
    table: bool = False


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    module: str
    """Its path."""
    place: Place
    lines: range
    """Of the original, that are executed when the fault is."""
    original: str
    source: str

    @property
    def difference(self) -> str:
        """As patches show it."""
        before, after = self.original.splitlines(), self.source.splitlines()
        return "\n".join(list(unified_diff(before, after, n=0, lineterm=""))[3:])

    @property
    def name(self) -> str:
        """What tells it from the others, wherever in the module it moves: `function: before → after`."""
        lines = self.difference.splitlines()
        before, after = (" ".join(one[1:].strip() for one in lines if one[0] == sign) for sign in "-+")
        return f"{self.place.function or 'module'}: {before} → {after}"

    def __str__(self) -> str:
        return f"{self.module}:{self.lines.start} {self.place.function or ''}\n{self.difference}"


def mutants(module: str, source: str, names: Names) -> Iterator[Mutant]:
    """All of a module; `names` are its globals, which tell what is an enumeration."""
    for place, lines, node in _nodes(ast.parse(source).body):
        for other in EDITS[type(node)](node, names) if type(node) in EDITS else ():
            changed = _spliced(source, node, other)
            if changed != source:
                yield Mutant(module, place, lines, source, changed)


def _nodes(body: Iterable[ast.stmt], inside: str = "") -> Iterator[tuple[Place, range, ast.AST]]:
    """What stands in a module or a class."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _nodes(statement.body, f"{inside}{statement.name}.")
        elif isinstance(statement, FUNCTIONS):
            yield from _function(statement, f"{inside}{statement.name}", Place())
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            found = _below(statement.value, statement)
            yield from (
                (Place(table=not inside), lines, node) for lines, node in found if not (inside and _is_text(node))
            )


def _is_text(node: ast.AST) -> bool:
    """In a class: the name of a member of an enumeration, which the published schema shows."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _function(
    of: ast.FunctionDef | ast.AsyncFunctionDef, name: str, around: Place
) -> Iterator[tuple[Place, range, ast.AST]]:
    defaults = (one for one in (*of.args.defaults, *of.args.kw_defaults) if one)
    yield from ((around, lines, node) for one in defaults for lines, node in _below(one, of))
    for statement in of.body:
        yield from ((Place(name), lines, node) for lines, node in _below(statement, statement))


def _below(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[range, ast.AST]]:
    """A node and what is in it, with the lines of the statement; f-strings and annotations do not behave."""
    if isinstance(node, ast.stmt):
        statement = node
    if isinstance(node, ast.JoinedStr):
        return
    yield _lines(statement), node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (isinstance(child, ast.Constant) and isinstance(node, ast.Expr)):
                yield from _below(child, statement)


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body and body[0].lineno > statement.lineno else statement.end_lineno
    return range(statement.lineno, (last or statement.lineno) + 1)


def _spliced(source: str, node: ast.AST, other: ast.AST) -> str:
    """The source with another thing in a node's place."""
    first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    lines = source.encode().splitlines(keepends=True)
    head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]  # type: ignore[attr-defined]
    text = _text(node, other, source)
    return b"".join([*lines[:first], head, text.encode(), tail, *lines[last + 1 :]]).decode()


def _text(node: ast.AST, other: ast.AST, source: str) -> str:
    if isinstance(node, ast.If | ast.While):
        return _negated(node, source)
    text = ast.unparse(other)
    return f"({text})" if isinstance(node, ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Compare) else text


def _negated(node: ast.If | ast.While, source: str) -> str:
    """Only its condition is another, so that the difference shows that alone."""
    whole, test = ast.get_source_segment(source, node) or "", ast.get_source_segment(source, node.test) or ""
    return whole.replace(test, f"not ({test})", 1)
