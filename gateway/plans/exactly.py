"""Execution by graphql-core itself, on a prepared document and with what was fetched already."""

import asyncio
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from graphql import GraphQLResolveInfo
from strawberry import Schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import ExecutionResult

from gateway.plans.prepared import Prepared
from gateway.plans.request import Request
from gateway.plans.run import Raised, Run
from gateway.plans.ways import Gated

TURNS = 4
"""Of the event loop between two waves, so that graphql-core is done with one when the next comes."""


class Known(SchemaExtension):
    """Gives Strawberry the document that was parsed and validated before."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    def on_parse(self) -> Iterator[None]:
        """In the place of parsing."""
        self.execution_context.graphql_document = self._prepared.document
        yield

    def on_validate(self) -> Iterator[None]:
        """In the place of validating."""
        self.execution_context.pre_execution_errors = [*self._prepared.errors]
        yield


class Replay(SchemaExtension):
    """Answers every field whose value was fetched before from what was kept of it.

    What was waited for comes in the order in which it came: graphql-core drops what it has just begun when a failure
    comes beside it, and should do so neither more nor less than it would have.
    """

    def __init__(self, run: Run) -> None:
        self._kept = run.kept()
        self._waves = [asyncio.Event() for _ in range(run.waves)]
        self._clock = asyncio.create_task(self._come())

    async def _come(self) -> None:
        for wave in self._waves:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            wave.set()

    def resolve(
        self, _next: Callable[..., Any], root: Any, info: GraphQLResolveInfo[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Give the kept value or raise the kept error; what was never asked for is resolved."""
        kept = self._kept.get((id(info.field_nodes[0]), id(root)))
        if not kept:
            return _next(root, info, *args, **kwargs)
        _touch(info)
        fetched = kept[0] if len(kept) == 1 and kept[0].lasting else kept.popleft()
        return _again(fetched.value) if fetched.wave is None else self._later(fetched.value, self._waves[fetched.wave])

    async def _later(self, value: Any, wave: asyncio.Event) -> Any:
        await wave.wait()
        return _again(value)


def _again(value: Any) -> Any:
    if isinstance(value, Raised):
        raise value.error
    return value


def _touch(info: GraphQLResolveInfo[Any]) -> None:
    own = info.parent_type.fields[info.field_name].extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(own, Gated):
        own.touch(info.context)


async def exactly(schema: Schema, prepared: Prepared, request: Request, run: Run | None = None) -> ExecutionResult:
    """The answer of graphql-core; to what a run began, where there was one."""
    extensions: list[Callable[[], SchemaExtension]] = []
    if prepared.document is not None:
        extensions.append(lambda: Known(prepared))
    if run is not None:
        extensions.append(lambda: Replay(run))
    extended = copy(schema)
    extended.extensions = (*extensions, *schema.extensions)
    return await extended.execute(
        prepared.query,
        variable_values=request.variables,
        context_value=request.context,
        root_value=request.root,
        operation_name=prepared.name,
        allowed_operation_types=request.allowed,
    )
