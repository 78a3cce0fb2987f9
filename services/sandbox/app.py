"""The products as one ASGI app: place, person, faults, organization, budgets, scope, then the product's handler."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from services.sandbox import accounts, answers, billing, books, control, crm, scopes
from services.sandbox.access import Caller
from services.sandbox.budget import Spending
from services.sandbox.calls import Call, fingerprint
from services.sandbox.data_centres import Place, place
from services.sandbox.errors import Broken, Refusal, refused
from services.sandbox.faults import Fault, struck

if TYPE_CHECKING:
    from services.sandbox.sandbox import Sandbox

ROUTES = {
    "books": books.ROUTES,
    "billing": billing.ROUTES,
    "crm": crm.ROUTES,
    "accounts": accounts.ROUTES,
    "sandbox": control.ROUTES,
}


@dataclass
class _Exchange:
    """One request on its way, and what is to be logged of it."""

    request: Request
    place: Place
    started: float
    token: str = ""
    caller: Caller | None = None
    spending: Spending | None = None
    fault: Fault | None = None
    code: int | str = 0


class App:
    """Paths of routes are relative to the product's root (`/estimates/{estimate_id}`).

    A handler finds `request.state.caller` (of the three products), `.place`, `.store` and `.sandbox`; it answers or
    raises `Refusal`. `answer` raises `Broken` where no answer is to be given.
    """

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox
        self._routes = {product: _by_first_segment(routes) for product, routes in ROUTES.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        try:
            response = await self.answer(Request(scope, receive))
            await response(scope, receive, send)
        except Broken as broken:
            if broken.how == "black_hole":
                await _disconnected(receive)
            await _hang_up(send)

    async def answer(self, request: Request) -> Response:
        at = place(request.scope["scheme"], request.headers.get("host", ""), request.scope["path"])
        if at is None:
            return answers.refusal("books", refused(5))
        request.scope["path"] = at.path
        request.scope["state"] = {"place": at, "store": self._sandbox.store, "sandbox": self._sandbox}
        if at.product == "sandbox":
            return await self._controlled(request, at)
        return await self._logged(_Exchange(request, at, self._sandbox.now()))

    async def _controlled(self, request: Request, at: Place) -> Response:
        try:
            return await self._dispatch(request, at)
        except Refusal as refusal:
            return answers.refusal(at.product, refusal)

    async def _logged(self, exchange: _Exchange) -> Response:
        status = 0
        try:
            response = await self._faulty(exchange)
            status = response.status_code
            return response
        finally:
            self._sandbox.log.add(_call(exchange, status))

    async def _faulty(self, exchange: _Exchange) -> Response:
        self._identify(exchange)
        if self._sandbox.faults:
            exchange.fault = self._struck(exchange)
        try:
            if exchange.fault:
                return await struck(exchange.fault, lambda: self._refusing(exchange))
            return await self._refusing(exchange)
        except Refusal as refusal:
            return self._refused(exchange, refusal)

    def _struck(self, exchange: _Exchange) -> Fault | None:
        at, caller = exchange.place, exchange.caller
        return self._sandbox.faults.strike(
            product=at.product,
            method=exchange.request.method,
            path=at.path,
            full_path=at.full_path,
            email=caller.email if caller else "",
        )

    async def _refusing(self, exchange: _Exchange) -> Response:
        try:
            return await self._served(exchange)
        except Refusal as refusal:
            return self._refused(exchange, refusal)

    def _refused(self, exchange: _Exchange, refusal: Refusal) -> Response:
        exchange.code = refusal.code
        if exchange.spending and exchange.place.product != "crm":
            refusal.headers.update(exchange.spending.headers(exchange.started))
        return answers.refusal(exchange.place.product, refusal)

    def _identify(self, exchange: _Exchange) -> None:
        scheme, _, token = exchange.request.headers.get("authorization", "").partition(" ")
        product = exchange.place.product
        if product == "accounts" or scheme.lower() not in ("zoho-oauthtoken", "bearer"):
            return
        exchange.token = token
        exchange.caller = self._sandbox.access.caller(token, product, now=exchange.started)
        exchange.request.scope["state"]["caller"] = exchange.caller

    async def _served(self, exchange: _Exchange) -> Response:
        request, at = exchange.request, exchange.place
        if at.product == "accounts":
            return await self._dispatch(request, at)
        caller = _admitted(exchange)
        spending = exchange.spending = self._sandbox.budgets.of(at.product, caller.organization_id)
        spending.begin(exchange.started)
        try:
            if not scopes.suffices(caller.scopes, at.product, request.method, at.path):
                raise _out_of_scope(at.product)
            await asyncio.sleep(self._sandbox.pause())  # others may begin meanwhile, as on a network
            response = await self._dispatch(request, at)
        finally:
            spending.end()
        if at.product != "crm":
            response.headers.update(spending.headers(exchange.started))
        return response

    async def _dispatch(self, request: Request, at: Place) -> Response:
        known = False
        for route in self._routes[at.product].get(_first_segment(at.path), self._routes[at.product][""]):
            match, child = route.matches(request.scope)
            if match is Match.FULL:
                request.scope.update(child)
                return cast(Response, await route.endpoint(request))
            known = known or match is Match.PARTIAL
        raise _no_such_method(at.product) if known else _no_such_url(at.product)


def _admitted(exchange: _Exchange) -> Caller:
    """The caller, when the token is good and its user belongs to the organization that the call names."""
    caller, at = exchange.caller, exchange.place
    if caller is None:
        raise _invalid_token(at.product)
    if caller.organization.data_centre != at.centre.name:
        raise _invalid_token("crm") if at.product == "crm" else refused(6041)
    if at.product == "crm":
        return _active(caller)
    named = _named_organization(exchange.request, at.product)
    if at.path == "/organizations" and not named:
        return caller
    if not caller.product_user_id or named not in (None, caller.organization_id):
        raise refused(6041)
    return caller


def _active(caller: Caller) -> Caller:
    if caller.product_user_id and caller.person.crm_confirmed:
        return caller
    raise Refusal(401, "AUTHENTICATION_FAILURE", "The user is not an active user of the organization.")


def _named_organization(request: Request, product: str) -> str | None:
    """Books falls back to the person's own organization; Billing wants the header."""
    if product == "books":
        return request.query_params.get("organization_id")
    return request.headers.get("x-com-zoho-subscriptions-organizationid", "")


