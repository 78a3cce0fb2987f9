"""The compiled operations of a schema."""

from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gateway.plans.exactly import exactly
from gateway.plans.extensions import Extensions
from gateway.plans.lately import Lately
from gateway.plans.prepared import Counts, Prepared, prepared
from gateway.plans.report import Row
from gateway.plans.request import Request
from gateway.plans.run import Run
from services.observing import Tracer

log = structlog.get_logger(__name__)
EVERY = frozenset(OperationType)


class Plans:
    """Executes operations, compiled where that can be."""

    def __init__(
        self,
        schema: Schema,
        *,
        documents: int = 1000,
        characters: int = 16_000_000,
        variants: int = 16,
        mistakes: int = 100,
        tracer: Tracer | None = None,
    ) -> None:
        """Keep at most that many documents, and variants of each operation.

        Together they weigh at most so many characters of Python, which take about ten bytes each. Validation ends
        after so many mistakes.
        """
        self.counts = Counts()
        """Of all operations, also of those that are not kept any more."""
        self._tracer = tracer
        self._schema = schema
        self._variants = variants
        self._mistakes = mistakes
        self._prepared: Lately[Prepared] = Lately(documents, characters)
        self._extensions = Extensions(schema)
        self._why = self._extensions.foreign or _unusual(schema)

    async def execute(
        self,
        query: str,
        *,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        context: Any = None,
        root: Any = None,
        allowed: Iterable[OperationType] = EVERY,
    ) -> ExecutionResult:
        """The answer that `schema.execute` gives; it raises likewise."""
        plan, request = self.prepare(query, operation_name), Request(variables, context, root, allowed)
        run = self._run(plan, request)
        if run is None:
            plan.counts.core += 1
            self.counts.core += 1
            return await exactly(self._schema, plan, request)
        try:
            self._extensions.begin(run, variables)
            data = await run.variant.functions["start"](root, run)
            refused = run.refused()
        except Exception as error:  # noqa: BLE001  # whatever it is, graphql-core says it
            log.debug("an operation is completed exactly", operation=plan.name, document=plan.digest, error=repr(error))
            plan.counts.exact += 1
            self.counts.exact += 1
            return await exactly(self._schema, plan, request, run)
        plan.counts.straight += 1
        self.counts.straight += 1
        return self._extensions.concluded(run, data, refused)

    def _run(self, plan: Prepared, request: Request) -> Run | None:
        """The run of a compiled operation, unless this is one for graphql-core."""
        program = plan.program
        if program is None or program.operation.type not in request.allowed:
            return None
        variables = program.variables.coerced(request.variables or {})
        if variables is None:
            return None
        before = program.characters
        variant = program.variant(variables.coerced, request.context)
        if program.characters != before:
            self._keep(plan)
        return (
            None if isinstance(variant, str) else Run(variant, request.context, request.root, variables, self._tracer)
        )

    def known(self, query: str, operation_name: str | None = None) -> Prepared | None:
        """The operation, if it is kept."""
        return self._prepared.get((query, operation_name))

    def prepare(self, query: str, operation_name: str | None = None) -> Prepared:
        """The operation, made when it is first seen."""
        known = self._prepared.get((query, operation_name))
        if known is None:
            known = self._new(query, operation_name)
            if known.document is not None:
                self._keep(known)
        return known

    def _keep(self, plan: Prepared) -> None:
        self._prepared.put((plan.query, plan.name), plan, plan.weight)

    def _new(self, query: str, operation_name: str | None) -> Prepared:
        if self._why is not None:
            return Prepared(query, operation_name, why=self._why)
        made = prepared(self._schema, query, operation_name, self._variants, self._mistakes)
        tell = log.debug if made.program or made.errors or made.document is None else log.info
        tell("an operation is prepared", operation=made.name, document=made.digest, runs=made.runs, why=made.why)
        return made

    def source(self, query: str, operation_name: str | None, context: Any) -> str:
        """The Python of an operation for a viewer, everything selected; where it is not compiled, why."""
        plan = self.prepare(query, operation_name)
        if plan.program is None:
            return plan.why or ""
        variant = plan.program.variant(plan.program.flags, context)
        return variant if isinstance(variant, str) else variant.source

    def report(self) -> Iterator[Row]:
        """How the operations have run, those unused for longest first."""
        return map(Row.of, self._prepared)

    def kept(self) -> tuple[int, int]:
        """How many operations and variants are kept."""
        return len(self._prepared), sum(one.program.kept for one in self._prepared if one.program)


def _unusual(schema: Schema) -> str | None:
    if schema.exception_handlers:
        return "the schema handles exceptions"
    if schema.execution_context_class is not StrawberryGraphQLCoreExecutionContext:
        return "the schema has an executor of its own"
    return None
