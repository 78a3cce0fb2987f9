"""The one way to a product: who calls, how often, how long, and what an answer means."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from itertools import count
from math import inf
from random import random
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
from msgspec import DecodeError
from msgspec.json import Encoder

from services.errand import Errand, UpstreamCall
from services.errors import (
    DeadlineExceeded,
    GatewayError,
    UpstreamRejected,
    UpstreamUnavailable,
)
from services.observing import NOBODY, Observing, Tracer
from services.policy import Product
from services.upstream.auth import Authorization, Connection, DataCenter, Grant, Received, Token
from services.upstream.budget import Budget, Key
from services.upstream.circuit import Circuits
from services.upstream.envelopes import Envelope
from services.upstream.flights import Flights, Read
from services.upstream.refusals import Refusal, seconds
from services.upstream.wire import AnswerLost, Network, Transported, Wire

T = TypeVar("T")

ROOTS: Mapping[Product, str] = {Product.BOOKS: "/books/v3", Product.BILLING: "/billing/v1", Product.CRM: "/crm/v8"}
SYSTEM = ""
"""Whose turn it is when no viewer waits."""

encode = Encoder(decimal_format="number").encode
"""Bodies: exact decimals as JSON numbers."""


@lru_cache(maxsize=1024)
def _query(asked: tuple[tuple[str, str], ...]) -> str:
    return f"?{urlencode(asked)}" if asked else ""


def _template(path: str) -> str:
    """A path without the ids and addresses in it."""
    return GIVEN.sub("/{id}", path)


GIVEN = re.compile(r"/(?:\d+|[^/]*[@%][^/]*|[^/]*\d{5}[^/]*)(?=/|$)")
SERVER_ERROR = 500
SPACED, CLOSE = re.compile(rb': ""').sub, re.compile(rb':""').sub
"""Empty texts as values; faster than `bytes.replace`, which goes through a body twice."""
ENVELOPE = 64
"""Bytes at the beginning of a body that hold at least one name."""
SUCCESS = (0, "0")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect; for one attempt as a whole; for all of a call that no errand bounds."""

    connect: float = 3.0
    attempt: float = 10.0
    unattended: float = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """The retry policy: attempts in all, and the seconds of the first pause, doubled with each further one."""

    attempts: int = 4
    pause: float = 0.2
    longest: float = 8.0
    """No pause is longer, unless the first one is: a product that is there again is soon asked again."""

    def after(self, attempt: int, first: float) -> float:
        """Seconds to wait after the attempt, when after the first it is `first`; half of it less or more."""
        return min(first * float(2 ** (attempt - 1)) * (0.5 + random()), max(first, self.longest))


@dataclass(slots=True)
class _Job:
    """One call on its way through its attempts."""

    connection: Connection
    method: str
    path: str
    query: str
    content: bytes | None
    deadline: float
    person: str
    calls: list[UpstreamCall]
    key: Key
    verbatim: bool = False

    @property
    def writes(self) -> bool:
        return self.content is not None

    @property
    def expired(self) -> bool:
        return monotonic() >= self.deadline - 0.005

    def headers(self, token: Token) -> Mapping[str, str]:
        return {**token.headers, "content-type": "application/json"} if self.content else token.headers

    def failure(self, *, sent: bool) -> GatewayError:
        """What it means that no answer came."""
        product = self.connection.product
        if self.writes:
            return AnswerLost(product=product) if sent else UpstreamUnavailable(product=product)
        return DeadlineExceeded(product=product) if self.expired else UpstreamUnavailable(product=product)

    def note(self, status: int | None, started: float) -> None:
        """Leave the attempt in the errand."""
        spent = round((monotonic() - started) * 1000, 3)
        product, actor = self.connection.product, self.connection.email
        self.calls.append(UpstreamCall(product, self.method, self.path, status, spent, actor))


class _Refused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


