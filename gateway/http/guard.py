"""What browsers are told to be careful about, in the head of every answer."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
ALWAYS_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}
LIBRARIES = "https://unpkg.com"
"""Where the page to try queries on has its libraries from, each named with its hash."""
GRAPHIQL = (
    f"default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' {LIBRARIES}; style-src 'unsafe-inline' {LIBRARIES}; "
    f"font-src data: {LIBRARIES}; img-src data: 'self'; worker-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""That page's policy: it runs its own scripts, and speaks to nobody but us."""


class Guard:
    """Adds these headers to answers that do not say otherwise themselves."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """`https`: browsers find us by nothing else."""
        self._app = app
        headers = {**STRICT, **(ALWAYS_HTTPS if https else {})}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in self._headers if one[0] not in said)]
            await send(message)

        await self._app(scope, receive, guarded)
