"""Books, Billing, CRM and Accounts in one object."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import httpx

from services.sandbox.access import Access
from services.sandbox.accounts import person_named
from services.sandbox.app import App
from services.sandbox.budget import Budgets, Limits
from services.sandbox.calls import Call, Log
from services.sandbox.data_centres import DATA_CENTRES
from services.sandbox.faults import Fault, Faults
from services.sandbox.hooks import Hook, Hooks
from services.sandbox.keys import Keys
from services.sandbox.scopes import FULL
from services.sandbox.seed import seed
from services.sandbox.store import Organization, Person, Store
from services.sandbox.tokens import Tokens
from services.sandbox.transport import Transport

TODAY = date(2026, 11, 15)
CLIENT = "sandbox-client"


class Sandbox:
    """Kept in the file at `path`, or in memory; filled when empty.

    `today` is the day the records lead up to, `now` the clock (epoch seconds) of tokens, budgets and changes, `pause`
    tells how many seconds the next call to a product takes, out of its organization's calls at once.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        scale: int = 1,
        today: date = TODAY,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        pause: Callable[[], float] = lambda: 0.0,
        store: Store | None = None,
    ) -> None:
        self.store = store or Store(path)
        self.today = today
        self.now = now
        self.pause = pause
        seed(self.store, today=today, scale=scale)
        self.access = Access(self.store)
        self.budgets = Budgets(limits or Limits())
        self.tokens = Tokens(self.store, self.access, self.budgets.limits, now)
        self.keys = Keys(self.store)
        self.faults = Faults()
        self.log = Log()
        self.hooks = Hooks()
        self.app = App(self)

    @classmethod
    def copy_of(
        cls,
        path: Path,
        *,
        today: date = TODAY,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
    ) -> Self:
        """In memory, with the records of a sandbox kept at `path`."""
        return cls(today=today, limits=limits, now=now, store=Store.copy_of(path))

    def close(self) -> None:
        self.store.close()

    def transport(self) -> httpx.AsyncBaseTransport:
        """For clients in this process, on the real hosts' URLs."""
        return Transport(self.app, self.faults)

    def limit(self, limits: Limits) -> None:
        """New limits from now on, with everything unspent."""
        self.budgets.reset(limits)
        self.tokens.limits = limits

    def id_token(
        self, email: str, *, audience: str = CLIENT, lifetime: float = 3600, iss: str | None = None, **claims: Any
    ) -> str:
        """Signed also for an address nobody has; `iss` defaults to Accounts of the person's data centre."""
        person = self.find_person(email)
        issued = int(self.now())
        host = DATA_CENTRES[self.data_centre_of(email)].accounts_host
        about = _about(person) if person else {"sub": sha256(email.encode()).hexdigest()[:16]}
        return self.keys.sign(
            {
                "iss": iss or f"https://{host}",
                "aud": audience,
                "email": email,
                "email_verified": True,
                "iat": issued,
                "exp": issued + int(lifetime),
                **about,
                **claims,
            }
        )

    def rotate_keys(self, *, keep_old: bool) -> None:
        self.keys.rotate(keep_old=keep_old)

    def refresh_token(self, email: str, scopes: str = FULL) -> str:
        """As after consent; `scopes` separated by commas."""
        return self.tokens.connect(self.person(email), scopes, CLIENT)

    def access_token(self, email: str, scopes: str = FULL) -> str:
        return self.tokens.enter(self.person(email), scopes, CLIENT)

    def calls(self, **filters: Any) -> list[Call]:
        """Filters as for `Log.find`."""
        return self.log.find(**filters)

    def clear_calls(self) -> None:
        self.log.clear()

    def webhooks_to(
        self,
        product: str,
        organization_id: str,
        url: str,
        secret: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """From now on changes in `books` or `billing` are posted there; `transport` stands for the network."""
        self.hooks.add(Hook(product, organization_id, url, secret), transport)

    def fault(self, fault: Fault) -> None:
        self.faults.order(fault)

    def clear_faults(self) -> None:
        self.faults.clear()

    def person(self, email: str) -> Person:
        """Raises LookupError for an unknown address."""
        person = self.find_person(email)
        if person is None:
            raise LookupError(email)
        return person

    def find_person(self, email: str) -> Person | None:
        with self.store.session() as session:
            return person_named(session, email)

    def change(self, email: str, **changes: Any) -> None:
        """As an administrator does in the products: `books_role`, `profile`, `crm_status` and other attributes."""
        person = self.person(email)
        for name, value in changes.items():
            setattr(person, name, value)
        person.crm_modified_time = datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="seconds")
        with self.store.session() as session:
            session.merge(person)
        self.access.forget()

    def data_centre_of(self, email: str) -> str:
        """`eu` for an address nobody has."""
        person = self.find_person(email)
        if person is None:
            return "eu"
        with self.store.session() as session:
            return session.get_one(Organization, person.crm_id).data_centre


def _about(person: Person) -> dict[str, Any]:
    return {
        "sub": person.zuid,
        "name": person.name,
        "first_name": person.first_name,
        "last_name": person.last_name,
    }
