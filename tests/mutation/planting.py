"""Puts a fault into modules that have been imported, in a process that ends with it."""

import ast
import sys
from collections.abc import Iterator
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutation.mutants import Mutant

OURS = ("gateway", "schema", "resolvers", "services", "tests")


def plant(mutant: Mutant) -> None:
    """Have the module behave as the mutant says, for all who have imported from it."""
    module = sys.modules[mutant.module.removesuffix(".py").replace("/", ".")]
    if mutant.place.function:
        code = _code(compile(mutant.source, module.__file__ or "", "exec"), mutant.place.function)
        _function(module, mutant.place.function).__code__ = code
    else:
        _replace_tables(module, mutant)


def _code(within: CodeType, name: str) -> CodeType:
    return next(code for code in _codes(within) if code.co_qualname == name)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _function(module: ModuleType, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    return _plain(found)


def _plain(found: Any) -> FunctionType:
    """The function within a property, a class method, or what a decorator has made of it."""
    if isinstance(found, property):
        return _plain(found.fget)
    if isinstance(found, cached_property):
        return _plain(found.func)
    inner = getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
    return _plain(inner) if inner else found


def _replace_tables(module: ModuleType, mutant: Mutant) -> None:
    """Work out the module's tables anew from the changed one on, and hand them to those who have them."""
    for statement in ast.parse(mutant.source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.lineno >= mutant.lines.start:
            names = [
                one.id for one in ast.walk(statement) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
            ]
            before = {name: vars(module).get(name) for name in names}
            exec(compile(ast.Module([statement], []), module.__file__ or "", "exec"), vars(module))  # noqa: S102
            for name, old in before.items():
                _hand_on(name, old, vars(module)[name])


def _hand_on(name: str, old: Any, new: Any) -> None:
    for known in [one for key, one in sys.modules.items() if key.partition(".")[0] in OURS]:
        if vars(known).get(name) is old:
            vars(known)[name] = new
