"""Messages to users: kept with what they tell of, in one transaction, and sent later, until they are sent.

A message is sent at least once. A worker that is killed after the receiving server took the message and before that
is noted sends it again, under the same Message-ID, by which receivers drop it; a sender that knows what it has sent
never repeats it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from enum import StrEnum
from typing import Any, Protocol

import structlog
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.events import notify
from services.letters import Address, Template, Unsendable, letter, stored, values_of
from services.storage.engine import Database
from services.storage.models import Member, Organization, new_id, now
from services.storage.rollout import Mail, MigrationItem

TOPIC = "mail"
"""Of the notice that messages wait."""
SENDER = Address("Finance integration", "no-reply@finance-integration.example")
AT_ONCE = 4
"""Messages under way to the server, of one worker."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""Between tries of one message; each pause is twice the one before, give or take half."""
NOTED_WITHIN = 30
"""Seconds for which a lost database is waited for, to note that a message has been sent."""
log = structlog.get_logger(__name__)


class NotSent(Exception):
    """The message was not taken; another time it may be. The text says why."""


class Unavailable(NotSent):
    """Nothing can be sent at the moment: the fault is not the message's."""


class Unknown(Unavailable):
    """The message was handed over, but no answer came: it may have been taken."""


class Refused(NotSent):
    """The message was refused for good."""


class Sender(Protocol):
    """A way out. `send` returns once the message is somebody else's responsibility; raises `NotSent`."""

    async def send(self, message: EmailMessage) -> None:
        """Send one message to the recipient that its header names."""


@dataclass(frozen=True)
class Sent:
    """What became of the messages that were due: how many were sent, put off, given up."""

    sent: int = 0
    postponed: int = 0
    given_up: int = 0

    @property
    def more(self) -> bool:
        """Whether going on is worth it: something could be done, and nothing says that the way out is closed."""
        return bool(self.sent or self.given_up)


class State(StrEnum):
    """Where a message is. One that is WAITING is tried when it is due, until it is one of the others."""

    WAITING = "WAITING"
    SENT = "SENT"
    GIVEN_UP = "GIVEN_UP"


