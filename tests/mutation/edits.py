"""What may be wrong in a line of Python: small changes of a syntax tree, each of which a test should notice."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from enum import EnumMeta
from typing import Any

Names = Mapping[str, Any]
"""The globals of the module."""
Edit = Callable[[Any, Names], Iterator[ast.AST]]
"""Gives what may stand in a node's place."""

COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
STEPS = frozenset(
    {"where", "order_by", "limit", "distinct", "with_for_update", "desc", "filter", "on_conflict_do_nothing"}
)
"""Of a query: without one it is a query still."""
WORD = re.compile(r"[\w.*]+")
"""A text that a program reads; sentences are for people, and not changed."""
LOG = "log"


def _changed(node: ast.AST, **values: Any) -> Any:
    made = copy(node)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _compare(node: ast.Compare, _names: Names) -> Iterator[ast.AST]:
    for place, operator in enumerate(node.ops):
        other = COMPARISONS[type(operator)]()
        yield _changed(node, ops=[*node.ops[:place], other, *node.ops[place + 1 :]])


def _bool_op(node: ast.BoolOp, _names: Names) -> Iterator[ast.AST]:
    yield _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _unary_op(node: ast.UnaryOp, _names: Names) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _bin_op(node: ast.BinOp | ast.AugAssign, _names: Names) -> Iterator[ast.AST]:
    if other := OPERATORS.get(type(node.op)):
        yield _changed(node, op=other())


def _aug_assign(node: ast.AugAssign, names: Names) -> Iterator[ast.AST]:
    yield from _bin_op(node, names)
    yield ast.Pass()


def _constant(node: ast.Constant, _names: Names) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and WORD.fullmatch(value):
        yield ast.Constant(f"{value}_")


def _attribute(node: ast.Attribute, names: Names) -> Iterator[ast.AST]:
    """Another member of the enumeration."""
    known = names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if isinstance(known, EnumMeta) and node.attr in known.__members__:
        members = list(known.__members__)
        yield _changed(node, attr=members[(members.index(node.attr) + 1) % len(members)])


def _expr(node: ast.Expr, _names: Names) -> Iterator[ast.AST]:
    call = node.value.value if isinstance(node.value, ast.Await) else node.value
    if isinstance(call, ast.Call) and not ast.unparse(call).startswith(f"{LOG}."):
        yield ast.Pass()


def _assign(node: ast.Assign, _names: Names) -> Iterator[ast.AST]:
    if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
        yield ast.Pass()


def _removed(_node: ast.AST, _names: Names) -> Iterator[ast.AST]:
    yield ast.Pass()


def _return(node: ast.Return, _names: Names) -> Iterator[ast.AST]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        yield ast.Return(ast.Constant(None))


def _opposite(node: ast.If | ast.While | ast.IfExp, _names: Names) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        yield _changed(node, test=ast.UnaryOp(ast.Not(), node.test))


def _call(node: ast.Call, _names: Names) -> Iterator[ast.AST]:
    """A query without one of its steps."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in STEPS:
        yield node.func.value


def _set(node: ast.Set | ast.Tuple, _names: Names) -> Iterator[ast.AST]:
    for place in range(len(node.elts)) if len(node.elts) > 1 and isinstance(node, ast.Set) else ():
        yield _changed(node, elts=[*node.elts[:place], *node.elts[place + 1 :]])


def _dict(node: ast.Dict, _names: Names) -> Iterator[ast.AST]:
    for place in range(len(node.keys)):
        keys = [*node.keys[:place], *node.keys[place + 1 :]]
        yield _changed(node, keys=keys, values=[*node.values[:place], *node.values[place + 1 :]])


EDITS: Mapping[type[ast.AST], Edit] = {
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary_op,
    ast.BinOp: _bin_op,
    ast.AugAssign: _aug_assign,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.Raise: _removed,
    ast.Return: _return,
    ast.If: _opposite,
    ast.While: _opposite,
    ast.IfExp: _opposite,
    ast.Call: _call,
    ast.Set: _set,
    ast.Dict: _dict,
}
