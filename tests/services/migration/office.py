"""The demo's organization in a database of its own, and workers that move people when a test lets them."""

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import col, select, update

from gateway.wiring.assembly import Assembly
from services.credentials import Consent
from services.errand import Errand
from services.integration_values import Done
from services.letters import Template
from services.migration.runs import Migrations
from services.migration.values import Item, Run
from services.policy import AccessKind, Product, Viewer
from services.sandbox import Sandbox
from services.storage.models import AuditEvent, IntegrationGrant, Member, Organization, now
from services.storage.rollout import Mail, MigrationItem, Usage

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND state = 'active'"
)


Row = TypeVar("Row")


@dataclass
class Office:
    """The demo's organization with an open window."""

    assembly: Assembly
    sandbox: Sandbox
    id: str

    @property
    def migrations(self) -> Migrations:
        return self.assembly.services.migrations

    async def viewer(self, name: str) -> Viewer:
        return await self.assembly.services.identity.viewer(f"{name}@demo.example")

    async def access(self, name: str, product: Product = Product.BOOKS) -> AccessKind:
        return (await self.viewer(name)).access_to(product).kind

    async def errand(self, name: str = "owner") -> Errand:
        return Errand(await self.viewer(name), f"request-{secrets.token_hex(4)}", monotonic() + 30)

    async def ids(self, *names: str) -> list[str]:
        members = await self.rows(Member, col(Member.email).in_([f"{name}@demo.example" for name in names]))
        known = {member.email.partition("@")[0]: member.id for member in members}
        return [known[name] for name in names]

    async def start(self, *names: str, dry_run: bool = False) -> Run:
        """Begin the migration of these people, or of all candidates."""
        members = await self.ids(*names) if names else None
        return made(await self.migrations.start(await self.errand(), members, dry_run=dry_run))

    async def migrate(self, *names: str) -> Run:
        """Migrate them to the end."""
        run = await self.start(*names)
        await self.work()
        return await self.run(run.id)

    async def work(self) -> None:
        """As workers do, until there is nothing to do at once."""
        work = self.assembly.migrating.work
        for migration_id in await work.waiting():
            while await work.lane(migration_id):
                pass

    async def run(self, migration_id: str) -> Run:
        found = await self.migrations.get(self.id, migration_id)
        assert found is not None
        return found

    async def items(self, migration_id: str) -> dict[str, Item]:
        """By the local part of the address."""
        found = await self.migrations.items(self.id, migration_id, 2000)
        return {(item.user.email or "").partition("@")[0]: item for item in found.items}

    async def hurry(self) -> None:
        """What was put off is due."""
        await self.change(update(MigrationItem).values(due_at=now()))

    async def connect(self, name: str, product: Product = Product.BOOKS, as_whom: str | None = None) -> None:
        """Somebody consents, signed in as the one asked or as another."""
        owner = await self.assembly.services.credentials.owner(self.id, product)
        (member_id,) = await self.ids(name)
        await self.assembly.services.credentials.connect(
            Consent(
                organization_id=self.id,
                email=f"{as_whom or name}@demo.example",
                product=product,
                product_organization_id=owner.product_organization_id,
                data_center=owner.data_center,
                accounts_url=owner.accounts_url,
                api_domain=owner.api_domain,
                refresh_token=self.sandbox.refresh_token(f"{as_whom or name}@demo.example"),
                member_id=member_id,
            )
        )

    async def used(self, name: str, operations: int, coordinate: str = "", permission: str = "") -> None:
        """Somebody has used the finance modules today."""
        (member_id,) = await self.ids(name)
        await self.add(
            Usage(
                organization_id=self.id,
                member_id=member_id,
                day=now().date(),
                coordinate=coordinate,
                permission=permission,
                operations=operations,
            )
        )

    async def organize(self, **values: Any) -> None:
        """Change the organization's row."""
        await self.change(update(Organization).where(col(Organization.id) == self.id).values(**values))

    async def change_member(self, name: str, **values: Any) -> None:
        """Change somebody's row."""
        await self.change(update(Member).where(col(Member.email) == f"{name}@demo.example").values(**values))

    async def organization(self) -> Organization:
        (found,) = await self.rows(Organization, col(Organization.id) == self.id)
        return found

    async def event(self, action: str) -> AuditEvent:
        """The latest of an action in the audit."""
        found = await self.rows(AuditEvent, col(AuditEvent.action) == action)
        return max(found, key=lambda event: event.at)

    async def letter(self, name: str, template: Template) -> Mail:
        """The one message of its kind that waits for somebody."""
        (found,) = await self.rows(Mail, col(Mail.recipient) == f"{name}@demo.example", col(Mail.event) == template)
        return found

    async def events(self, action: str) -> Counter[str | None]:
        """How often the audit has an action, by what it was about."""
        return Counter(event.subject_id for event in await self.rows(AuditEvent, col(AuditEvent.action) == action))

    async def mails(self, event: str) -> list[str]:
        """Whom a message waits for."""
        return sorted(mail.recipient.partition("@")[0] for mail in await self.rows(Mail, col(Mail.event) == event))

    async def seats(self) -> dict[str, IntegrationGrant]:
        members = {member.id: member.email.partition("@")[0] for member in await self.rows(Member)}
        return {members[row.member_id]: row for row in await self.rows(IntegrationGrant)}

    async def waits(self, task: asyncio.Task[Any]) -> None:
        """Return when the task waits for another's transaction; fail when it ends without."""
        async with asyncio.timeout(10):
            while not await self._somebody_waits():
                assert not task.done(), "it did not wait for its turn"
                await asyncio.sleep(0.01)

    async def _somebody_waits(self) -> bool:
        async with self.assembly.database.session() as session:
            return bool((await session.exec(WAITING)).scalar_one())  # type: ignore[call-overload]

    async def rows(self, table: type[Row], *conditions: Any) -> list[Row]:
        async with self.assembly.database.session() as session:
            return list(await session.exec(select(table).where(*conditions)))

    async def add(self, *rows: Any) -> None:
        async with self.assembly.database.session() as session:
            session.add_all(rows)

    async def change(self, statement: Any) -> None:
        async with self.assembly.database.session() as session:
            await session.exec(statement)


def made(done: Done[Run]) -> Run:
    assert done.value is not None, done.problems
    return done.value