@dataclass(frozen=True, slots=True)
class _Due:
    """A message that this transaction has locked, and the names in it."""

    mail: Mail
    organization: str
    member: str


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of a try, and the reason when it was not sent."""

    state: State
    error: str | None = None
    closed: bool = False


@dataclass
class _Round:
    """Several lanes that share what may be tried; they stop when the way out is closed."""

    sender: Sender
    permits: Iterator[int]
    states: Counter[State] = field(default_factory=Counter)
    closed: bool = False

    def count(self, tried: _Tried) -> None:
        self.states[tried.state] += 1
        self.closed |= tried.closed


class Outbox:
    """The messages of all organizations, from `sender`."""

    def __init__(self, database: Database, sender: Address = SENDER) -> None:
        self._database = database
        self._sender = sender

    async def add(
        self,
        session: AsyncSession,
        *,
        organization_id: str,
        member_id: str,
        event: str,
        recipient: str,
        template: Template,
        values: Mapping[str, Any],
        migration_item_id: str | None = None,
    ) -> bool:
        """Have a message sent once the session's transaction has committed; False when the member has had this event's.

        `values` are those of the template's type in `letters`; raises `msgspec.ValidationError` when they are not.
        The address is looked at when the message is sent: a bad one does not hinder what the message tells of.
        """
        mail = Mail(
            id=(own := new_id()),
            organization_id=organization_id,
            member_id=member_id,
            event=event,
            migration_item_id=migration_item_id,
            recipient=recipient,
            template=template,
            values=stored(values_of(template, values)),
            message_id=f"<{own}@{self._sender.domain}>",
        )
        row = mail.model_dump() | {"due_at": func.now()}
        statement = insert(Mail).values(row).on_conflict_do_nothing().returning(col(Mail.id))
        added = (await session.exec(statement)).first() is not None
        if added:
            await notify(session, TOPIC)
        return added

    async def send_due(self, sender: Sender, limit: int = 100) -> Sent:
        """Try up to `limit` messages that are due, each in a transaction of its own; others may do so at once.

        A message that cannot be taken at the moment is due again later, each time after a longer pause.
        """
        this = _Round(sender, iter(range(limit)))
        ends = await asyncio.gather(*(self._lane(this) for _ in range(AT_ONCE)), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end
        return Sent(this.states[State.SENT], this.states[State.WAITING], this.states[State.GIVEN_UP])

    async def _lane(self, this: _Round) -> None:
        for _ in this.permits:
            if this.closed or not await self._next(this):
                return

    async def _next(self, this: _Round) -> bool:
        """Try the message that has been due for longest; False when there is none."""
        due = tried = None
        try:
            async with self._database.session() as session:
                due = await _claim(session)
                if due is None:
                    return False
                tried = await self._try(this.sender, due)
                await _note(session, due.mail, tried)
        except OperationalError:
            if due is None or tried is None or tried.state is not State.SENT:
                raise
            await self._note_later(due.mail, tried)
        this.count(tried)
        return True

    async def _try(self, sender: Sender, due: _Due) -> _Tried:
        try:
            await sender.send(self._message(due))
        except (Refused, Unsendable) as error:
            log.warning("a message is given up", mail=due.mail.id, template=due.mail.template, reason=str(error))
            return _Tried(State.GIVEN_UP, str(error))
        except NotSent as error:
            log.info("a message is put off", mail=due.mail.id, attempts=due.mail.attempts + 1, reason=str(error))
            return _Tried(State.WAITING, str(error), isinstance(error, Unavailable))
        except Exception as error:  # one message must not stop the others
            log.exception("a message cannot be sent", mail=due.mail.id)
            return _Tried(State.WAITING, f"{type(error).__name__}: {error}")
        return _Tried(State.SENT)

    def _message(self, due: _Due) -> EmailMessage:
        mail, template = due.mail, Template(due.mail.template)
        message = letter(
            template,
            values_of(template, mail.values),
            organization=due.organization,
            sender=self._sender,
            recipient=Address(due.member, mail.recipient),
        )
        message["Date"] = mail.created_at
        message["Message-ID"] = mail.message_id
        return message

    async def _note_later(self, mail: Mail, tried: _Tried) -> None:
        """Note what has been sent although the database went away meanwhile."""
        for _ in range(NOTED_WITHIN):
            with suppress(OperationalError):
                async with self._database.session() as session:
                    return await _note(session, mail, tried)
            await asyncio.sleep(1)
        log.error("a message has been sent, but that could not be noted: it will be sent again", mail=mail.id)
        return None


async def _claim(session: AsyncSession) -> _Due | None:
    statement = (
        select(Mail, Organization.name, Member.name)
        .join(Organization, col(Organization.id) == col(Mail.organization_id))
        .join(Member, col(Member.id) == col(Mail.member_id))
        .where(Mail.state == State.WAITING, Mail.due_at <= func.now())
        .order_by(col(Mail.due_at), col(Mail.id))
        .limit(1)
        .with_for_update(of=Mail, skip_locked=True)
    )
    row = (await session.exec(statement)).first()
    if row is None:
        return None
    session.expunge(row[0])
    return _Due(*row)


async def _note(session: AsyncSession, mail: Mail, tried: _Tried) -> None:
    """Write down what came of a try, also for the item of the migration that the message tells of."""
    moment = now()
    sent = tried.state is State.SENT
    values = {
        "state": tried.state,
        "last_error": tried.error,
        "attempts": mail.attempts + 1,
        "sent_at": moment if sent else None,
        "due_at": func.clock_timestamp() + _pause(mail.attempts),  # the transaction is as old as the try
    }
    await session.exec(update(Mail).where(col(Mail.id) == mail.id).values(values))
    if sent and mail.migration_item_id:
        item = update(MigrationItem).where(col(MigrationItem.id) == mail.migration_item_id)
        await session.exec(item.values(emailed_at=moment))


def _pause(attempts: int) -> timedelta:
    """How long to wait after so many tries before the last one."""
    doublings: int = 2 ** min(attempts, 16)
    return min(FIRST_PAUSE * doublings, LONGEST_PAUSE) * random.uniform(0.5, 1.5)
