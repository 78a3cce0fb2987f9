import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from services.letters import Address, Template
from services.mail import Outbox, Sender, Sent, Unavailable
from services.smtp import SmtpSender, Tls
from services.storage.engine import Database
from services.storage.models import now
from services.storage.rollout import Mail, Migration, MigrationItem
from tests.certificates import localhost
from tests.post_office import PostOffice, fine, opened

LEFT_WITHIN = 15.0
"""Seconds, on a machine however busy; half of what a server is given without being told otherwise."""
MIGRATED = {"access": "PRODUCT_USER", "products": ["BOOKS"]}


class Desk:
    """An organization that writes to its members."""

    def __init__(self, database: Database, company: Any) -> None:
        self.database = database
        self.company = company
        self.outbox = Outbox(database, Address("Finance integration", "no-reply@gateway.example"))

    async def write(self, local: str, **given: Any) -> Any:
        """Have a message to a new member sent; the member."""
        member = await self.company.member(local)
        assert await self.add(member, **given)
        return member

    async def add(self, member: Any, event: str = "MIGRATED", **given: Any) -> bool:
        given = {"recipient": member.email, "template": Template.MIGRATED, "values": MIGRATED} | given
        async with self.database.session() as session:
            return await self.outbox.add(
                session, organization_id=self.company.id, member_id=member.id, event=event, **given
            )

    async def mails(self) -> list[Mail]:
        async with self.database.session() as session:
            return list((await session.exec(select(Mail).order_by(col(Mail.created_at)))).all())

    async def mail(self) -> Mail:
        (mail,) = await self.mails()
        return mail

    async def wait(self) -> None:
        """Until everything is due again."""
        async with self.database.session() as session:
            await session.exec(update(Mail).values(due_at=now()))


@pytest.fixture
async def desk(own_database: Database, found: Callable[..., Any]) -> Desk:
    return Desk(own_database, await found(own_database))


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with opened(PostOffice()) as office:
        yield office


def way(office: PostOffice, **options: Any) -> SmtpSender:
    given: dict[str, Any] = {"tls": Tls.NONE, "seconds": 5.0} | options
    return SmtpSender(host="127.0.0.1", port=office.port, **given)


async def test_a_message_arrives_in_text_and_html(desk: Desk, office: PostOffice) -> None:
    await desk.write("staff")
    assert await desk.outbox.send_due(way(office)) == Sent(sent=1)
    (message,) = office.taken
    mail = await desk.mail()
    assert message["To"].addresses[0].display_name == "Staff"
    assert message["From"] == "Finance integration <no-reply@gateway.example>"
    assert message["Subject"] == "Harbor Foods: your access to the finance modules has changed"
    assert (message["Message-ID"], message["Auto-Submitted"]) == (mail.message_id, "auto-generated")
    assert message["Date"].datetime == mail.created_at.replace(microsecond=0)
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert "your own access" in body.get_content()
    assert (mail.state, mail.attempts, mail.last_error) == ("SENT", 1, None)
    assert mail.sent_at is not None


async def test_a_member_is_written_to_once_about_an_event(desk: Desk, office: PostOffice) -> None:
    member = await desk.write("staff")
    answers = await asyncio.gather(*(desk.add(member, "CAPABILITIES_UPGRADED") for _ in range(5)))
    assert sorted(answers) == [False] * 4 + [True]
    assert not await desk.add(member)
    await desk.outbox.send_due(way(office))
    assert not await desk.add(member)
    assert await desk.outbox.send_due(way(office)) == Sent()
    assert office.recipients == {member.email: 2}


