"""Connections that stay open, at the served gateway's end."""

import json
import signal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.gateway.live_harness import PATIENCE, PROTOCOL
from tests.gateway.test_serving import served, token, wait_until_gone


def test_an_open_socket_does_not_keep_the_gateway_from_ending(room: Path) -> None:
    data = room / "var"
    with served(data) as (process, address):
        with connect(f"{address.replace('http', 'ws')}/graphql", subprotocols=[PROTOCOL]) as socket:
            socket.send(json.dumps({"type": "connection_init", "payload": {"token": token(data, "staff")}}))
            assert json.loads(socket.recv(PATIENCE)) == {"type": "connection_ack"}
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed, match="1012"):
                socket.recv(PATIENCE)
        assert process.wait(PATIENCE) == 0
    wait_until_gone(data)
