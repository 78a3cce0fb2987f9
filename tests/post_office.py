"""A real SMTP server in this process, which can be slow, broken or unwilling."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.certificates import localhost

Answer = Callable[[str], str]
"""What is answered, by the recipient's address."""


def fine(_: str) -> str:
    return "250 OK"


@dataclass
class PostOffice:
    """Keeps what it takes; `at_rcpt` and `at_data` answer the steps, each message taking `seconds`."""

    at_mail: Answer = fine
    at_rcpt: Answer = fine
    at_data: Answer = fine
    seconds: float = 0
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: Counter[str] = field(default_factory=Counter)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    busiest: int = 0
    _busy: int = 0

    async def handle_MAIL(  # noqa: N802 - the name is aiosmtpd's
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.at_mail(address)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.at_rcpt(address)

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        await asyncio.sleep(self.seconds)
        self._busy -= 1
        answer = self.at_data(envelope.rcpt_tos[0])
        if answer.startswith("250"):
            self.take(envelope)
        return answer

    def take(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.recipients.update(envelope.rcpt_tos)

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login, given.password))
        return AuthResult(success=given.password == b"right", handled=False)


@asynccontextmanager
async def opened(office: PostOffice, certificate: Path | None = None) -> AsyncIterator[PostOffice]:
    """The office on a port of its own within the block; with a certificate it insists on STARTTLS and a login."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context and certificate:
        context.load_cert_chain(*localhost(certificate))
    loop = asyncio.get_running_loop()

    def connected() -> SMTP:
        return SMTP(
            office,
            loop=loop,
            hostname="post-office.example",
            tls_context=context,
            require_starttls=context is not None,
            auth_required=context is not None,
            authenticator=office.authenticate,
        )

    server = await loop.create_server(connected, "127.0.0.1", office.port)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
