"""One request at Books or Billing: who asks, in which organization, with which body, against which session."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlmodel import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox import exact, records, shapes, stamps
from services.sandbox.access import Access, Caller
from services.sandbox.answers import Answer
from services.sandbox.documents import Surroundings
from services.sandbox.errors import refused
from services.sandbox.hooks import Changed
from services.sandbox.stamps import Stamp
from services.sandbox.store import Organization, Store

Body = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    caller: Caller
    store: Store
    access: Access
    session: Session
    query: QueryParams
    path: Mapping[str, str]
    content: bytes
    content_type: str
    now: float
    today: str
    """``yyyy-mm-dd``; what lies before it is late."""
    changes: list[Changed] = field(default_factory=list)

    @property
    def organization(self) -> Organization:
        return self.caller.organization

    @property
    def organization_id(self) -> str:
        return self.caller.organization_id

    @property
    def stamp(self) -> Stamp:
        caller = self.caller
        at = stamps.moment(self.now, self.organization.time_zone)
        return Stamp(caller.product_user_id, caller.name, caller.email, at)

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.organization_id, self.organization.currency_code, self.new_id, self.item)

    @cached_property
    def given(self) -> Body:
        """The JSON object sent."""
        if not isinstance(self.sent, dict):
            raise refused(11)
        return self.sent

    @cached_property
    def sent(self) -> Any:
        """The JSON sent, as the body or as the form field ``JSONString``."""
        text = self.content
        if self.content_type.startswith("application/x-www-form-urlencoded"):
            text = QueryParams(text).get("JSONString", "").encode()
        try:
            return exact.decode(text)
        except ValueError as error:
            raise refused(11) from error

    @property
    def optional(self) -> Body:
        return self.given if self.content.strip() else {}

    def new_id(self) -> str:
        return self.store.next_id(self.organization_id)

    def item(self, item_id: str) -> Body | None:
        return self.find("items", item_id)

    def allow(self, module: str, action: str) -> None:
        if not self.caller.may(module, action):
            raise refused(57)

    def find(self, kind: str, record_id: str) -> Body | None:
        return records.read(self.session, self.organization_id, kind, record_id)

    def require(self, kind: str, record_id: str, missing: str) -> Body:
        """Raises Refusal when there is no such record, or when it belongs to a customer that the caller may not see."""
        body = self.find(kind, record_id)
        if body is None:
            raise refused(1002, missing)
        self.see(party_of(body))
        return body

    def see(self, customer_id: str | None) -> None:
        if customer_id and not self.caller.sees_customer(customer_id):
            raise refused(57)

    def put(self, kind: str, body: Body) -> None:
        records.put(self.session, self.organization_id, kind, body)
        self.changes.append(Changed(kind, body))

    def drop(self, kind: str, record_id: str, body: Body) -> None:
        records.drop(self.session, self.organization_id, kind, record_id)
        self.changes.append(Changed(kind, body))

    def shown(self, module: str, body: Body) -> Body:
        """The record without what is hidden from the caller."""
        hidden = self.caller.hidden_fields(module)
        shown: Body = shapes.without(body, hidden) if hidden else body
        return shown

    def writable(self, module: str, given: Mapping[str, Any]) -> None:
        """Raises Refusal when a field is given that the caller may not change, on a line too."""
        readonly = self.caller.readonly_fields(module) | self.caller.hidden_fields(module)
        if readonly & _keys(given):
            raise refused(57)


def party_of(body: Mapping[str, Any]) -> str | None:
    for key in ("customer_id", "vendor_id", "contact_id"):
        if body.get(key):
            return str(body[key])
    return None


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


def success(**content: Any) -> Answer:
    return Answer({"code": 0, "message": "success", **content})


def done(message: str, **content: Any) -> Answer:
    """Whatever was asked is done."""
    return Answer({"code": 0, "message": message, **content})


def created(message: str, **content: Any) -> Answer:
    """A record has been made: HTTP 201."""
    return Answer({"code": 0, "message": message, **content}, 201)


Work = Callable[[Desk], Response]


def endpoint(work: Work) -> Callable[[Request], Awaitable[Response]]:
    """A handler that reads the body first and then works in one session, committed when the work succeeds."""

    async def handle(request: Request) -> Response:
        content = await request.body()
        state = request.state
        with state.store.session() as session:
            desk = Desk(
                caller=state.caller,
                store=state.store,
                access=state.sandbox.access,
                session=session,
                query=request.query_params,
                path=request.path_params,
                content=content,
                content_type=request.headers.get("content-type", ""),
                now=state.sandbox.now(),
                today=state.sandbox.today.isoformat(),
            )
            response = work(desk)
        state.sandbox.hooks.tell(state.place.product, desk.organization_id, state.place.path, desk.changes)
        return response

    return handle


def route(method: str, path: str, work: Work) -> Route:
    return Route(path, endpoint(work), methods=[method])
