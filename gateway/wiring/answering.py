"""What answers queries from what is known: the copy, full records, and what is recalled of people and companies."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from gateway.settings import Records
from services.credentials import Credentials
from services.documents import Document
from services.events import Events
from services.records.answers import Answers
from services.records.copy import Copy
from services.records.full import FullRecords
from services.records.memory import Memory
from services.records.moments import Moments
from services.records.notices import Change, Notice
from services.records.parties import Parties
from services.records.recalled import Recalled
from services.storage.engine import Database
from services.storage.failures import FAILURES, words
from services.storage.statements import Statements
from services.upstream.billing import Billing
from services.upstream.books import Books
from services.upstream.client import Client
from services.upstream.crm import Crm

log = structlog.get_logger(__name__)
MEGABYTE = 1024 * 1024
CUSTOMERS = {"contacts", "customers"}
"""The modules whose records are customers."""


@dataclass(frozen=True)
class Answering:
    """The three, on one process's memory."""

    answers: Answers
    full_records: FullRecords
    parties: Parties
    statements: Statements
    memories: Mapping[str, Memory[Any, Any]]
    """What is remembered, by what it is."""

    async def wrote(self, organization_id: str, document: Document) -> None:
        """One of our own writes has left the record: what this process remembers of it is not used again."""
        self.parties.recalled.forget_customers(organization_id, {document.customer_id or document.id})
        try:
            await self.answers.moments.now(organization_id)
        except FAILURES as error:  # the write itself has succeeded; the notice will tell
            log.warning("how the copy stands is not known", organization=organization_id, error=words(error))


@asynccontextmanager
async def answering(
    database: Database, copy: Copy, events: Events, client: Client, credentials: Credentials, options: Records
) -> AsyncIterator[Answering]:
    """Within the block; what other processes tell is heard."""
    recalled = Recalled(timedelta(seconds=options.directory_seconds), options.cache_entries)

    def told(organization_id: str, notice: Notice | None) -> None:
        if notice is None:
            recalled.forget_customers(organization_id)
        elif notice.module in CUSTOMERS and notice.changed:
            new = Change.CREATED in notice.ids.values()
            recalled.forget_customers(organization_id, set(notice.ids), new=new)

    async with Statements(database).running() as statements:
        moments = Moments(statements, events, told)
        size = options.cache_megabytes * MEGABYTE
        pages: Memory[Any, Any] = Memory(options.cache_entries, size)
        records: Memory[Any, Any] = Memory(options.cache_entries, size)
        answers = Answers(statements, copy, moments, pages)
        books, billing, crm = Books(client, credentials), Billing(client, credentials), Crm(client, credentials)
        try:
            yield Answering(
                answers,
                FullRecords(statements, records),
                Parties(books, billing, crm, credentials, answers, recalled),
                statements,
                {"pages": pages, "full_records": records, "directory": recalled.memory},
            )
        finally:
            await moments.aclose()
            await answers.aclose()
