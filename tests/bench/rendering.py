"""The company's answers, modelled on the sandbox's own."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from services.sandbox import Sandbox
from services.sandbox.store import Organization
from tests.bench.company import A_DAY, CUSTOMERS, Company

SEVERAL = 60
"""Invoices of the sandbox that are looked at, so that there are enough customers among them."""

FIXED = (
    "/eu/accounts/.well-known/openid-configuration",
    "/eu/accounts/oauth/v2/keys",
    "/eu/api/books/v3/organizations",
    "/eu/api/books/v3/settings/currencies",
    "/eu/api/billing/v1/organizations",
)
"""Answered as the sandbox does."""
_INVOICE = {
    "invoice_id": "id",
    "invoice_number": "number",
    "date": "date",
    "created_time": "created",
    "last_modified_time": "created",
    "customer_id": "customer",
    "customer_name": "name",
}
_CONTACT = {
    "contact_id": "customer",
    "contact_name": "name",
    "created_time": "created",
    "last_modified_time": "created",
    "zcrm_account_id": None,
    "zcrm_contact_id": None,
}


def _template(record: Mapping[str, Any], changed: Mapping[str, str | None]) -> bytes:
    """A record with places for what differs; None empties a field."""
    marked = {**record, **{key: f"%({name})b" if name else "" for key, name in changed.items()}}
    plain = {key: value for key, value in marked.items() if key not in changed}
    body = json.dumps(plain, separators=(",", ":")).replace("%", "%%")[1:]
    told = json.dumps({key: marked[key] for key in changed}, separators=(",", ":"))[:-1]
    return f"{told},{body}".encode()


async def rendered(sandbox: Sandbox, company: Organization, origin: str) -> Company:
    """The company as the sandbox would answer for it at `origin`."""
    signed = {"Authorization": f"Zoho-oauthtoken {sandbox.access_token('owner@demo.example')}"}
    whose = {"organization_id": company.books_id}
    async with httpx.AsyncClient(transport=sandbox.transport(), base_url=f"{origin}/eu", headers=signed) as client:

        async def read(path: str, **params: str) -> dict[str, Any]:
            params["organization_id"] = company.books_id
            answer: dict[str, Any] = (
                (await client.get(f"/api/books/v3/{path}", params=params)).raise_for_status().json()
            )
            return answer

        rows = (await read("invoices", per_page=str(SEVERAL)))["invoices"][:A_DAY]
        records = [(await read(f"invoices/{row['invoice_id']}"))["invoice"] for row in rows]
        parties = list(dict.fromkeys(row["customer_id"] for row in rows))[:CUSTOMERS]
        contacts = [(await read(f"contacts/{party}"))["contact"] for party in parties]
        fixed = {path: (await client.get(f"{origin}{path}", params=whose)).raise_for_status().content for path in FIXED}
    return Company(
        rows=[_template(row, _INVOICE) for row in rows],
        records=[_template(record, _INVOICE) for record in records],
        customers=[_template(contact, _CONTACT) for contact in contacts],
        fixed=fixed,
    )