class Client:
    """Calls Books, Billing and the CRM under a connection's access; `transport` replaces the network."""

    def __init__(
        self,
        authorization: Authorization,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        timeouts: Timeouts = Timeouts(),
        budget: Budget | None = None,
        circuits: Circuits | None = None,
        patience: Patience = Patience(),
        observing: Observing = NOBODY,
    ) -> None:
        self.authorization = authorization
        self._timeouts = timeouts
        self.budget = budget or Budget()
        self._circuits = circuits or Circuits()
        self._patience = patience
        self._meter, self._tracer = observing.meter, observing.tracer
        self._flights = Flights()
        self._wire = _wire(transport, timeouts)

    async def aclose(self) -> None:
        """Close the connections to the products."""
        await self._wire.aclose()

    async def get(
        self,
        connection: Connection,
        path: str,
        decode: Callable[[bytes], T],
        *,
        params: Mapping[str, str] | None = None,
        errand: Errand | None = None,
        alone: bool = False,
    ) -> T:
        """Read; equal reads under the same access share one call, so what is returned must not be changed.

        One that reads `alone` sees what was written before it began.

        Raises `GatewayError`: UpstreamUnavailable, UpstreamRateLimited, UpstreamRejected, Forbidden, NotFound,
        DeadlineExceeded.
        """
        job = self._job(connection, "GET", path, params, None, errand)
        if alone:
            return await self._carried_out(job, decode)
        key = Read(connection.id, (path, job.query, decode))
        began = errand.began if errand else inf
        value: T = await self._flights.share(key, job.deadline, lambda: self._carried_out(job, decode), began=began)
        return value

    async def file(
        self,
        connection: Connection,
        path: str,
        decode: Callable[[bytes], T],
        *,
        params: Mapping[str, str] | None = None,
        errand: Errand | None = None,
    ) -> T:
        """Read something that is not JSON: `decode` gets the very bytes. Raises as `get` does."""
        job = self._job(connection, "GET", path, params, None, errand)
        job.verbatim = True
        return await self._carried_out(job, decode)

    async def write(
        self,
        connection: Connection,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        errand: Errand | None = None,
    ) -> T:
        """Write; raises as `get` does, and `AnswerLost` when it may have been done without our knowing."""
        job = self._job(connection, method, path, params, b"" if body is None else encode(body), errand)
        self._flights.forget(connection.id)
        try:
            return await self._carried_out(job, decode)
        finally:
            self._flights.forget(connection.id)

    async def fetch(self, url: str, *, within: float = 5.0, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a document that needs none of our access, such as a provider's keys; `within` in seconds."""
        received = await self.send("GET", url, headers or {}, None, monotonic() + within)
        if received.status != HTTPStatus.OK:
            raise UpstreamRejected(f"{url} answered with status {received.status}.")
        return received.body

    async def exchange(
        self, center: DataCenter, code: str, redirect_uri: str, *, code_verifier: str | None = None
    ) -> Grant:
        """What a grant code of the consent page is worth."""
        deadline = monotonic() + self._timeouts.unattended
        return await self.authorization.exchange(
            center, code, redirect_uri, self.send, deadline=deadline, code_verifier=code_verifier
        )

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, deadline: float
    ) -> Received:
        """One request over the wire.

        Raises `UpstreamUnavailable` when nothing was sent, `AnswerLost` when no whole answer came.
        """
        return await self._wire.send(method, url, headers, content, min(self._timeouts.attempt, deadline - monotonic()))

    def _job(
        self,
        connection: Connection,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        content: bytes | None,
        errand: Errand | None,
    ) -> _Job:
        asked = dict(params) if params else {}
        if connection.product is Product.BOOKS and connection.product_organization_id:
            asked["organization_id"] = connection.product_organization_id
        return _Job(
            connection=connection,
            method=method,
            path=ROOTS[connection.product] + path,
            query=_query(tuple(asked.items())),
            content=content,
            deadline=errand.deadline if errand else monotonic() + self._timeouts.unattended,
            person=errand.viewer.id if errand else SYSTEM,
            calls=errand.calls if errand else [],
            key=(connection.product, connection.product_organization_id),
        )

    async def _carried_out(self, job: _Job, decode: Callable[[bytes], T]) -> T:
        """The one retry policy: a read is repeated after a failure, anything after a definite "not now"."""
        for attempt in count(1):
            self._circuits.check(job.key)
            token = self.authorization.current(job.connection) or await self.authorization.token(
                job.connection, self.send, job.deadline
            )
            try:
                value = _read(job, await self._attempt(job, token), decode)
            except _Refused as refused:
                await self._overcome(job, token, refused.refusal, attempt)
            except UpstreamUnavailable as failure:
                await self._rest(job, failure, attempt)
            else:
                self.authorization.proved(token)
                return value
        raise AssertionError

    async def _attempt(self, job: _Job, token: Token) -> Received:
        await self.budget.enter(job.key, job.person, job.deadline)
        started, status = monotonic(), None
        try:
            tracer = self._tracer
            received = await (self._sent(job, token) if tracer is None else self._traced(job, token, tracer))
            status = received.status
            self._heed(job.key, received)
        finally:
            self.budget.leave(job.key)
            job.note(status, started)
            if self._meter is not None:
                self._meter.called(job.connection.product, status, monotonic() - started)
        return received

    async def _traced(self, job: _Job, token: Token, tracer: Tracer) -> Received:
        product = job.connection.product.lower()
        asked = {"http.request.method": job.method, "url.template": _template(job.path), "peer.service": product}
        with tracer.span(f"{job.method} {product}", asked) as span:
            received = await self._sent(job, token, tracer.outgoing())
            span.set_attribute("http.response.status_code", received.status)
            return received

    async def _sent(self, job: _Job, token: Token, more: Mapping[str, str] | None = None) -> Received:
        url = f"{token.api_domain}{job.path}{job.query}"
        try:
            headers = {**job.headers(token), **more} if more else job.headers(token)
            return await self.send(job.method, url, headers, job.content, job.deadline)
        except UpstreamUnavailable as error:
            if not job.expired:
                self._circuits.failed(job.key)
            raise job.failure(sent=isinstance(error, AnswerLost)) from error

    def _heed(self, key: Key, received: Received) -> None:
        """Learn from any answer how the product and the day's budget are."""
        if received.status >= SERVER_ERROR:
            self._circuits.failed(key)
            return
        self._circuits.worked(key)
        left = received.headers.get("x-rate-limit-remaining", "")
        if left.isdecimal():
            self.budget.told(key, int(left), seconds(received.headers.get("x-rate-limit-reset")) or 1.0)

    async def _overcome(self, job: _Job, token: Token, refusal: Refusal, attempt: int) -> None:
        """Return when the call may be made again; raise what the refusal means otherwise."""
        if refusal.limited:
            wait = refusal.asked_to_wait or self._patience.after(attempt, refusal.pause)
            self.budget.close(job.key, wait)
            if not refusal.daily and attempt < self._patience.attempts:
                return
        elif refusal.unauthorized and await self.authorization.renewed(
            job.connection, token, self.send, job.deadline, certain=refusal.of_the_token
        ):
            return
        raise refusal.error

    async def _rest(self, job: _Job, failure: UpstreamUnavailable, attempt: int) -> None:
        """A pause before the next attempt; raises the failure when there is to be none."""
        pause = self._patience.after(attempt, self._patience.pause)
        if job.writes or attempt >= self._patience.attempts or monotonic() + pause >= job.deadline:
            raise failure
        await asyncio.sleep(pause)


