"""Everything the gateway can do, as one value that a request carries."""

from dataclasses import dataclass

from services.audit import Audit
from services.candidates import Candidates
from services.credentials import Credentials
from services.directory import Directory
from services.events import Events
from services.identity import Identity
from services.integration import Integration
from services.migration.capabilities import Capabilities
from services.migration.runs import Migrations
from services.outcomes import Outcomes
from services.records.answers import Answers
from services.records.copy import Copy
from services.records.full import FullRecords
from services.records.parties import Parties
from services.records.readers import Readers
from services.reports.desk import Reports
from services.storage.sealing import Opaque
from services.upstream.billing import Billing
from services.upstream.books import Books
from services.upstream.budget import Budget
from services.upstream.crm import Crm
from services.upstream.documents import Documents
from services.usage import Usage
from services.writes import Writes


@dataclass(frozen=True, slots=True)
class Services:
    """Built once by the gateway, closed with it."""

    identity: Identity
    credentials: Credentials
    directory: Directory
    documents: Documents
    books: Books
    billing: Billing
    crm: Crm
    audit: Audit
    outcomes: Outcomes
    writes: Writes
    integration: Integration
    candidates: Candidates
    usage: Usage
    migrations: Migrations
    capabilities: Capabilities
    events: Events
    reports: Reports
    copy: Copy
    readers: Readers
    answers: Answers
    full_records: FullRecords
    parties: Parties
    budget: Budget
    opaque: Opaque
