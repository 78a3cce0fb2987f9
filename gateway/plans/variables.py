"""Variables of an operation, coerced as graphql-core does it; those that need no coercion are only looked at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from graphql import ListValueNode, Node, ObjectValueNode, VariableNode, get_nullable_type, is_leaf_type
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import Undefined

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


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a leaf type."""

    signature: GraphQLVariableSignature
    fits: Callable[[Any], bool] | None
    """Whether a value stays as it is; None where the type coerces it."""
    coerce: Callable[[Any], Any]
    optional: bool
    """Whether it may be null or left out."""

    @classmethod
    def of(cls, signature: Any) -> Self | None:
        """None for one of another type, which only graphql-core coerces."""
        if not isinstance(signature, GraphQLVariableSignature):
            return None
        type_ = get_nullable_type(signature.type)
        if not is_leaf_type(type_):
            return None
        optional = type_ is signature.type and signature.default is None
        return cls(signature, FITS.get(type_.name), type_.coerce_input_value, optional)

    def taken(self, value: Any) -> Any:
        """A value that is not null, coerced; raises whatever the type does."""
        if self.fits is None:
            return self.coerce(value)
        if not self.fits(value):
            raise TypeError
        return value


class Variables:
    """The variables that an operation declares."""

    def __init__(self, operation: Operation) -> None:
        self._schema = operation.schema
        self._nodes = operation.definition.variable_definitions or ()
        self._traced = _is_nested(operation)
        """Whether graphql-core may want to know where a value came from."""
        known = [Variable.of(get_variable_signature(self._schema, node)) for node in self._nodes]
        simple = [one for one in known if one is not None]
        self._simple = {one.signature.name: one for one in simple} if len(simple) == len(known) else None

    def coerced(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Their values; None where graphql-core finds fault with them."""
        if not self._nodes:
            return NO_VARIABLES
        simply = self._simply(given)
        if simply is not None:
            return simply
        values = get_variable_values(self._schema, self._nodes, dict(given), max_errors=1)
        return None if isinstance(values, list) else values

    def _simply(self, given: Mapping[str, Any]) -> VariableValues | None:
        """The values where each is in order; None where there is something to be done."""
        if self._simple is None:
            return None
        coerced: dict[str, Any] = {}
        for name, variable in self._simple.items():
            value = given.get(name)
            if value is not None:
                try:
                    coerced[name] = variable.taken(value)
                except Exception:  # noqa: BLE001  # whatever it is, graphql-core says it
                    return None
            elif not variable.optional:
                return None
            elif name in given:
                coerced[name] = None
        return None if Undefined in coerced.values() else VariableValues(self._sources(given), coerced)

    def _sources(self, given: Mapping[str, Any]) -> dict[str, VariableValueSource]:
        if not self._traced or self._simple is None:
            return {}
        return {
            name: VariableValueSource(one.signature, given.get(name, Undefined)) for name, one in self._simple.items()
        }


def _is_nested(operation: Operation) -> bool:
    """Whether a variable stands inside a list or an object, where graphql-core wants to know where it came from."""
    return any(isinstance(node, VariableNode) for value in _composed(operation) for node in descendants(value))


def _composed(operation: Operation) -> Iterator[Node]:
    fragments = [fragment.definition for fragment in operation.fragments.values()]
    nodes = (node for one in (operation.definition, *fragments) for node in descendants(one.selection_set))
    return (node for node in nodes if isinstance(node, ListValueNode | ObjectValueNode))
