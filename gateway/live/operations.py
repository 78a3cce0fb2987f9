"""Operations whose answers go on as long as something happens and the caller may see it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from inspect import isawaitable
from time import monotonic
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    SelectionSetNode,
    create_source_event_stream,
    validate,
)
from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode
from strawberry.types.graphql import OperationType

from gateway.http.answer import body_of, internal, published, told
from gateway.http.authentication import refused
from gateway.http.endpoint import Endpoint, Ticket
from gateway.http.operation import Operation
from gateway.live.tally import Tally
from gateway.settings import Live as Limits
from resolvers.context import Context, forbidden
from schema.permissions import requirement
from services.errand import Errand
from services.errors import DeadlineExceeded, GatewayError, Unauthenticated
from services.policy import Viewer
from services.storage.failures import has_crossed, is_away

log = structlog.get_logger(__name__)

T = TypeVar("T")
Body = dict[str, Any]
"""One answer as the client sees it: data, errors, extensions."""
EVERYTHING = frozenset(OperationType)
LIVE = frozenset({OperationType.SUBSCRIPTION})


class Ended(Exception):
    """An operation has no further answers because of `errors`, as the client sees them."""

    def __init__(self, errors: list[Body]) -> None:
        super().__init__(errors)
        self.errors = errors


class SignedOut(Ended):
    """The ticket under which it began is good no longer."""


class Interrupted(Ended):
    """Whether it may go on cannot be found out now; it may be begun again."""


@dataclass(frozen=True, slots=True)
class Live:
    """Executes operations over connections that stay open."""

    endpoint: Endpoint
    limits: Limits
    strangers: Tally
    """Sockets of people who have not signed in yet."""
    sockets: Tally
    operations: Tally
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process is about to end; streams are cut then, for their clients to come back elsewhere."""

    async def admit(self, ticket: Ticket) -> tuple[Viewer, float]:
        """As the endpoint does, in time."""
        return await self.in_time(self.endpoint.admit(ticket))

    async def in_time(self, work: Awaitable[T]) -> T:
        """What a request may wait for no longer than any other; raises `DeadlineExceeded`."""
        try:
            async with asyncio.timeout(self.endpoint.limits.deadline_seconds) as limit:
                return await work
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded from error

    async def answers(
        self,
        operation: Operation,
        ticket: Ticket,
        *,
        allowed: Iterable[OperationType] = EVERYTHING,
        request_id: str | None = None,
    ) -> AsyncGenerator[Body, None]:
        """The answers, one for a query or mutation; raises `Ended`. `request_id` is the number it has already.

        For each event of a live operation the ticket is looked at again, and the operation executed anew for whoever
        the viewer is by then.
        """
        request_id, began, given = request_id or uuid4().hex, monotonic(), 0
        try:
            viewer, until = await self.admit(ticket)
            with self.operations.one(viewer.id):
                if self.endpoint.door:
                    self.endpoint.door.spend(viewer.id)
                resolved = await self.in_time(self.endpoint.resolved(operation))
                run = _Run(self, resolved, ticket, viewer, until, request_id)
                async with aclosing(run.answers(allowed)) as answers:
                    async for body in answers:
                        yield body
                        given += 1
        except GatewayError as error:
            if self.endpoint.telemetry is not None:
                self.endpoint.telemetry.failed([error.code])
            ended = SignedOut if isinstance(error, Unauthenticated) else Ended
            raise ended([body_of(error)]) from error
        except (Ended, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise Ended([body_of(internal(error, request_id))]) from error
        finally:
            log.info("live operation", request_id=request_id, answers=given, seconds=round(monotonic() - began, 3))


@dataclass(frozen=True, slots=True)
class _Run:
    """One operation of one viewer."""

    live: Live
    operation: Operation
    ticket: Ticket
    viewer: Viewer
    until: float
    """When the ticket ends, in seconds since the epoch."""
    request_id: str

    async def answers(self, allowed: Iterable[OperationType]) -> AsyncGenerator[Body, None]:
        examined = self.live.endpoint.examined(self.operation, self.viewer)
        if examined.document is None or not examined.live:
            yield await self._answer(self.viewer, allowed)
            return
        executor = self._executor(examined.document)
        requires = self._requirement(executor)
        async with aclosing(await self._source(executor)) as source, aclosing(self._events(source)) as events:
            async for event in events:
                yield await self._answer(await self._viewer(*requires), LIVE, event)

    async def _answer(self, viewer: Viewer, allowed: Iterable[OperationType], event: Any = None) -> Body:
        errand = Errand(viewer, self.request_id, monotonic() + self.live.endpoint.limits.deadline_seconds)
        body = told(await self.live.endpoint.executed(self.operation, errand, allowed, event), self.request_id)
        if "data" not in body:
            raise Ended(body["errors"])
        return body

    def _executor(self, document: DocumentNode) -> Executor[Any]:
        """The operation, valid, with its variables read."""
        context = Context(
            services=self.live.endpoint.services,
            viewer=self.viewer,
            errand=Errand(self.viewer, self.request_id, monotonic() + self.until - time.time()),
        )
        schema, quiet = self._schema, not self.live.endpoint.explains(self.viewer)
        mistakes = validate(schema, document, max_errors=self.live.endpoint.most_errors, hide_suggestions=quiet)
        executor: Executor[Any] | list[GraphQLError] = mistakes or Executor.build(
            schema,
            document,
            context_value=context,
            raw_variable_values=self.operation.variables,
            operation_name=self.operation.name,
            hide_suggestions=quiet,
        )
        if isinstance(executor, list):
            self._end(executor)
        return executor

    async def _source(self, executor: Executor[Any]) -> AsyncGenerator[Any, None]:
        """The events of the operation's one field, which is an async generator."""
        source: Any = create_source_event_stream(executor)
        source = await self.live.in_time(source) if isawaitable(source) else source
        if isinstance(source, ExecutionResult):
            self._end(source.errors or ())
        events: AsyncGenerator[Any, None] = source
        return events

    async def _events(self, source: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        """Events until there are no more or the ticket has ended; what happens during a pause is one event."""
        while True:
            try:
                async with asyncio.timeout(self.until - time.time()) as patience:
                    event = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                if patience.expired():
                    raise refused("EXPIRED_TOKEN") from error
                raise
            yield event
            await asyncio.sleep(self.live.limits.pause_seconds)

    async def _viewer(self, requires: str | None, coordinate: str) -> Viewer:
        """Who the viewer is by now; raises `Unauthenticated`, or `Forbidden` when they may no longer look."""
        viewer = await self._admitted()
        if (viewer.id, viewer.organization_id) != (self.viewer.id, self.viewer.organization_id):
            raise Unauthenticated("You have become somebody else; subscribe again.", reason="VIEWER_CHANGED")
        if requires and not (decision := viewer.decide(requires)).granted:
            raise forbidden(decision, coordinate)
        return viewer

    async def _admitted(self) -> Viewer:
        try:
            return (await self.live.admit(self.ticket))[0]
        except DeadlineExceeded as error:
            raise Interrupted([body_of(error)]) from error
        except Exception as error:
            if not is_away(error) and not has_crossed(error):
                raise
            raise Interrupted([body_of(internal(error, self.request_id))]) from error

    def _requirement(self, executor: Executor[Any]) -> tuple[str | None, str]:
        """The permission that the operation's one field asks for, and the field's coordinate."""
        root = self._schema.subscription_type
        name = _first_field(executor.operation.selection_set, executor.fragment_definitions)
        found = self.live.endpoint.schema.get_field_for_type(name, root.name) if root else None
        return (requirement(found) if found else None), f"{root}.{name}"

    @property
    def _schema(self) -> GraphQLSchema:
        return self.live.endpoint.schema._schema  # noqa: SLF001  # Strawberry has no other way to it

    def _end(self, errors: Iterable[GraphQLError]) -> NoReturn:
        raise Ended([published(error, self.request_id) for error in errors])


def _first_field(selected: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> str:
    """The name of the field that a valid live operation consists of."""
    match selected.selections[0]:
        case FieldNode(name=name):
            return name.value
        case InlineFragmentNode(selection_set=inner):
            return _first_field(inner, fragments)
        case FragmentSpreadNode(name=name):
            return _first_field(fragments[name.value].selection_set, fragments)
        case other:
            raise TypeError(other)
