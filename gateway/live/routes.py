"""Where the connections that stay open come in."""

from starlette.websockets import WebSocket

from gateway.http.endpoint import Endpoint
from gateway.http.origin import is_foreign
from gateway.live.operations import Live
from gateway.live.socket import Socket
from gateway.live.tally import Tally
from gateway.settings import Live as Limits


def live_on(endpoint: Endpoint, limits: Limits) -> Live:
    """Live operations executed like all others."""
    return Live(
        endpoint,
        limits,
        strangers=Tally(limits.strangers, "connections of people who have not signed in"),
        sockets=Tally(limits.sockets_per_user, "connections"),
        operations=Tally(limits.operations_per_user, "operations"),
    )


async def connected(socket: WebSocket) -> None:
    """Serve one WebSocket, unless a page of a foreign origin opened it."""
    live: Live = socket.app.state.live
    if is_foreign(socket.headers, live.endpoint.limits.origins):  # browsers leave this to the server
        await socket.close()
        return
    await Socket(socket, live).serve()