def _read(job: _Job, received: Received, decode: Callable[[bytes], T]) -> T:
    """The answer as a value; raises `_Refused`, or an error for one that tells nothing."""
    if received.status >= SERVER_ERROR and job.writes:
        raise AnswerLost(product=job.connection.product)
    if received.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _refused(job, received)
    try:
        value = decode(received.body if job.verbatim else _absent(received.body) or b"{}")
    except DecodeError as error:
        raise _unreadable(job, received) from error
    if isinstance(value, Envelope) and value.code not in SUCCESS:
        raise _refused(job, received)
    return value


def _absent(body: bytes) -> bytes:
    """An empty text is an absent value. A quote within a text has a backslash before it, so only values are met.

    Whether a blank stands before values is seen where the envelope begins: a product writes all of them alike.
    """
    if b'""' not in body:
        return body
    return SPACED(b": null", body) if b'": ' in body[:ENVELOPE] else CLOSE(b":null", body)


def _refused(job: _Job, received: Received) -> "_Refused | UpstreamUnavailable":
    refusal = Refusal.of(job.connection.product, received.status, received.headers, received.body)
    error = refusal.error
    return error if isinstance(error, UpstreamUnavailable) else _Refused(refusal)


def _unreadable(job: _Job, received: Received) -> Exception:
    """A failure inside a 200 has no record to decode; anything else that cannot be decoded is broken."""
    refused = _refused(job, received)
    if isinstance(refused, _Refused) and refused.refusal.code not in SUCCESS:
        return refused
    if job.writes:
        return AnswerLost(product=job.connection.product)
    return UpstreamRejected("The product gave an answer that cannot be read.", product=job.connection.product)


def _wire(transport: httpx.AsyncBaseTransport | None, timeouts: Timeouts) -> Wire:
    if transport is None:
        return Network(timeouts.connect)
    return Transported(transport, httpx.Timeout(timeouts.attempt, connect=timeouts.connect))
