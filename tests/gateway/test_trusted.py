"""Operations that are sent by the ids of documents that were taken in."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Documents
from gateway.trusted.manifest import Untakable
from gateway.trusted.taking import add, listed, remove
from tests.harness import Gateway, running

QUERY = "query Who { viewer { email } }"
ID = sha256(QUERY.encode()).hexdigest()
ANSWER = {"data": {"viewer": {"email": "staff@demo.example"}}}


@pytest.fixture
def file(room: Path) -> Path:
    path = room / "who.graphql"
    path.write_text(QUERY)
    return path


def sent(key: str) -> list[dict[str, Any]]:
    """The ways in which clients name a document."""
    return [
        {"documentId": key},
        {"doc_id": key},
        {"id": key},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": key}}},
    ]


async def test_a_document_that_was_taken_in_is_executed_by_its_id(own_gateway: Gateway, file: Path) -> None:
    unknown = await own_gateway.post("staff", {"documentId": ID})
    assert (unknown.status_code, unknown.json()["errors"][0]["extensions"]["code"]) == (404, "NOT_FOUND")
    assert await add(own_gateway.settings, [file]) == ({ID: QUERY}, 1)
    assert await add(own_gateway.settings, [file]) == ({ID: QUERY}, 0)
    for body in sent(ID):
        assert (await own_gateway.post("staff", body)).json() == ANSWER
        url = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
        assert (await own_gateway.send("staff", "GET", "/graphql", params=url)).json() == ANSWER
    streamed = await own_gateway.post("staff", {"documentId": ID}, accept="text/event-stream")
    assert json.dumps(ANSWER, separators=(",", ":")) in streamed.text
    other = await own_gateway.post("staff", {"documentId": ID, "query": "{ viewer { id } }"})
    assert other.status_code == 400


async def test_clients_that_fall_back_are_told_so_by_the_message_they_know(own_gateway: Gateway) -> None:
    named = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ID}}}
    unknown = await own_gateway.post("staff", named)
    assert (unknown.status_code, unknown.json()["errors"][0]["message"]) == (404, "PersistedQueryNotFound")
    assert (await own_gateway.post("staff", named | {"query": QUERY})).json() == ANSWER


async def test_where_only_trusted_documents_run_nothing_else_does(own_gateway: Gateway, file: Path) -> None:
    await add(own_gateway.settings, [file])
    strict = own_gateway.settings.model_copy(update={"documents": Documents(only=True, remembered_seconds=0)})
    async with running(strict, own_gateway.sandbox) as gateway:
        for body in [*sent(ID), {"query": QUERY}]:
            assert (await gateway.post("staff", body)).json() == ANSWER
        for query in ("{ viewer { id } }", "{ __typename }", QUERY + " "):
            for body in ({"query": query}, {"query": query, "documentId": sha256(query.encode()).hexdigest()}):
                refused = await gateway.post("staff", body)
                assert refused.status_code in (403, 404)
                assert "data" not in refused.json()
        streamed = await gateway.post("staff", {"query": "{ viewer { id } }"}, accept="text/event-stream")
        assert "FORBIDDEN" in streamed.text
        assert await remove(strict, [ID]) == 1
        assert (await gateway.post("staff", {"documentId": ID})).status_code == 404


async def test_manifests_of_clients_tools_are_taken_in_under_their_own_ids(own_gateway: Gateway, room: Path) -> None:
    relay, apollo = room / "relay.json", room / "apollo.json"
    relay.write_text(json.dumps({"0123abcd": QUERY}))
    listing = [{"id": "who", "name": "Who", "type": "query", "body": QUERY}]
    apollo.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": listing}))
    taken, new = await add(own_gateway.settings, [relay, apollo])
    assert (set(taken), new) == ({ID, "0123abcd", "who"}, 3)
    assert len(await listed(own_gateway.settings)) == 3
    for key in taken:
        assert (await own_gateway.post("staff", {"id": key})).json() == ANSWER


async def test_what_is_not_valid_is_not_taken_in(own_gateway: Gateway, room: Path, file: Path) -> None:
    wrong = room / "wrong.graphql"
    for text in ("{ viewer { nobody } }", "{", ""):
        wrong.write_text(text)
        with pytest.raises(Untakable, match=r"wrong\.graphql"):
            await add(own_gateway.settings, [file, wrong])
    assert await listed(own_gateway.settings) == []
