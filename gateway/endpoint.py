"""GraphQL over HTTP at /graphql."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
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
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gateway import media
from gateway.answer import answered, refused
from gateway.authentication import Authentication
from gateway.bill import bill
from gateway.operation import Malformed, Operation
from gateway.plans import Plans
from gateway.settings import Http
from resolvers.context import Context
from schema import schema
from services import Services
from services.errand import Errand
from services.errors import BadUserInput, DeadlineExceeded, GatewayError, LimitReached
from services.policy import Viewer

ORGANIZATION_HEADER = "gateway-organization"
"""Names the organization for a person who belongs to several."""
GRACE_SECONDS = 2.0
"""What services have beyond the deadline to say themselves that it has passed."""
ALLOWED = {"GET": {OperationType.QUERY}, "POST": {OperationType.QUERY, OperationType.MUTATION}}


class Unacceptable(BadUserInput):
    """The answer is application/graphql-response+json or application/json; the request accepts neither."""


class Unsupported(BadUserInput):
    """The body of a request must be application/json in UTF-8."""


class NotByGet(BadUserInput):
    """Only queries can be sent by GET."""


class LiveElsewhere(BadUserInput):
    """Live operations are not served over plain HTTP requests."""


class TooLarge(LimitReached):
    """The request is too large."""


class TooSlow(DeadlineExceeded):
    """The request did not arrive in time."""


NOT_HERE: Mapping[OperationType, type[GatewayError]] = {
    OperationType.MUTATION: NotByGet,
    OperationType.SUBSCRIPTION: LiveElsewhere,
}
STATUS: Mapping[type[GatewayError], int] = {Unsupported: 415, NotByGet: 405, TooLarge: 413, TooSlow: 408}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a caller shows to be let in: an Authorization header, and which of his organizations he means."""

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

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request; every refusal is a coded GraphQL error."""
        if request.method == "GET" and "query" not in request.query_params and _from_browser(request):
            return HTMLResponse(get_graphql_ide_html())
        accepted = media.chosen(request.headers.get("accept"))
        if accepted is None:
            return refused(Unacceptable(), status=406)
        try:
            return await self._answer(request, accepted)
        except GatewayError as error:
            return refused(error, accepted=accepted, status=STATUS.get(type(error)))

    async def _answer(self, request: Request, accepted: str) -> Response:
        began = monotonic()
        viewer, _ = await self.admit(Ticket.of(request.headers))
        operation = await self.operation(request)
        errand = Errand(viewer, request.state.request_id, began + self.limits.deadline_seconds, began=began)
        result = await self.executed(operation, errand, ALLOWED[request.method])
        if operation.asks_cost:
            result.extensions = {**(result.extensions or {}), "cost": await bill(self.services, errand, operation)}
        return answered(result, accepted, errand.request_id)

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
        if request.method == "GET":
            return Operation.from_parameters(_single(request))
        if not _is_json(request.headers):
            raise Unsupported
        return Operation.from_body(await self._body(request))

    async def _body(self, request: Request) -> bytes:
        limit = self.limits.body_bytes
        declared = request.headers.get("content-length", "0")
        body = bytearray()
        if not declared.isdecimal() or int(declared) > limit:
            raise TooLarge(hint=f"At most {limit} bytes.")
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
        if operation.is_ambiguous:
            return _unexecuted("There are several operations; say which.")
        context = Context(services=self.services, viewer=errand.viewer, errand=errand)
        try:
            async with asyncio.timeout(errand.remaining + GRACE_SECONDS):
                return await self._run(operation, context, event, allowed)
        except InvalidOperationTypeError as error:
            raise NOT_HERE[error.operation_type] from error
        except CannotGetOperationTypeError:
            return _unexecuted("There is no such operation in the query.")
        except TimeoutError as error:
            raise DeadlineExceeded from error

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


def _unexecuted(message: str) -> ExecutionResult:
    told = BadUserInput(message, field=["operationName"])
    return ExecutionResult(None, [GraphQLError(message, original_error=told)])


@asynccontextmanager
async def _receiving(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TooSlow from error


def _from_browser(request: Request) -> bool:
    return media.wants_page(request.headers.get("accept"))


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
