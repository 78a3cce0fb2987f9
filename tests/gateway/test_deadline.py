"""Only our own patience makes a request late: whatever else ran out of time inside is a fault like any other."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from graphql import GraphQLError
from starlette.requests import Request
from strawberry.types import ExecutionResult

from gateway.http.answer import internal
from gateway.http.endpoint import Endpoint
from gateway.settings import Http
from services.errors import GatewayError
from tests.harness import Gateway

Work = Callable[[], Awaitable[None]]


async def give_up() -> None:
    raise TimeoutError


async def dawdle() -> None:
    await asyncio.sleep(60)


async def hurry() -> None:
    pass


@dataclass(frozen=True)
class Door:
    """Lets in whom another lets in, after some work."""

    way: Any
    work: Work

    async def claims(self, header: str | None) -> Mapping[str, Any]:
        await self.work()
        claims: Mapping[str, Any] = await self.way.claims(header)
        return claims

    def __getattr__(self, name: str) -> Any:
        return getattr(self.way, name)


@dataclass(frozen=True)
class Executor:
    """Answers everything alike, after some work."""

    work: Work
    error: Exception | None = None

    async def execute(self, _query: str, **_: Any) -> ExecutionResult:
        await self.work()
        errors = [GraphQLError("within", path=["viewer"], original_error=self.error)] if self.error else None
        return ExecutionResult({"viewer": None}, errors)


async def told(gateway: Gateway, endpoint: Endpoint) -> dict[str, Any]:
    """The error that a request gets from the endpoint, past the rest of the application."""
    body = b'{"query": "{ viewer { id } }"}'
    signed = f"Bearer {gateway.token('staff@demo.example')}".encode()
    head = [(b"content-type", b"application/json"), (b"authorization", signed)]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": head}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    try:
        response = await endpoint(Request(scope | {"state": {"request_id": "1"}}, receive))
    except Exception as error:  # noqa: BLE001 - as the application around it answers
        return dict(internal(error, "1").extensions)
    return dict(json.loads(bytes(response.body))["errors"][0]["extensions"])


def hasty(gateway: Gateway, *, door: Work = hurry, executor: Executor | None = None) -> Endpoint:
    endpoint: Endpoint = gateway.app.state.endpoint
    way: Any = Door(endpoint.authentication, door)
    plans: Any = executor or Executor(hurry)
    return replace(endpoint, authentication=way, plans=plans, telemetry=None, limits=Http(deadline_seconds=0.01))


@pytest.mark.parametrize(
    ("door", "executor"),
    [(give_up, None), (hurry, Executor(give_up)), (hurry, Executor(hurry, TimeoutError()))],
    ids=["signing in", "executing", "a field"],
)
async def test_a_timeout_of_something_inside_is_not_the_requests_deadline(
    gateway: Gateway, door: Work, executor: Executor | None
) -> None:
    found = await told(gateway, hasty(gateway, door=door, executor=executor))
    assert found == {"code": GatewayError.code, "requestId": "1"}


async def test_a_request_that_takes_too_long_itself_is_told_so_wherever_it_is(gateway: Gateway) -> None:
    late = hasty(gateway, door=dawdle), hasty(gateway, executor=Executor(dawdle))
    found = await asyncio.gather(*(told(gateway, endpoint) for endpoint in late))
    assert [one["code"] for one in found] == ["DEADLINE_EXCEEDED"] * 2
