"""The way to the products' servers: the network, or an httpx transport that stands in for it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

from services.errors import UpstreamUnavailable
from services.upstream.auth import Received


class AnswerLost(UpstreamUnavailable):
    """The product was asked to write, but what became of it is not known."""


class Wire(Protocol):
    """Sends one request."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, within: float
    ) -> Received:
        """The answer, which must be there as a whole within so many seconds.

        Raises `UpstreamUnavailable` when nothing was sent, `AnswerLost` when no whole answer came.
        """

    async def aclose(self) -> None:
        """Close the connections."""


class Network:
    """HTTP/1.1 with kept connections; no cookies, no redirects, no proxies of the environment."""

    def __init__(self, connect: float) -> None:
        """`connect`: seconds in which a connection must be there."""
        builder = ClientBuilder().follow_redirects(enable=False).no_proxy().referer(enable=False)
        self._client = builder.connect_timeout(timedelta(seconds=connect)).build()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, within: float
    ) -> Received:
        """See `Wire`."""
        if within <= 0:
            raise UpstreamUnavailable
        try:
            request = self._client.request(method, url).headers(headers).timeout(timedelta(seconds=within))
            response = await (request if content is None else request.body_bytes(content)).build().send()
            return Received(response.status, response.headers, (await response.bytes()).to_bytes())
        except PyreqwestError as error:
            raise (UpstreamUnavailable if _unsent(error) else AnswerLost) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _unsent(error: PyreqwestError) -> bool:
    """Whether the failure came before anything was sent.

    pyreqwest calls a connection that broke after sending a ConnectError too; what lies behind it in hyper tells.
    """
    if isinstance(error, DetailedPyreqwestError) and error.details:
        return any(cause["message"] == "client error (Connect)" for cause in error.details["causes"] or ())
    return isinstance(error, BuilderError | PoolTimeoutError)


class Transported:
    """Anything that httpx can send through, such as the sandbox in the same process."""

    def __init__(self, transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> None:
        self._transport = transport
        self._extensions = {"timeout": timeout.as_dict()}

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, within: float
    ) -> Received:
        """See `Wire`."""
        request = httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)
        try:
            async with asyncio.timeout(within):
                response = await self._transport.handle_async_request(request)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise UpstreamUnavailable from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise AnswerLost from error
        return Received(response.status_code, response.headers, body)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()
