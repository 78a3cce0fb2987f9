"""graphql-transport-ws, message by message, against a served gateway."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any, TypedDict

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from websockets.exceptions import InvalidStatus

from gateway.live.socket import SPARE
from gateway.settings import Http, Live
from tests.gateway.live_harness import ADMINISTRATORS_ONLY, PROTOCOL, SEEN, Client, Server, served
from tests.harness import Demo

LIMITS = Live(sockets_per_user=3, operations_per_user=4, pause_seconds=0.05, silence_seconds=0.1)


@pytest.fixture(scope="module")
async def live(demo: Demo) -> AsyncIterator[Server]:
    async with demo.gateway() as gateway, served(gateway, LIMITS) as live:
        yield live


@pytest.fixture
def topic() -> str:
    return secrets.token_hex(4)


async def watching(client: Client, topic: str, key: str = "1", query: str = SEEN) -> None:
    """Subscribed and connected: whatever is told from here on is heard."""
    await client.subscribe(key, query, topic=topic)
    message = await client.hear()
    assert (message["type"], message["id"]) == ("next", key), message


def code_of(message: dict[str, Any]) -> str:
    (error,) = message["payload"]
    code: str = error["extensions"]["code"]
    return code


async def test_a_live_operation_is_answered_event_by_event_and_completed(live: Server) -> None:
    async with live.signed_in("staff") as client:
        assert client.socket.subprotocol == PROTOCOL
        await client.subscribe("a", "subscription { count(to: 3) }")
        heard = [await client.hear() for _ in range(4)]
        assert heard == [
            *({"type": "next", "id": "a", "payload": {"data": {"count": number}}} for number in range(3)),
            {"type": "complete", "id": "a"},
        ]
        await client.subscribe("a", "subscription { count(to: 0) }")
        assert await client.hear() == {"type": "complete", "id": "a"}


async def test_several_operations_run_side_by_side_and_end_one_by_one(live: Server, topic: str) -> None:
    async with live.signed_in("staff") as client:
        await watching(client, topic, "1")
        await watching(client, f"{topic}2", "2")
        await client.say("complete", id="1")
        await live.until_left(topic)
        await live.tell(topic, "nobody listens")
        await live.tell(f"{topic}2", "news")
        assert (await client.hear())["payload"] == {
            "data": {"seen": {"what": "news", "by": "staff@demo.example", "administers": False}}
        }
        await watching(client, topic, "1")


async def test_queries_and_mutations_are_answered_once(live: Server) -> None:
    async with live.signed_in("staff") as client:
        for query, data in {
            "{ name }": {"name": "staff@demo.example"},
            'mutation { shout(word: "now") }': {"shout": "NOW"},
        }.items():
            await client.subscribe("1", query)
            assert await client.hear() == {"type": "next", "id": "1", "payload": {"data": data}}
            assert await client.hear() == {"type": "complete", "id": "1"}


@pytest.mark.parametrize(
    "payload",
    [
        {"query": "subscription {"},
        {"query": "subscription { nothing }"},
        {"query": "subscription { count(to: 1) a: count(to: 1) }"},
        {"query": "subscription ($to: Int!) { count(to: $to) }", "variables": {"to": "x"}},
        {"query": "subscription A { count(to: 1) } subscription B { count(to: 1) }"},
        {"query": "subscription A { count(to: 1) }", "operationName": "B"},
        {"query": "query { nothing }"},
    ],
    ids=["syntax", "validation", "two fields", "variable", "ambiguous", "unknown", "query"],
)
async def test_an_operation_that_cannot_be_executed_ends_with_an_error_and_the_socket_stays(
    live: Server, payload: dict[str, Any]
) -> None:
    async with live.signed_in("staff") as client:
        await client.say("subscribe", id="1", payload=payload)
        message = await client.hear()
        assert (message["type"], message["id"], code_of(message)) == ("error", "1", "BAD_USER_INPUT")
        await client.subscribe("1", "{ name }")
        assert (await client.hear())["type"] == "next"


@pytest.mark.parametrize(("unforeseen", "code"), [(False, "NOT_FOUND"), (True, "INTERNAL")])
async def test_an_operation_that_fails_later_ends_with_a_coded_error_and_nothing_of_the_inside(
    live: Server, unforeseen: bool, code: str
) -> None:
    async with live.signed_in("staff") as client:
        await client.subscribe("1", "subscription ($u: Boolean!) { fails(unforeseen: $u) }", u=unforeseen)
        assert (await client.hear())["payload"] == {"data": {"fails": 1}}
        message = await client.hear()
        assert (message["type"], code_of(message)) == ("error", code)
        assert "secret" not in json.dumps(message)


class Handshake(TypedDict, total=False):
    authorization: str


async def test_the_token_may_stand_in_the_first_message_or_in_the_handshake(live: Server) -> None:
    token = live.token("staff")
    ways: list[tuple[Handshake, dict[str, Any]]] = [
        ({}, {"payload": {"authorization": f"Bearer {token}"}}),
        ({}, {"payload": {"Authorization": f"bearer {token}"}}),
        ({}, {"payload": {"token": token}}),
        ({"authorization": f"Bearer {token}"}, {}),
        ({"authorization": "Bearer a.b.c"}, {"payload": {"token": token}}),
    ]
    for headers, fields in ways:
        async with live.connected(**headers) as client:
            await client.say("connection_init", **fields)
            assert await client.hear() == {"type": "connection_ack"}, (headers, fields)


@pytest.mark.parametrize("payload", [None, {}, {"token": "a.b.c"}, {"token": 5}, {"authorization": "Basic x"}])
async def test_without_a_valid_token_the_socket_is_closed_as_unauthorized(live: Server, payload: Any) -> None:
    async with live.connected() as client:
        await client.say("connection_init", payload=payload)
        assert (await client.closed())[0] == 4401


async def test_a_first_message_may_name_the_organization(live: Server) -> None:
    async with live.connected() as client:
        await client.say("connection_init", payload={"token": live.token("staff"), "Gateway-Organization": "nowhere"})
        assert (await client.closed())[0] == 4401


async def test_an_operation_before_the_initialisation_is_unauthorized(live: Server) -> None:
    async with live.connected(authorization=f"Bearer {live.token('staff')}") as client:
        await client.subscribe("1", "{ name }")
        assert (await client.closed())[0] == 4401


async def test_a_ping_is_answered_at_any_time(live: Server) -> None:
    async with live.connected() as client:
        await client.say("ping", payload={"n": 1})
        assert await client.hear() == {"type": "pong", "payload": {"n": 1}}
        await client.say("pong")
        await client.say("connection_init", payload={"token": live.token("staff")})
        assert await client.hear() == {"type": "connection_ack"}
        await client.say("ping")
        assert await client.hear() == {"type": "pong"}


async def test_who_says_nothing_is_not_waited_for(demo: Demo) -> None:
    async with (
        demo.gateway() as gateway,
        served(gateway, Live(initialisation_seconds=0.5)) as live,
        live.connected() as client,
    ):
        await client.say("ping")
        assert await client.closed() == (4408, "Connection initialisation timeout")


async def test_a_second_initialisation_closes_the_socket(live: Server) -> None:
    async with live.signed_in("staff") as client:
        await client.say("connection_init")
        assert await client.closed() == (4429, "Too many initialisation requests")


async def test_an_id_in_use_closes_the_socket_and_ends_its_operations(live: Server, topic: str) -> None:
    async with live.signed_in("staff") as client:
        await watching(client, topic, "x" * 200)
        await client.subscribe("x" * 200, "{ name }")
        code, reason = await client.closed()
        assert (code, reason[:20]) == (4409, "Subscriber for xxxxx")
    await live.until_left(topic)


@pytest.mark.parametrize(
    "message",
    [
        *("", "hello", "null", "[]", "5", "{}", '{"type": 5}', '{"type": "start"}', "[" * 5000, b"\x00\x01"),
        *('{"type": "ping", "payload": 1}', '{"type": "ping", "type": "ping"}', '{"type": "complete"}'),
        *(
            '{"type": "subscribe"}',
            '{"type": "subscribe", "id": "1"}',
            '{"type": "subscribe", "id": "1", "payload": 1}',
        ),
        '{"type": "subscribe", "id": "", "payload": {"query": "{ name }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ name }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ name }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ name }", "operationName": {}}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ name }", "variables": {"a": NaN}}}',
        r'{"type": "subscribe", "id": "\ud800", "payload": {"query": "{ name }"}}',
    ],
    ids=repr,
)
async def test_what_is_no_message_of_the_protocol_closes_the_socket_as_malformed(
    live: Server, message: str | bytes
) -> None:
    async with live.connected() as early, live.signed_in("staff") as late:
        for client, codes in ((early, {4400, 4401}), (late, {4400})):
            await client.socket.send(message)
            assert (await client.closed())[0] in codes


async def test_another_subprotocol_is_not_spoken(live: Server) -> None:
    for protocols in ([], ["graphql-ws"]):
        async with live.connected(protocols=protocols) as client:
            assert (await client.closed())[0] == 4406


async def test_a_page_of_a_foreign_origin_is_not_let_in_and_one_of_ours_is(live: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with live.connected(origin="https://elsewhere.example"):
            pass
    async with live.connected(origin=live.address):
        pass


async def test_more_sockets_or_operations_than_a_user_may_have_are_refused_and_others_are_not(
    live: Server, topic: str
) -> None:
    async with live.signed_in("billing") as client, live.signed_in("billing"), live.signed_in("billing"):
        async with live.connected() as fourth, live.signed_in("readonly"):
            await fourth.say("connection_init", payload={"token": live.token("billing")})
            assert (await fourth.closed())[0] == 1013
        for number in range(4):
            await watching(client, f"{topic}{number}", str(number))
        await client.subscribe("5", "{ name }")
        message = await client.hear()
        assert (message["type"], code_of(message)) == ("error", "LIMIT_REACHED")
        await client.say("complete", id="0")
        await live.until_left(f"{topic}0")
        await client.subscribe("5", "{ name }")
        assert (await client.hear())["type"] == "next"


async def test_who_does_not_read_his_answers_is_not_read_either(live: Server) -> None:
    async with live.signed_in("sales") as client:
        client.socket.transport.pause_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                for number in range(120):
                    query = "mutation ($word: String!) { shout(word: $word) }"
                    await client.subscribe(str(number), query, word="x" * 300_000)
        under_way = [task for task in asyncio.all_tasks() if task.get_name().startswith("live ")]
        assert len(under_way) <= LIMITS.operations_per_user + SPARE
        client.socket.transport.abort()


async def test_messages_are_not_compressed_and_so_no_larger_than_they_come(live: Server) -> None:
    async with live.connected() as client:
        assert client.socket.protocol.extensions == []


async def test_what_happens_faster_than_the_client_is_told_is_told_once(live: Server, topic: str) -> None:
    async with live.signed_in("staff") as client:
        await watching(client, topic)
        for _ in range(20):
            await live.tell(topic, "same")
        await live.tell(topic, "end")
        heard = []
        while "end" not in heard:
            heard.append((await client.hear())["payload"]["data"]["seen"]["what"])
        assert len(heard) < 15


async def test_a_socket_is_closed_for_the_client_to_come_back_when_the_token_of_its_operation_ends(
    live: Server, topic: str
) -> None:
    leeway = 30
    async with live.signed_in("staff", lifetime=4 - leeway) as client:
        await watching(client, topic)
        assert await client.closed() == (4403, "The token is not valid.")
    await live.until_left(topic)


async def test_a_client_that_is_gone_leaves_nothing_behind(live: Server, topic: str) -> None:
    async with live.signed_in("staff") as client:
        await watching(client, topic)
        client.socket.transport.abort()
    await live.until_left(topic)


async def test_each_event_is_seen_with_the_rights_of_its_moment(demo: Demo, topic: str) -> None:
    confidential = SEEN.replace("seen", "confidential")
    async with demo.gateway() as gateway, served(gateway, LIMITS) as live:
        async with live.signed_in("staff") as nobody:
            await nobody.subscribe("1", confidential, topic=topic)
            message = await nobody.hear()
            assert (message["type"], code_of(message)) == ("error", "FORBIDDEN")
        async with live.signed_in("owner") as client:
            await watching(client, topic, "1")
            await watching(client, topic, "2", confidential)
            await live.change("UPDATE profiles SET administers = false")
            await live.tell(topic, "now")
            first, second = sorted([await client.hear(), await client.hear()], key=lambda message: message["id"])
            assert first["payload"]["data"]["seen"]["administers"] is False
            assert (second["type"], code_of(second)) == ("error", "FORBIDDEN")
            assert second["payload"][0]["extensions"]["required"] == ADMINISTRATORS_ONLY
            await live.change("UPDATE members SET status = 'inactive'")
            await live.tell(topic, "again")
            assert (await client.closed())[0] == 4403


@contextmanager
def away(server: str, database: str) -> Iterator[None]:
    """The server ends all connections to the database, and takes none within the block."""
    conninfo = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    admits = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(admits.format(sql.Identifier(database), False))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        try:
            yield
        finally:
            connection.execute(admits.format(sql.Identifier(database), True))


async def test_whoever_connects_while_the_database_is_away_is_told_to_come_back(demo: Demo) -> None:
    async with demo.gateway() as gateway, served(gateway, LIMITS) as live:
        with away(demo.server, str(live.database.url.database)):
            async with live.connected() as client:
                await client.say("connection_init", payload={"token": live.token("staff")})
                code, reason = await client.closed()
                assert (code, "Try again" in reason) == (1013, True)  # clients do not come back after 1011
        async with live.signed_in("staff") as client:
            await client.say("ping")
            assert await client.hear() == {"type": "pong"}


async def test_a_client_whose_rights_cannot_be_looked_at_when_something_happens_is_told_to_come_back(
    demo: Demo, topic: str
) -> None:
    async with (
        demo.gateway() as gateway,
        served(gateway, LIMITS, Http(deadline_seconds=0.5)) as live,
        live.signed_in("staff") as client,
    ):
        await watching(client, topic)
        async with live.undecided():
            await live.tell(topic, "now")
            assert (await client.closed())[0] == 1013


async def test_a_socket_outlives_the_patience_for_the_heads_of_requests_and_ends_with_the_server(
    demo: Demo, topic: str
) -> None:
    async with demo.gateway() as gateway, AsyncExitStack() as later:
        async with served(gateway, LIMITS, Http(receive_seconds=0.5)) as live:
            client = await later.enter_async_context(live.signed_in("staff"))
            await watching(client, topic)
            await asyncio.sleep(0.8)
            await live.tell(topic, "still here")
            assert (await client.hear())["payload"]["data"]["seen"]["what"] == "still here"
        assert (await client.closed())[0] == 1012
        await live.until_left(topic)
