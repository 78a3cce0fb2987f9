"""Variables of an operation, coerced as graphql-core does it; those that need no coercion are only looked at."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import ListValueNode, Node, ObjectValueNode, VariableNode, is_non_null_type
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, get_variable_values

from gateway.plans.arguments import descendants
from gateway.plans.shape import Operation

NO_VARIABLES = VariableValues({}, {})
FITS: Mapping[str, Callable[[Any], bool]] = {
    "String": lambda value: value.__class__ is str,
    "ID": lambda value: value.__class__ is str,
    "Boolean": lambda value: value.__class__ is bool,
    "Int": lambda value: value.__class__ is int and -(2**31) <= value < 2**31,
}
"""What stays as it is."""


class Variables:
    """The variables that an operation declares."""

    def __init__(self, operation: Operation) -> None:
        self._schema = operation.schema
        self._nodes = operation.definition.variable_definitions or ()
        self._simple = None if _is_nested(operation) else self._tests()

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Their values; None where graphql-core finds fault with them."""
        if not self._nodes:
            return NO_VARIABLES
        simply = self._simply(given)
        if simply is not None:
            return VariableValues({}, simply)
        values = get_variable_values(self._schema, self._nodes, dict(given), max_errors=1)
        return None if isinstance(values, list) else values

    def _simply(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The values where all of them fit; None where there is something to be done."""
        if self._simple is None:
            return None
        coerced = {name: given[name] for name in self._simple if name in given}
        for name, (fits, optional) in self._simple.items():
            value = coerced.get(name)
            if not (fits(value) or (optional and value is None)):
                return None
        return coerced

    def _tests(self) -> dict[str, tuple[Callable[[Any], bool], bool]] | None:
        """For each variable how to see that a value fits, and whether it may be null or left out."""
        signatures = [get_variable_signature(self._schema, node) for node in self._nodes]
        known = [one for one in signatures if isinstance(one, GraphQLVariableSignature) and _named(one) in FITS]
        if len(known) < len(signatures):
            return None
        optional = {one.name: not is_non_null_type(one.type) and one.default is None for one in known}
        return {one.name: (FITS[_named(one)], optional[one.name]) for one in known}


def _named(signature: GraphQLVariableSignature) -> str:
    return str(signature.type).rstrip("!")


def _is_nested(operation: Operation) -> bool:
    """Whether a variable stands inside a list or an object, where graphql-core wants to know where it came from."""
    return any(isinstance(node, VariableNode) for value in _composed(operation) for node in descendants(value))


def _composed(operation: Operation) -> Iterator[Node]:
    fragments = [fragment.definition for fragment in operation.fragments.values()]
    nodes = (node for one in (operation.definition, *fragments) for node in descendants(one.selection_set))
    return (node for node in nodes if isinstance(node, ListValueNode | ObjectValueNode))