async def test_nothing_is_sent_when_what_it_tells_of_does_not_happen(desk: Desk) -> None:
    member = await desk.company.member("staff")

    async def fail() -> None:
        async with desk.database.session() as session:
            await desk.outbox.add(
                session,
                organization_id=desk.company.id,
                member_id=member.id,
                event="MIGRATED",
                recipient=member.email,
                template=Template.MIGRATED,
                values=MIGRATED,
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await desk.mails() == []


@pytest.mark.parametrize("values", [{}, MIGRATED | {"access": "OWNER"}, MIGRATED | {"password": "x"}])
async def test_values_that_do_not_fit_the_template_are_refused_at_once(desk: Desk, values: Any) -> None:
    member = await desk.company.member("staff")
    with pytest.raises(msgspec.ValidationError):
        await desk.add(member, values=values)


async def test_the_item_of_the_migration_says_when_the_message_left(desk: Desk, office: PostOffice) -> None:
    member = await desk.company.member("staff")
    migration = Migration(
        organization_id=desk.company.id, purpose="USERS", state="RUNNING", capability_set="ALL_FINANCE_MODULES"
    )
    await desk.company.add(migration)
    item = MigrationItem(
        migration_id=migration.id,
        member_id=member.id,
        position=1,
        from_access="OWNER_DELEGATED",
        to_access="PRODUCT_USER",
        state="MIGRATED",
    )
    await desk.company.add(item)
    await desk.add(member, migration_item_id=item.id)
    await desk.outbox.send_due(way(office))
    async with desk.database.session() as session:
        assert (await session.get_one(MigrationItem, item.id)).emailed_at == (await desk.mail()).sent_at


async def test_messages_wait_while_the_server_is_down(desk: Desk, office: PostOffice) -> None:
    for number in range(20):
        await desk.write(f"staff-{number}")
    async with opened(PostOffice()) as closed:
        pass
    done = await desk.outbox.send_due(way(closed))
    assert (done.sent, done.given_up, done.more) == (0, 0, False)
    assert 1 <= done.postponed <= 4, "who finds the server down does not try all the rest"
    tried = [mail for mail in await desk.mails() if mail.attempts]
    assert len(tried) == done.postponed
    for mail in tried:
        assert mail.state == "WAITING"
        assert timedelta(seconds=10) < mail.due_at - now() < timedelta(seconds=46)
        assert mail.last_error
    await desk.wait()
    assert await desk.outbox.send_due(way(office)) == Sent(sent=20)
    assert set(office.recipients.values()) == {1}


async def test_a_message_is_put_off_for_longer_each_time(desk: Desk, office: PostOffice) -> None:
    office.at_rcpt = lambda _: "451 4.7.1 Try again later"
    await desk.write("staff")
    for longest in (45, 90, 180, 360):
        assert await desk.outbox.send_due(way(office)) == Sent(postponed=1)
        assert await desk.outbox.send_due(way(office)) == Sent(), "it is not due"
        pause = (await desk.mail()).due_at - now()
        assert timedelta(seconds=longest / 3 - 1) < pause <= timedelta(seconds=longest)
        await desk.wait()
    assert (await desk.mail()).last_error == "451 4.7.1 Try again later"
    office.at_rcpt = fine
    assert await desk.outbox.send_due(way(office)) == Sent(sent=1)


@pytest.mark.parametrize("step", ["at_rcpt", "at_data"])
async def test_a_message_that_is_refused_for_good_is_given_up_and_the_others_go_on(
    desk: Desk, office: PostOffice, step: str
) -> None:
    gone = await desk.write("gone")
    await desk.write("staff")
    setattr(office, step, lambda address: "550 5.1.1 No such user" if address == gone.email else "250 OK")
    assert await desk.outbox.send_due(way(office)) == Sent(sent=1, given_up=1)
    assert [(mail.state, mail.last_error) for mail in await desk.mails()] == [
        ("GIVEN_UP", "550 5.1.1 No such user"),
        ("SENT", None),
    ]
    assert await desk.outbox.send_due(way(office)) == Sent()


async def test_a_message_is_not_given_up_for_a_fault_that_is_not_its_own(desk: Desk, office: PostOffice) -> None:
    office.at_mail = lambda _: "550 5.7.1 This sender may not send"
    await desk.write("staff")
    assert await desk.outbox.send_due(way(office)) == Sent(postponed=1)
    assert (await desk.mail()).state == "WAITING"


@pytest.mark.parametrize("address", ["staff", "staff@", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"])
async def test_an_address_that_is_none_is_given_up(desk: Desk, office: PostOffice, address: str) -> None:
    await desk.write("staff", recipient=address)
    assert await desk.outbox.send_due(way(office)) == Sent(given_up=1)
    assert ((await desk.mail()).last_error or "").startswith("The address cannot be written to")
    assert not office.recipients


async def test_a_slow_server_gets_each_message_once(desk: Desk, office: PostOffice) -> None:
    office.seconds = 1.0
    for number in range(4):
        await desk.write(f"staff-{number}")
    assert await desk.outbox.send_due(way(office, seconds=0.5)) == Sent(sent=4)
    assert (set(office.recipients.values()), office.busiest) == ({1}, 4)


async def test_a_server_that_says_nothing_is_left_in_time(desk: Desk) -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    await desk.write("staff")
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    office = PostOffice(port=server.sockets[0].getsockname()[1])
    async with asyncio.timeout(LEFT_WITHIN):
        assert await desk.outbox.send_due(way(office, seconds=0.3)) == Sent(postponed=1)
        await left.wait()
    server.close()


async def test_workers_that_send_at_once_share_the_messages(desk: Desk, office: PostOffice) -> None:
    for number in range(40):
        await desk.write(f"staff-{number}")
    workers = [Outbox(Database(desk.database.url)) for _ in range(3)]
    office.seconds = 0.02
    done = await asyncio.gather(*(worker.send_due(way(office)) for worker in workers))
    assert sum(part.sent for part in done) == 40
    assert sum(part.sent > 0 for part in done) > 1
    assert (len(office.recipients), set(office.recipients.values())) == (40, {1})
    for worker in workers:
        await worker._database.close()  # noqa: SLF001


class Dies:
    """A way out in which the worker dies as soon as the server has taken the message."""

    def __init__(self, inner: Sender) -> None:
        self._inner = inner

    async def send(self, message: EmailMessage) -> None:
        await self._inner.send(message)
        raise asyncio.CancelledError


async def test_what_a_dead_worker_had_sent_is_sent_again_as_the_same_message(desk: Desk, office: PostOffice) -> None:
    await desk.write("staff")
    with pytest.raises(asyncio.CancelledError):
        await desk.outbox.send_due(Dies(way(office)))
    assert (await desk.mail()).attempts == 0
    assert await desk.outbox.send_due(way(office)) == Sent(sent=1)
    assert len(office.taken) > 1  # perhaps another lane of the dying worker took it once more
    assert len({message["Message-ID"] for message in office.taken}) == 1
    assert len({message["Date"] for message in office.taken}) == 1


class Fails:
    """A way out with a fault of its own for one recipient."""

    def __init__(self, inner: Sender, email: str) -> None:
        self._inner = inner
        self._email = email

    async def send(self, message: EmailMessage) -> None:
        if message["To"].addresses[0].addr_spec == self._email:
            raise ZeroDivisionError
        await self._inner.send(message)


async def test_a_fault_with_one_message_does_not_hold_up_the_others(desk: Desk, office: PostOffice) -> None:
    first = await desk.write("first")
    for number in range(8):
        await desk.write(f"staff-{number}")
    assert await desk.outbox.send_due(Fails(way(office), first.email)) == Sent(sent=8, postponed=1)


class Restarts:
    """A way out in which the database loses all connections as soon as the server has taken the message."""

    def __init__(self, inner: Sender, database: Database) -> None:
        self._inner = inner
        self._database = Database(database.url)

    async def send(self, message: EmailMessage) -> None:
        await self._inner.send(message)
        everybody: Any = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        async with self._database.session() as session:
            await session.exec(everybody)
        await self._database.close()


async def test_what_was_sent_while_the_database_restarted_is_not_sent_again(desk: Desk, office: PostOffice) -> None:
    await desk.write("staff")
    assert await desk.outbox.send_due(Restarts(way(office), desk.database)) == Sent(sent=1)
    assert await desk.outbox.send_due(way(office)) == Sent()
    assert ((await desk.mail()).state, len(office.taken)) == ("SENT", 1)


async def test_a_database_that_does_not_answer_is_told_as_such(desk: Desk, office: PostOffice) -> None:
    await desk.write("staff")
    hasty = Database(desk.database.url, statement_timeout=0.1)
    async with desk.database.session() as session:
        await session.exec(text("LOCK TABLE mails"))  # type: ignore[call-overload]
        with pytest.raises(OperationalError):
            await Outbox(hasty).send_due(way(office))
    await hasty.close()
    assert await desk.outbox.send_due(way(office)) == Sent(sent=1)


async def test_a_server_is_talked_to_in_secret_and_with_a_password(desk: Desk, tmp_path: Path) -> None:
    await desk.write("staff")
    async with opened(PostOffice(), tmp_path) as office:
        trusted = ssl.create_default_context(cafile=localhost(tmp_path)[0])
        options = {"tls": Tls.STARTTLS, "trusted": trusted, "user": "gateway"}
        assert await desk.outbox.send_due(way(office, **options, password="wrong")) == Sent(postponed=1)
        await desk.wait()
        assert await desk.outbox.send_due(way(office, **options, password="right")) == Sent(sent=1)
    assert office.logins[0] == (b"gateway", b"wrong")
    assert office.logins[-1] == (b"gateway", b"right")


async def test_a_server_that_proves_not_who_it_is_gets_neither_password_nor_message(desk: Desk, tmp_path: Path) -> None:
    await desk.write("staff")
    async with opened(PostOffice(), tmp_path) as office:
        assert await desk.outbox.send_due(way(office, tls=Tls.STARTTLS, user="u", password="right")) == Sent(
            postponed=1
        )
    assert (office.logins, office.taken) == ([], [])


async def test_a_server_that_cannot_encrypt_gets_nothing_unless_that_is_wanted(desk: Desk, office: PostOffice) -> None:
    await desk.write("staff")
    with pytest.raises(Unavailable):
        await way(office, tls=Tls.STARTTLS).send(_message())
    assert await desk.outbox.send_due(way(office, tls=Tls.STARTTLS)) == Sent(postponed=1)
    assert office.taken == []


def _message() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "no-reply@gateway.example", "staff@demo.example"
    message.set_content("Hello")
    return message