def _out_of_scope(product: str) -> Refusal:
    if product == "crm":
        return Refusal(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
    return refused(57)


def _no_such_url(product: str) -> Refusal:
    if product in ("books", "billing"):
        return refused(5)
    return Refusal(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")


def _no_such_method(product: str) -> Refusal:
    if product in ("books", "billing"):
        return refused(37)
    return Refusal(405, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")


def _invalid_token(product: str) -> Refusal:
    return Refusal(401, "INVALID_TOKEN", "invalid oauth token") if product == "crm" else refused(57)


def _call(exchange: _Exchange, status: int) -> Call:
    request, at, caller = exchange.request, exchange.place, exchange.caller
    return Call(
        at=exchange.started,
        product=at.product,
        data_centre=at.centre.name,
        method=request.method,
        path=at.full_path,
        query=dict(request.query_params),
        status=status,
        code=exchange.code,
        email=caller.email if caller else "",
        organization_id=caller.organization_id if caller else "",
        token=fingerprint(exchange.token),
        user_agent=request.headers.get("user-agent", ""),
        fault=exchange.fault.kind if exchange.fault else "",
    )


def _by_first_segment(routes: Sequence[Route]) -> dict[str, list[Route]]:
    """In the routes' order; those that begin with a parameter stand in every list, and alone in that of ""."""
    segments = {_first_segment(route.path) for route in routes}
    index: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        own = _first_segment(route.path)
        for segment in segments | {""} if own.startswith("{") else {own}:
            index[segment].append(route)
    index.setdefault("", [])
    return dict(index)


def _first_segment(path: str) -> str:
    return path.split("/", 2)[1] if "/" in path else ""


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message: Any = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _hang_up(send: Send) -> None:
    """Closes uvicorn's connection without an answer; other servers answer 500 or break off by themselves."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise Broken("hang_up")
    transport.abort()
    await asyncio.sleep(0.01)
