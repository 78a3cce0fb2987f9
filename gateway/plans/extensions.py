"""Extensions of a schema that compiled operations respect."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from graphql import OperationDefinitionNode
from strawberry import Schema
from strawberry.types import ExecutionResult

from gateway.plans.run import Run
from gateway.plans.shape import Field
from gateway.plans.ways import Gated


@runtime_checkable
class Declared(Protocol):
    """An extension that says what it does at both ends of an operation, and does nothing between them."""

    def begin(self, context: Any, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> None:
        """Before a compiled operation runs; what it raises is left to graphql-core to say."""

    def noted(self, touched: Iterable[Gated]) -> Any:
        """What it wants to know of the fields that were touched; made once for each combination."""

    def conclude(self, context: Any, result: ExecutionResult, noted: Any) -> None:
        """After it: note what was used, add errors to the result."""


class Extensions:
    """Those of one schema."""

    def __init__(self, schema: Schema) -> None:
        given: Sequence[Any] = schema.extensions
        self._all = [one for one in given if isinstance(one, Declared)]
        foreign = [one for one in given if not isinstance(one, Declared)]
        self.foreign = f"{getattr(foreign[0], '__name__', foreign[0])} has hooks of its own" if foreign else None
        """Why nothing can be compiled."""

    def begin(self, run: Run, variables: Mapping[str, Any] | None) -> None:
        """Before a run."""
        for extension in self._all:
            extension.begin(run.context, run.variant.operation.definition, variables)

    def concluded(self, run: Run, data: dict[str, Any], refused: Iterable[Field]) -> ExecutionResult:
        """The result of a run that went straight to its end."""
        for field in refused:
            own = field.own
            if isinstance(own, Gated):
                own.refuse(run.context, run.place(field.index))
        result = ExecutionResult(data, None, {})
        for extension, noted in zip(self._all, self._noted(run), strict=True):
            extension.conclude(run.context, result, noted)
        return result

    def _noted(self, run: Run) -> Sequence[Any]:
        variant, reached = run.variant, tuple(run.reached)
        noted = variant.noted.get(reached)
        if noted is None:
            touched = variant.touched(reached)
            noted = [extension.noted(touched) for extension in self._all]
            variant.noted.put(reached, noted)
        return noted
