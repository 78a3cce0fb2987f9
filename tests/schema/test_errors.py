"""The codes of errors that each root field declares."""

from typing import Any, cast

import httpx
import pytest
from graphql import build_schema

from gateway.commands.published import sdl
from schema.errors import REQUEST, ErrorCode
from services.errors import GatewayError
from tests.declared import declared, undeclared
from tests.harness import Gateway

TWO = "query($a: ID!) { one: viewer { id } ...Rest } fragment Rest on Query { reports { id } }"


def error(code: str, **more: Any) -> dict[str, Any]:
    return {"message": "…", "extensions": {"code": code}, **more}


def family(of: type[GatewayError]) -> set[str]:
    return {of.code}.union(*map(family, of.__subclasses__()))


def test_the_published_codes_are_those_of_the_family_of_errors() -> None:
    assert {code.name for code in ErrorCode} == family(GatewayError)


def test_every_root_field_declares_its_errors() -> None:
    schema = build_schema(sdl())
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    assert set(declared()) == {name for root in roots if root for name in root.fields}
    assert [name for name, codes in declared().items() if not codes] == []


def test_a_mutation_declares_what_comes_of_asking_and_of_changing() -> None:
    assert {"FORBIDDEN", "BAD_USER_INPUT", "NOT_FOUND", "CONFLICT"} <= declared()["invoiceVoid"]
    assert "CONFLICT" not in declared()["invoices"]
    assert "UPSTREAM_REJECTED" not in declared()["migrationPause"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"data": {"one": None}, "errors": [error("BAD_USER_INPUT", path=["one", "can"])]}, []),
        ({"data": {"one": None}, "errors": [error("CONFLICT", path=["one"])]}, [("viewer", "CONFLICT")]),
        ({"data": {"reports": None}, "errors": [error("NOT_FOUND", path=["reports"])]}, []),
        (
            {"data": {}, "errors": [error("NOT_FOUND", locations=[{"line": 1, "column": 32}])]},
            [("viewer", "NOT_FOUND")],
        ),
        ({"data": {}, "errors": [error("CONFLICT")]}, [("reports or viewer", "CONFLICT")]),
        ({"data": None, "errors": [error("INTERNAL", path=["one"])]}, []),
        ({"errors": [error("UNAUTHENTICATED")]}, []),
        ({"errors": [error("CONFLICT")]}, [("a request", "CONFLICT")]),
    ],
)
def test_an_error_is_held_against_the_root_field_that_it_came_of(
    answer: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert undeclared(TWO, answer) == expected


async def test_a_test_through_the_front_door_fails_when_a_code_is_not_declared() -> None:
    answer = {"data": {"viewer": None}, "errors": [error("CONFLICT", path=["viewer"])]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    nothing: Any = None
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
        gateway = Gateway(nothing, nothing, nothing, client, nothing)
        with pytest.raises(AssertionError, match="CONFLICT"):
            await gateway.ask(None, "{ viewer { id } }")


def test_what_a_request_is_refused_with_is_said_in_the_directive() -> None:
    directive = cast(Any, build_schema(sdl()).get_directive("errors"))
    assert [code.name for code in REQUEST if code.name not in directive.description] == []
