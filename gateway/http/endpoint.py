"""GraphQL over HTTP at /graphql."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from strawberry import Schema
from strawberry.http.ides import get_graphql_ide_html
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gateway.http import media
from gateway.http.answer import answered, refused
from gateway.http.authentication import Authentication
from gateway.http.door import Door
from gateway.http.guard import GRAPHIQL
from gateway.http.introspection import Closed, is_open, worded
from gateway.http.operation import Malformed, Operation
from gateway.http.origin import is_foreign
from gateway.http.refusals import NOT_HERE, STATUS, ForeignPage, NoGet, TooLarge, TooSlow, Unacceptable, Unsupported
from gateway.limits.bill import bill
from gateway.limits.examination import Examination, Examined
from gateway.observing.telemetry import Telemetry
from gateway.plans import Plans
from gateway.settings import Http, Limits
from gateway.trusted.trust import Trust, Unknown
from resolvers.context import Context
from schema import schema
from services import Services
from services.errand import Errand
from services.errors import BadUserInput, DeadlineExceeded, GatewayError
from services.policy import Viewer

ORGANIZATION_HEADER = "gateway-organization"
"""Names the organization for a person who belongs to several."""
GRACE_SECONDS = 2.0
"""What services have beyond the deadline to say themselves that it has passed."""
LENGTH_DIGITS = 18
"""Longer numbers are too large whatever they are."""
SAFE = {OperationType.QUERY}
ALLOWED = {"GET": SAFE, "HEAD": SAFE, "POST": SAFE | {OperationType.MUTATION}}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a caller shows to be let in: an Authorization header, and which organization is meant."""

    authorization: str | None = field(repr=False)
    organization_id: str | None

    @classmethod
    def of(cls, headers: Headers) -> "Ticket":
        """The one in a request's head."""
        return cls(headers.get("authorization"), headers.get(ORGANIZATION_HEADER))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Reads a request, finds out who calls, executes, answers."""

    services: Services
    authentication: Authentication
    limits: Http
    schema: Schema = schema
    plans: Plans | None = None
    """The schema's compiled operations; without them everything runs on graphql-core."""
    telemetry: Telemetry | None = None
    examination: Examination = field(default_factory=lambda: Examination(schema._schema, Limits()))  # noqa: SLF001
    most_errors: int = 20
    """Mistakes in one document that are told."""
    door: Door | None = None
    """Without it everybody is let in at any time."""
    trust: Trust | None = None
    """Without it operations come with their text."""

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request; every refusal is a coded GraphQL error."""
        if self._shows_page(request):
            return HTMLResponse(get_graphql_ide_html(), headers={"Content-Security-Policy": GRAPHIQL})
        accepted = media.chosen(request.headers.get("accept"))
        if accepted is None:
            return refused(Unacceptable(), status=406)
        try:
            with self.door.anybody() if self.door else nullcontext():
                return await self._bounded(request, accepted)
        except GatewayError as error:
            response = refused(error, accepted=accepted, status=STATUS.get(type(error)))
            if self.telemetry is not None:
                self.telemetry.failed([error.code])
            return response

    def _shows_page(self, request: Request) -> bool:
        """Whether a browser wants the page to try queries on, and there is one."""
        if not self.limits.graphiql or request.method != "GET" or not media.wants_page(request.headers.get("accept")):
            return False
        return "query" not in request.query_params

    async def _bounded(self, request: Request, accepted: str) -> Response:
        """The answer; what is to be done before and after an operation ends in time as well."""
        try:
            async with asyncio.timeout(self.limits.deadline_seconds + 2 * GRACE_SECONDS) as limit:
                return await self._answer(request, accepted)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded from error

    async def _answer(self, request: Request, accepted: str) -> Response:
        began = monotonic()
        self.check_sender(request)
        viewer, _ = await self.admit(Ticket.of(request.headers))
        with self.door.one(viewer.id) if self.door else nullcontext():
            operation = await self.resolved(await self.operation(request))
            errand = Errand(viewer, request.state.request_id, began + self.limits.deadline_seconds, began=began)
            result = await self.executed(operation, errand, ALLOWED[request.method])
            if operation.asks_cost:
                result.extensions = {**(result.extensions or {}), "cost": await bill(self.services, errand, operation)}
            return answered(result, accepted, errand.request_id)

    def check_sender(self, request: Request) -> None:
        """Refuse what a foreign page sends, and GET where it is not wanted; raises `ForeignPage` or `NoGet`.

        A page can have a browser send a GET, or a form's POST, without asking us first. Such a request has no
        Authorization header, and a form's no JSON, so nothing is executed for it whatever it says of its origin.
        """
        if is_foreign(request.headers, self.limits.origins):
            raise ForeignPage(hint="The operator allows origins by GATEWAY_HTTP__ORIGINS.")
        if request.method != "POST" and not self.limits.get:
            raise NoGet

    async def resolved(self, operation: Operation) -> Operation:
        """The operation with the text that its id stands for; raises as `Trust.resolved`."""
        if self.trust is not None:
            return await self.trust.resolved(operation)
        if not operation.query:
            raise Unknown
        return operation

    async def admit(self, ticket: Ticket) -> tuple[Viewer, float]:
        """Who it is, and until when (seconds since the epoch) the ticket lasts; raises `Unauthenticated`."""
        claims = await self.authentication.claims(ticket.authorization)
        viewer = await self.services.identity.viewer(
            self.authentication.email(claims),
            subject=self.authentication.zuid(claims),
            organization_id=ticket.organization_id,
        )
        structlog.contextvars.bind_contextvars(viewer=viewer.id)
        return viewer, self.authentication.until(claims)

    async def operation(self, request: Request) -> Operation:
        """What a request asks for; raises `BadUserInput` or `LimitReached`."""
        if request.method != "POST":
            return Operation.from_parameters(_single(request))
        if not _is_json(request.headers):
            raise Unsupported
        return Operation.from_body(await self._body(request))

    async def _body(self, request: Request) -> bytes:
        limit = self.limits.body_bytes
        if _declared(request.headers) > limit:
            raise TooLarge(hint=f"At most {limit} bytes.")
        body = bytearray()
        async with _receiving(self.limits.receive_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(hint=f"At most {limit} bytes.")
        return bytes(body)

    async def executed(
        self, operation: Operation, errand: Errand, allowed: Iterable[OperationType], event: Any = None
    ) -> ExecutionResult:
        """Execute an operation on the errand; a live one for one of its events."""
        try:
            self.examined(operation, errand.viewer)
        except GatewayError as error:
            return _unexecuted(error)
        context = Context(services=self.services, viewer=errand.viewer, errand=errand)
        try:
            async with asyncio.timeout(errand.remaining + GRACE_SECONDS) as limit:
                run = self._run(operation, context, event, allowed)
                result = await (self._watched(self.telemetry, operation, run) if self.telemetry else run)
        except InvalidOperationTypeError as error:
            raise NOT_HERE[error.operation_type] from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DeadlineExceeded from error
        finally:
            context.close()
        if result.errors:
            result.errors = self._told(result, errand.viewer)
        return result

    def examined(self, operation: Operation, viewer: Viewer) -> Examined:
        """The operation if it may be executed; raises `CostExceeded`, `BadUserInput` or `Closed`."""
        examined = self.examination.examined(operation.query, operation.name)
        self.examination.check(examined, operation.variables)
        if operation.name is None and examined.operations > 1:
            raise _misnamed("There are several operations; say which.")
        if examined.introspects and not self.explains(viewer):
            raise Closed
        return examined

    def explains(self, viewer: Viewer) -> bool:
        """Whether the schema is explained to a viewer."""
        return is_open(self.limits.introspection, viewer)

    def _told(self, result: ExecutionResult, viewer: Viewer) -> list[GraphQLError]:
        """All errors of what was executed; else as many mistakes as are told, without what the viewer may not know."""
        errors = result.errors or []
        executed = result.data is not None or any(error.path for error in errors)
        most = len(errors) if executed else self.most_errors + 1  # the last says that there are more
        explained = self.explains(viewer)
        return [worded(error, explained=explained) for error in errors[:most]]

    async def _watched(
        self, telemetry: Telemetry, operation: Operation, run: Awaitable[ExecutionResult]
    ) -> ExecutionResult:
        with telemetry.operation() as about:
            try:
                result = await run
            finally:
                about.prepared = self.plans.known(operation.query, operation.name) if self.plans else None
        telemetry.answered(result)
        return result

    async def _run(
        self, operation: Operation, context: Context, root: Any, allowed: Iterable[OperationType]
    ) -> ExecutionResult:
        if self.plans is not None:
            given, name = operation.variables, operation.name
            return await self.plans.execute(
                operation.query, variables=given, operation_name=name, context=context, root=root, allowed=allowed
            )
        return await self.schema.execute(
            operation.query,
            variable_values=operation.variables,
            context_value=context,
            root_value=root,
            operation_name=operation.name,
            allowed_operation_types=allowed,
        )


def _unexecuted(error: GatewayError) -> ExecutionResult:
    return ExecutionResult(None, [GraphQLError(error.message, original_error=error)])


def _misnamed(message: str) -> BadUserInput:
    return BadUserInput(message, field=["operationName"])


def _declared(headers: Headers) -> int:
    """The length of a body as its head says it; raises `Malformed` where it says several."""
    said = headers.getlist("content-length")
    if len(said) > 1 or (said and "transfer-encoding" in headers):
        raise Malformed("The request says in several ways how long it is.")
    if said and not (said[0].isascii() and said[0].isdecimal()):
        raise Malformed("The request says its length in no number.")
    return int(said[0][:LENGTH_DIGITS]) if said else 0


@asynccontextmanager
async def _receiving(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TooSlow from error


def _is_json(headers: Headers) -> bool:
    kind, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charsets = {part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")}
    plain = headers.get("content-encoding", "identity").lower() == "identity"
    return kind == media.JSON and charsets <= {"utf-8", "utf8"} and plain


def _single(request: Request) -> dict[str, str]:
    items = request.query_params.multi_items()
    fields = dict(items)
    if len(fields) != len(items):
        raise Malformed("A parameter stands twice in the URL.")
    return fields
