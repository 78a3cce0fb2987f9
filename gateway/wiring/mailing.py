"""How messages leave: over SMTP, or in the demo, as files."""

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import structlog
from procrastinate.exceptions import ConnectorException

from gateway.settings import Mail
from services.events import Events
from services.jobs import Jobs
from services.letters import ASCII, Address
from services.mail import SENDER, TOPIC, Outbox, Sender
from services.smtp import SmtpSender, Tls
from services.storage.engine import Database
from services.storage.failures import words
from services.storage.models import new_id

PORTS = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FileSender:
    """Keeps messages as `<Message-ID>.eml` in a directory; one that is sent again is the same file."""

    directory: Path

    async def send(self, message: EmailMessage, _recipients: Sequence[str] = ()) -> None:
        """Write the file, whole or not at all."""
        await to_thread(self._write, str(message["Message-ID"]).strip("<>").replace("/", "_"), message)

    def _write(self, name: str, message: EmailMessage) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        part = self.directory / f".{name}.{new_id()}"
        part.write_bytes(message.as_bytes(policy=ASCII))
        part.replace(self.directory / f"{name}.eml")


def outbox(database: Database, mail: Mail) -> Outbox:
    """The outbox that writes as the settings say."""
    return Outbox(database, Address(mail.sender_name, mail.sender or SENDER.email))


def way_out(mail: Mail) -> SmtpSender | FileSender | None:
    """The way out that is set; None when messages have to wait for one."""
    if mail.host:
        return _smtp(mail, mail.host)
    return FileSender(mail.directory) if mail.directory else None


class Post:
    """Sends what is due, in one place at a time of this process: a slow server must not occupy all who work on jobs."""

    def __init__(self, messages: Outbox, way: Sender | None) -> None:
        self._messages = messages
        self._way = way
        self._wanted = self._sending = False

    async def send(self) -> None:
        """Send until nothing is due or the server takes no more; who is sending already looks again instead."""
        self._wanted = True
        if self._sending:
            return
        self._sending = True
        try:
            while self._wanted:
                self._wanted = False
                await self._send()
        finally:
            self._sending = False

    async def _send(self) -> None:
        if self._way is None:
            log.warning("messages wait: set GATEWAY_MAIL__HOST and GATEWAY_MAIL__SENDER")
            return
        while (await self._messages.send_due(self._way)).more:
            pass


@asynccontextmanager
async def at_once(events: Events, jobs: Jobs) -> AsyncIterator[None]:
    """Within the block, order that messages are sent as soon as there are any."""
    task = asyncio.create_task(_order(events, jobs), name="mail")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _order(events: Events, jobs: Jobs) -> None:
    async with events.subscribe(TOPIC) as notices:
        async for _ in notices:
            try:
                await jobs.mail_soon()
            except ConnectorException as error:
                log.warning("messages wait for the next minute", error=words(error))


def _smtp(mail: Mail, host: str) -> SmtpSender:
    tls = Tls(mail.tls)
    return SmtpSender(
        host=host,
        port=mail.port or PORTS[tls],
        tls=tls,
        user=mail.user,
        password=mail.password.get_secret_value() if mail.password else None,
        seconds=mail.timeout_seconds,
    )
