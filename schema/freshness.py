"""`@fresh(within:)`: how old the answer of an operation may be."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import strawberry
from graphql import (
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
    get_operation_ast,
)
from strawberry.directive import DirectiveLocation
from strawberry.extensions import SchemaExtension

from resolvers.context import Context
from services.errors import BadUserInput

NAME = "fresh"
MOST = 86_400
"""Seconds."""


@strawberry.directive(
    name=NAME,
    locations=[DirectiveLocation.QUERY],
    description="How old the answer may be; every connection and record says how old it is. Without the directive "
    "the organization's setting holds. Customers, CRM accounts and contacts, and the links between them may always "
    "be some minutes old.",
)
def fresh(
    within: Annotated[
        int,
        strawberry.argument(description=f"Seconds, 0 to {MOST}; 0 asks the products under the viewer's own access."),
    ],
) -> None:
    """What it means is decided before anything is executed."""


def fresh_within(operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> int | None:
    """The seconds that the operation's directive says; None without one. Raises `BadUserInput` out of bounds."""
    asked = next((one for one in operation.directives or () if one.name.value == NAME), None)
    if asked is None or not asked.arguments:
        return None
    seconds = _int(asked.arguments[0].value, operation, variables or {})
    if seconds is None or not 0 <= seconds <= MOST:
        raise BadUserInput(f"`@fresh` takes 0 to {MOST} seconds.", field=("within",))
    return seconds


def freshen(context: Context, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> None:
    """Set how old answers may be on the request's context, before it is executed. Writes look at what is now."""
    if operation.operation is OperationType.MUTATION:
        context.fresh = 0
        return
    asked = fresh_within(operation, variables)
    context.fresh = context.viewer.freshness_seconds if asked is None else asked


def _int(value: ValueNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int | None:
    if isinstance(value, VariableNode):
        name = value.name.value
        if name in variables:
            given = variables[name]
            return given if isinstance(given, int) and not isinstance(given, bool) else None
        defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
        default = defaults.get(name)
        return int(default.value) if isinstance(default, IntValueNode) else None
    return int(value.value) if isinstance(value, IntValueNode) else None


class Freshness(SchemaExtension):
    """How old answers may be is set when the operation is known, whatever the executor."""

    def on_execute(self) -> Iterator[None]:
        """Before graphql-core executes it."""
        execution = self.execution_context
        operation = get_operation_ast(execution.graphql_document, execution.operation_name)  # type: ignore[arg-type]
        if operation is not None:
            self.begin(execution.context, operation, execution.variables)
        yield

    @staticmethod
    def begin(context: Context, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> None:
        """Before a compiled one runs."""
        freshen(context, operation, variables)

    @staticmethod
    def noted(_touched: Iterable[Any]) -> None:
        """Fields are nothing to it."""

    @staticmethod
    def conclude(_context: Any, _result: Any, _noted: None) -> None:
        """So is the end."""
