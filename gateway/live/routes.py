"""Where the connections that stay open come in."""

from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from gateway.endpoint import Endpoint
from gateway.live.operations import Live
from gateway.live.socket import Socket
from gateway.live.tally import Tally
from gateway.settings import Live as Limits


def live_on(endpoint: Endpoint, limits: Limits) -> Live:
    """Live operations executed like all others."""
    return Live(
        endpoint,
        limits,
        sockets=Tally(limits.sockets_per_user, "connections"),
        operations=Tally(limits.operations_per_user, "operations"),
    )


async def connected(socket: WebSocket) -> None:
    """Serve one WebSocket, unless a page of a foreign origin opened it."""
    live: Live = socket.app.state.live
    if _is_foreign(socket, live.endpoint.limits.origins):
        await socket.close()
        return
    await Socket(socket, live).serve()


def _is_foreign(socket: WebSocket, origins: tuple[str, ...]) -> bool:
    """Browsers name a page's origin and, unlike with HTTP, leave it to the server to mind."""
    origin = socket.headers.get("origin")
    own = socket.headers.get("host")
    return origin is not None and origin not in origins and urlsplit(origin).netloc != own
