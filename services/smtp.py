"""The way out over SMTP."""

import ssl
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from services.letters import ASCII
from services.mail import NotSent, Refused, Unavailable, Unknown

PERMANENT = 500
TAKEN_WITHIN = 600.0
"""Seconds for the answer to a whole message: who gives up sooner sends it twice (RFC 5321, 4.5.3.2.6)."""
FAREWELL = 2.0


class Tls(StrEnum):
    """How the connection is encrypted: from its start, after asking the server (which has to agree), or not."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class SmtpSender:
    """A server that takes messages; `seconds` bounds each step except the server's answer to the whole message."""

    host: str
    port: int
    tls: Tls = Tls.STARTTLS
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    seconds: float = 30.0
    trusted: ssl.SSLContext | None = None
    """Whose certificates are accepted; the system's without."""

    async def send(self, message: EmailMessage, recipients: Sequence[str] = ()) -> None:
        """Have the server take the message for all recipients or none; raises `NotSent`.

        Without recipients it goes to the first one that the header names.
        """
        smtp = self._connection()
        try:
            await _possible(smtp.connect())
            await _possible(smtp.mail(_address(message, "from")))
            for recipient in recipients or (_address(message, "to"),):
                await _taken(smtp.rcpt(recipient))
            await _taken(smtp.data(message.as_bytes(policy=ASCII), timeout=TAKEN_WITHIN), silence=Unknown)
            with suppress(SMTPException, OSError):
                await smtp.quit(timeout=FAREWELL)
        finally:
            smtp.close()

    def _connection(self) -> SMTP:
        return SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.tls is Tls.IMPLICIT,
            start_tls=self.tls is Tls.STARTTLS,
            tls_context=self.trusted,
            timeout=self.seconds,
        )


async def _possible(step: Awaitable[object]) -> None:
    """A step that says nothing of the message: what fails here fails for all."""
    try:
        await step
    except (SMTPException, OSError) as error:
        raise Unavailable(_told(error)) from error


async def _taken(step: Awaitable[object], silence: type[Unavailable] = Unavailable) -> None:
    """A step in which the server may refuse this very message, for now or for good; `silence`: it says nothing."""
    try:
        await step
    except (SMTPRecipientRefused, SMTPDataError) as error:
        raise (Refused if error.code >= PERMANENT else NotSent)(_told(error)) from error
    except SMTPResponseException as error:
        raise Unavailable(_told(error)) from error
    except (SMTPException, OSError) as error:
        raise silence(_told(error)) from error


def _told(error: Exception) -> str:
    """The fault as the server or the network told it."""
    told = f"{error.code} {error.message}" if isinstance(error, SMTPResponseException) else str(error)
    return " ".join(told.split()) or type(error).__name__


def _address(message: EmailMessage, header: str) -> str:
    return str(message[header].addresses[0].addr_spec)
