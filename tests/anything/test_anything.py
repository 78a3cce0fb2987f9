"""Whatever anybody asks is answered as the specifications want it; `python -m tests.anything` asks far more."""

from typing import Any

import httpx
import msgspec
import pytest

from gateway.demo.sandbox import PEOPLE
from tests.anything.asking import Crowd
from tests.anything.wellformed import LEGACY, MODERN, faults
from tests.declared import declared
from tests.fuzz.real import KNOWN, known
from tests.harness import Gateway

CASES = 60
QUERY = "{ invoices(first: 1) { nodes { number } } }"
GOOD = {"message": "No.", "path": ["invoices"], "extensions": {"code": "FORBIDDEN"}}
NOTHING = {"data": {"invoices": None}}


async def test_random_requests_of_several_people_are_answered_with_coded_errors(own_gateway: Gateway) -> None:
    tokens = {person: own_gateway.token(f"{person}@demo.example") for person in PEOPLE}
    ids = known((await own_gateway.ask("owner", KNOWN))["data"])
    tally = await Crowd(own_gateway.client, tokens, ids).ask(range(CASES))
    assert tally.faults == []
    assert tally.cases == CASES
    assert tally.codes["OK"] > CASES / 10


def test_every_root_field_declares_that_a_condition_below_it_may_be_wrong() -> None:
    """`@skip(if: $no)` with null for a variable that has a default is an error of whatever field it stands under."""
    assert [root for root, codes in declared().items() if "BAD_USER_INPUT" not in codes] == []


def answer(body: Any, status: int = 200, media: str = MODERN) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return httpx.Response(status, content=content, headers={"content-type": f"{media}; charset=utf-8"})


@pytest.mark.parametrize(
    "fine",
    [
        answer({"data": {"invoices": {"nodes": []}}}),
        answer(NOTHING | {"errors": [GOOD]}),
        answer({"errors": [{"message": "No.", "extensions": {"code": "BAD_USER_INPUT"}}]}, 400),
    ],
)
def test_what_is_well_formed_is_no_fault(fine: httpx.Response) -> None:
    assert not list(faults(QUERY, MODERN, fine))


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (answer(b"Internal Server Error", 500), "HTTP 500"),
        (answer({"data": {}}, media=LEGACY), "was accepted"),
        (answer(b"{'data'"), "no JSON"),
        (answer([]), "no response of GraphQL"),
        (answer({"result": 1}), "no response of GraphQL"),
        (answer({"data": None}), "no data and no error"),
        (answer({"data": {}, "errors": []}), "an empty list"),
        (answer({"data": {}}, 400), "data with HTTP 400"),
        (answer({"errors": [{"message": "No.", "extensions": {"code": "BAD_USER_INPUT"}}]}), "with HTTP 200"),
        (answer(NOTHING | {"errors": [{"message": "No."}]}), "without a code"),
        (answer(NOTHING | {"errors": ["No."]}), "no error of GraphQL"),
        (answer(NOTHING | {"errors": [GOOD | {"extensions": {"code": "INTERNAL"}}]}), "masked"),
        (answer(NOTHING | {"errors": [GOOD | {"locations": [{"line": 0, "column": 1}]}]}), "no locations"),
        (answer({"data": {"invoices": {"nodes": []}}, "errors": [GOOD]}), "no null at"),
        (answer(NOTHING | {"errors": [GOOD | {"extensions": {"code": "CONFLICT"}}]}), "not declared"),
    ],
)
def test_what_is_not_well_formed_is_found(bad: httpx.Response, told: str) -> None:
    assert any(told in fault for fault in faults(QUERY, MODERN, bad))
