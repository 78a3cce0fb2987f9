import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from sqlmodel import select

from gateway.settings import Mail, Settings
from gateway.welcome import welcome
from gateway.wiring.assembly import Assembly, assembled, working
from gateway.wiring.mailing import FileSender, Post, way_out
from services.letters import Template
from services.mail import Sent
from services.smtp import SmtpSender, Tls
from services.storage.models import Member
from tests.harness import Gateway


def message(name: str = "<1@gateway.example>") -> EmailMessage:
    message = EmailMessage()
    message["To"], message["Message-ID"] = "staff@demo.example", name
    message.set_content("Hello")
    return message


async def test_a_message_that_is_sent_again_is_the_same_file(tmp_path: Path) -> None:
    sender = FileSender(tmp_path / "mail")
    await asyncio.gather(*(sender.send(message()) for _ in range(3)))
    await sender.send(message("<2@gateway.example>"))
    assert sorted(path.name for path in sender.directory.iterdir()) == [
        "1@gateway.example.eml",
        "2@gateway.example.eml",
    ]
    assert b"Hello" in (sender.directory / "1@gateway.example.eml").read_bytes()


async def test_no_message_leaves_the_directory(tmp_path: Path) -> None:
    sender = FileSender(tmp_path / "mail")
    await sender.send(message("<../../1@gateway.example>"))
    assert [path.parent for path in found(tmp_path)] == [sender.directory]


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("implicit", 465), ("none", 25)])
def test_the_server_is_found_at_its_usual_port(tls: Any, port: int) -> None:
    way = way_out(Mail(host="smtp.example", sender="no-reply@gateway.example", tls=tls))
    assert way == SmtpSender(host="smtp.example", port=port, tls=Tls(tls))


def test_a_password_does_not_show() -> None:
    mail = Mail(host="h.example", sender="a@b.example", user="gateway", password=SecretStr("the-secret"))
    assert "the-secret" not in repr(mail) + repr(way_out(mail))


@pytest.mark.parametrize(
    "given",
    [
        {"host": "smtp.example"},
        {"host": "smtp.example", "sender": "nobody"},
        {"host": "smtp.example", "sender": "ü@gateway.example"},
        {"host": "smtp.example", "sender": "a@b.example", "directory": "mail"},
        {"host": "smtp.example", "sender": "a@b.example", "user": "gateway"},
        {"host": "smtp.example", "sender": "a@b.example", "user": "u", "password": "p", "tls": "none"},
        {"host": "smtp.example", "sender": "a@b.example", "port": 0},
    ],
)
def test_settings_that_cannot_work_are_refused_at_start(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Mail.model_validate(given)


def test_the_demo_says_where_messages_are_kept() -> None:
    assert "messages to users are kept as files in var/mail/" in welcome(Settings(), "http://127.0.0.1:8000")
    mail = Mail(host="smtp.example", sender="a@b.example")
    assert "No mail is sent" not in welcome(Settings(mail=mail), "http://127.0.0.1:8000")


def found(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.eml"))


async def write(assembly: Assembly, event: str) -> bool:
    async with assembly.database.session() as session:
        member = (await session.exec(select(Member).where(Member.email == "staff@demo.example"))).one()
        return await assembly.outbox.add(
            session,
            organization_id=member.organization_id,
            member_id=member.id,
            event=event,
            recipient=member.email,
            template=Template.MIGRATED,
            values={"access": "PRODUCT_USER", "products": ["BOOKS"]},
        )


async def test_the_worker_sends_a_message_as_soon_as_there_is_one(own_gateway: Gateway, tmp_path: Path) -> None:
    settings = own_gateway.settings.model_copy(update={"mail": Mail(directory=tmp_path)})
    async with assembled(settings, own_gateway.sandbox.transport()) as assembly, working(assembly):
        for count, event in enumerate(("MIGRATED", "CAPABILITIES_UPGRADED"), start=1):
            assert await write(assembly, event)
            async with asyncio.timeout(10):
                while len(found(tmp_path)) < count:  # noqa: ASYNC110 - files send no events
                    await asyncio.sleep(0.05)
        assert not await write(assembly, "MIGRATED")


@dataclass
class Slow:
    """A way out that is held up until it is let go."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    held_up: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str] = field(default_factory=list)

    async def send(self, message: EmailMessage) -> None:
        self.held_up.set()
        await self.gate.wait()
        self.sent.append(message["Message-ID"])


async def test_a_slow_server_occupies_one_of_those_who_work(own_gateway: Gateway) -> None:
    async with assembled(own_gateway.settings, own_gateway.sandbox.transport()) as assembly:
        slow = Slow()
        post = Post(assembly.outbox, slow)
        assert await write(assembly, "MIGRATED")
        first = asyncio.create_task(post.send())
        await asyncio.wait_for(slow.held_up.wait(), 10)
        assert await write(assembly, "CAPABILITIES_UPGRADED")
        async with asyncio.timeout(10):
            await asyncio.gather(*(post.send() for _ in range(3)))
        slow.gate.set()
        await first
    assert len(slow.sent) == len(set(slow.sent)) == 2


async def test_without_a_way_out_messages_wait(own_gateway: Gateway) -> None:
    async with assembled(own_gateway.settings, own_gateway.sandbox.transport()) as assembly:
        assert await write(assembly, "MIGRATED")
        await Post(assembly.outbox, way_out(Mail())).send()
        slow = Slow()
        slow.gate.set()
        assert await assembly.outbox.send_due(slow) == Sent(sent=1)
