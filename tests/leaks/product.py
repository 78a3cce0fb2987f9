"""Zoho as far as reading needs it: every value it tells is a canary of whom it was told to."""

import asyncio
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from tests.leaks import facts
from tests.leaks.rendering import SINGULAR, Body, Told
from tests.leaks.world import BILLING, BOOKS, CRM, ORIGIN, World

ROOTS = {"/books/v3/": BOOKS, "/billing/v1/": BILLING, "/crm/v8/": CRM}
PATHS = {
    "estimates": "estimates",
    "invoices": "invoices",
    "salesorders": "salesOrders",
    "purchaseorders": "purchaseOrders",
    "subscriptions": "subscriptions",
    "contacts": "customers",
    "customers": "billed",
    "Accounts": "accounts",
    "Contacts": "contacts",
}
PLURAL = {module: f"{name}s" for module, name in SINGULAR.items()}
PRODUCT_ORGANIZATION = "70070070"
"""Of every company: they live in different data centres."""

Params = Mapping[str, str]


class Zoho(httpx.AsyncBaseTransport):
    """All products in all data centres; an answer takes a few turns of the loop, as chance has it."""

    def __init__(self, world: World, keys: Body, chance: Random) -> None:
        self.world, self.told = world, Told()
        self._keys, self._chance = msgspec.json.encode(keys), chance
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        if path == "/keys":
            return httpx.Response(200, content=self._keys)
        if path == "/oauth/v2/token":
            given = dict(parse_qsl(request.content.decode()))
            return _json({"access_token": f"t.{given['refresh_token']}", "expires_in": 3600})
        self.calls += 1
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        access = request.headers["authorization"].removeprefix("Zoho-oauthtoken t.")
        root = next(root for root in ROOTS if path.startswith(root))
        return self._answer(access, ROOTS[root], path.removeprefix(root).split("/"), dict(parse_qsl(query)))

    def _answer(self, access: str, product: str, path: list[str], params: Params) -> httpx.Response:
        if path[0] in ("organizations", "settings", "plans", "addons"):
            return _json(SETTINGS[path[0]])
        match path:
            case ["Accounts", account, "Contacts"]:
                return self._crm(access, "contacts", [_one_contact(account)], params)
            case ["subscriptions", record, "recentactivities"]:
                return self._activities(access, record)
            case ["customers", "reference", crm_id]:
                found = next(one for one in _linked(params, crm_id) if one not in facts.VENDORS)
                return self._one(access, "billed", found)
            case [kind] if product == CRM:
                return self._crm(access, PATHS[kind], facts.ACCOUNTS if kind == "Accounts" else facts.CONTACTS, params)
            case [kind]:
                return self._listed(access, PATHS[kind], params)
            case [kind, record] if product != CRM:
                return self._one(access, PATHS[kind], record)
        return httpx.Response(404, content=b'{"code": 1002}')

    def _rendered(self, access: str, module: str, records: Iterable[str], *, full: bool = False) -> list[bytes]:
        person = self.world.person(access)
        told = person.told(module)
        return [self.told.record(person.company, access, told, module, one, full=full) for one in records]

    def _one(self, access: str, module: str, record: str) -> httpx.Response:
        if record not in _all(module) or not self._visible(access, module, record):
            return httpx.Response(404, content=b'{"code": 1002, "message": "it does not exist"}')
        (body,) = self._rendered(access, module, [record], full=True)
        return _raw(b'{"code":0,"%s":%s}' % (SINGULAR[module].encode(), body))

    def _visible(self, access: str, module: str, record: str) -> bool:
        scoped = ORIGIN[module][0] == BOOKS and self.world.person(access).assigned_only
        return not scoped or facts.is_assigned(access, module, record)

    def _listed(self, access: str, module: str, params: Params) -> httpx.Response:
        company = self.world.person(access).company
        found = [one for one in _matching(module, params) if self._visible(access, module, one)]
        if since := params.get("last_modified_time"):
            found = [one for one in found if self._modified(company, module, one) >= since]
        if params.get("sort_column") in ("last_modified_time", "updated_time"):
            found.sort(key=lambda one: self._modified(company, module, one), reverse=True)
        page, size = int(params.get("page", 1)), int(params["per_page"])
        rows = self._rendered(access, module, found[(page - 1) * size : page * size], full="salesorder_ids" in params)
        more = b"true" if len(found) > page * size else b"false"
        key = PLURAL[module].encode()
        return _raw(b'{"code":0,"%s":[%s],"page_context":{"has_more_page":%s}}' % (key, b",".join(rows), more))

    def _modified(self, company: str, module: str, record: str) -> str:
        return self.told.modified.get((company, module, record)) or facts.created(_all(module)[record])

    def _activities(self, access: str, record: str) -> httpx.Response:
        told = self._rendered(access, "subscriptions", [record], full=True)
        return _raw(b'{"code":0,"activities":%s}' % msgspec.json.encode(msgspec.json.decode(told[0])["activities"]))

    def _crm(self, access: str, module: str, records: Iterable[str], params: Params) -> httpx.Response:
        asked = params["ids"].split(",") if "ids" in params else sorted(records, reverse=True)
        page, size = int(params.get("page", 1)), int(params.get("per_page", 200))
        rows = self._rendered(access, module, asked[(page - 1) * size : page * size])
        more = b"true" if len(asked) > page * size else b"false"
        return _raw(b'{"data":[%s],"info":{"more_records":%s}}' % (b",".join(rows), more))


SETTINGS = {
    "organizations": {
        "code": 0,
        "organizations": [{"organization_id": PRODUCT_ORGANIZATION, "currency_code": "EUR", "time_zone": "UTC"}],
    },
    "settings": {"code": 0, "currencies": [{"currency_code": "EUR", "exchange_rate": 1}]},
    "plans": {
        "code": 0,
        "plans": [{"plan_code": "p", "name": "Plan", "recurring_price": 1, "interval_unit": "months"}],
    },
    "addons": {"code": 0, "addons": []},
}


def _all(module: str) -> Mapping[str, int]:
    """The records of a module with their places in time."""
    if module in ("customers", "billed"):
        return {party: place for place, party in enumerate(facts.PARTIES)}
    return {record.id: record.place for record in facts.RECORDS[module].values()}


def _matching(module: str, params: Params) -> list[str]:
    """The ids that a list asks for, newest first."""
    places = _all(module)
    found = sorted(places, key=lambda one: (-places[one], one))
    if ids := params.get("salesorder_ids"):
        return [one for one in ids.split(",") if one in places]
    if module == "customers":
        return [one for one in found if one in _linked(params)]
    if module == "billed":
        return [one for one in found if one not in facts.VENDORS]
    party = params.get("customer_id") or params.get("vendor_id")
    return [one for one in found if party is None or facts.RECORDS[module][one].party == party]


def _linked(params: Params, crm_id: str | None = None) -> list[str]:
    account = crm_id if params.get("reference_id_type") == "zcrm_account_id" else params.get("zcrm_account_id")
    contact = crm_id if params.get("reference_id_type") == "zcrm_contact_id" else params.get("zcrm_contact_id")
    return [
        party
        for party in facts.PARTIES
        if account in (None, facts.account_of(party)) and contact in (None, facts.contact_of(party))
    ]


def _one_contact(account: str) -> str:
    return facts.CONTACTS[facts.ACCOUNTS.index(account)]


def _json(body: Any) -> httpx.Response:
    return _raw(msgspec.json.encode(body))


def _raw(body: bytes) -> httpx.Response:
    return httpx.Response(200, content=body, headers={"content-type": "application/json"})
