"""Zoho Books v3: the routes. Kinds of documents share theirs."""

from collections.abc import Iterator

from starlette.responses import Response
from starlette.routing import Route

from services.sandbox import comments, contacts, conversions, mail, paperwork, settings
from services.sandbox.desk import Desk, Work, created, route
from services.sandbox.kinds import INVOICES, KINDS, SALES_ORDERS, Kind


def _from_sales_order(desk: Desk) -> Response:
    """``POST /invoices/fromsalesorder?salesorder_id=``: a draft invoice of the whole order."""
    desk.allow("invoices", "create")
    source = conversions.fetched(SALES_ORDERS, desk.query.get("salesorder_id", ""), desk)
    body = paperwork.made(INVOICES, conversions.continued(desk.optional, source), desk)
    conversions.link(INVOICES, body, source, desk)
    desk.put("invoices", body)
    return created(INVOICES.messages["create"], invoice=desk.shown("invoices", body))


def _of_kind(kind: Kind) -> Iterator[tuple[str, str, Work]]:
    every, single = f"/{kind.name}", f"/{kind.name}/{{id}}"
    yield "GET", every, paperwork.many(kind)
    yield "POST", every, paperwork.create(kind)
    yield "GET", single, paperwork.one(kind)
    yield "PUT", single, paperwork.update(kind)
    yield "DELETE", single, paperwork.delete(kind)
    yield "PUT", f"/{kind.singular}/{{id}}/customfields", paperwork.set_custom_fields(kind)
    yield "GET", f"{single}/email", mail.content(kind)
    yield "POST", f"{single}/email", mail.send(kind)
    yield "GET", f"{single}/comments", comments.many(kind)
    yield "POST", f"{single}/comments", comments.add(kind)
    yield "DELETE", f"{single}/comments/{{comment_id}}", comments.delete(kind)
    for which in ("billing", "shipping") if kind.party == "customer" else ("billing",):
        yield "PUT", f"{single}/address/{which}", paperwork.set_address(kind, which)
    for step in kind.moves:
        yield "POST", f"{single}/{step.path}", paperwork.move(kind, step)


def _all() -> Iterator[tuple[str, str, Work]]:
    yield "POST", "/invoices/fromsalesorder", _from_sales_order
    for name in ("estimates", "invoices"):
        yield "POST", f"/{name}/email", mail.send_many(KINDS[name])
    for kind in KINDS.values():
        yield from _of_kind(kind)
    yield "POST", "/salesorders/{id}/substatus/{code}", paperwork.substatus(SALES_ORDERS)
    yield "GET", "/contacts", contacts.many
    yield "POST", "/contacts", contacts.create
    yield "GET", "/contacts/{id}", contacts.one
    yield "PUT", "/contacts/{id}", contacts.update
    yield "DELETE", "/contacts/{id}", contacts.delete
    yield "POST", "/contacts/{id}/active", contacts.mark("active")
    yield "POST", "/contacts/{id}/inactive", contacts.mark("inactive")
    for what in ("account", "contact"):
        yield "POST", f"/crm/{what}/{{id}}/import", contacts.import_from_crm(what)
    for what in ("vendor", "item"):
        yield "POST", f"/crm/{what}/{{id}}/import", contacts.import_nothing(what)
    yield "GET", "/users", settings.users
    yield "GET", "/users/me", settings.me
    yield "GET", "/users/{id}", settings.user
    yield "GET", "/organizations", settings.organizations
    yield "GET", "/organizations/{id}", settings.organization
    yield "GET", "/settings/currencies", settings.currencies
    yield "GET", "/settings/taxes", settings.taxes
    yield "GET", "/items", settings.items
    yield "GET", "/items/{id}", settings.item
    yield "GET", "/itemdetails", settings.item_details


ROUTES: list[Route] = [route(method, path, work) for method, path, work in _all()]
