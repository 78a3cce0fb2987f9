"""What each list of Books and Billing filters and sorts by."""

from collections.abc import Callable, Mapping

from sqlalchemy import false, func, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.sandbox import kinds
from services.sandbox.desk import Desk
from services.sandbox.kinds import Kind
from services.sandbox.listing import Condition, Expression, Listing, stored
from services.sandbox.store import Record
from services.sandbox.subscriptions import STATUSES

_NAME = col(Record.name)
_STATUS = col(Record.status)
_TIMES: Mapping[str, Expression] = {
    "created_time": col(Record.created_time),
    "last_modified_time": col(Record.modified_time),
}
_UNPAID = ("sent", "viewed", "overdue", "partially_paid", "unpaid")
_WIDER = {("invoices", "unpaid"): _UNPAID, ("salesorders", "closed"): ("invoiced", "closed")}

_LINES = {"item_id": "item_id", "item_name": "name", "item_description": "description"}
_OWN: Mapping[str, Mapping[str, Mapping[str, Expression]]] = {
    "estimates": {},
    "invoices": {
        "texts": {"email": stored("email")},
        "numbers": {"balance": stored("balance")},
        "exact": {"recurring_invoice_id": stored("recurring_invoice_id")},
        "dates": {"created_date": stored("created_date")},
    },
    "salesorders": {"exact": {"salesperson_id": stored("salesperson_id")}},
    "purchaseorders": {},
}


def _is(kind: Kind) -> Callable[[str, Desk], Condition]:
    def condition(status: str, _: Desk) -> Condition:
        wider = _WIDER.get((kind.name, status))
        return col(Record.status).in_(wider) if wider else col(Record.status) == status

    return condition


def _filters(kind: Kind) -> dict[str, Callable[[Desk], Condition]]:
    matches = _is(kind)

    def named(status: str) -> Callable[[Desk], Condition]:
        return lambda desk: matches(status, desk)

    found = {name: named(status) for name, status in kind.filters.items()}
    if kind.name == "invoices":
        found["Date.PaymentExpectedDate"] = lambda _: func.length(stored("payment_expected_date")) > 0
    return found


def _documents(kind: Kind) -> Listing:
    columns: dict[str, Expression] = {
        kind.number_key: col(Record.number),
        "reference_number": col(Record.reference),
        kind.party_name_key: _NAME,
        "date": col(Record.date),
        kind.due_key: col(Record.due_date),
        "total": col(Record.total),
        "balance": stored("balance"),
        **_TIMES,
    }
    own = _OWN[kind.name]
    texts = {name: columns[name] for name in (kind.number_key, "reference_number", kind.party_name_key)}
    potential = {} if kind.name == "purchaseorders" else {"zcrm_potential_id": stored("zcrm_potential_id")}
    return Listing(
        module=kind.name,
        report_name=kind.report_name,
        texts={**texts, **own.get("texts", {})},
        sorts={name: columns[name] for name in kind.sorts},
        numbers={"total": columns["total"], **own.get("numbers", {})},
        dates={"date": columns["date"], kind.due_key: columns[kind.due_key], **own.get("dates", {})},
        exact={kind.party_id_key: col(Record.customer_id), **potential, **own.get("exact", {})},
        lines=_LINES,
        statuses=kind.statuses,
        filter_by=_filters(kind),
        status_is=_is(kind),
        searched=tuple(texts.values()),
        lists_in=kind.name == "salesorders",
        custom_field=kind.name != "salesorders",
    )


DOCUMENTS: Mapping[str, Listing] = {kind.name: _documents(kind) for kind in kinds.KINDS.values()}


def _with_invoices(*statuses: str) -> Callable[[Desk], Condition]:
    def condition(desk: Desk) -> Condition:
        other = aliased(Record)
        mine = (
            col(other.organization_id) == desk.organization_id,
            col(other.kind) == "invoices",
            col(other.status).in_(statuses),
        )
        return col(Record.customer_id).in_(select(col(other.customer_id)).where(*mine))

    return condition


def _status(*statuses: str) -> Callable[[Desk], Condition]:
    return lambda _: _STATUS.in_(statuses)


def _nothing(_: Desk) -> Condition:
    return false()


CONTACTS = Listing(
    module="contacts",
    report_name="Contacts",
    texts={
        "contact_name": _NAME,
        **{name: stored(name) for name in ("company_name", "first_name", "last_name", "email", "phone")},
        "address": stored("billing_address.address"),
    },
    sorts={
        "contact_name": _NAME,
        **{name: stored(name) for name in ("first_name", "last_name", "email")},
        "outstanding_receivable_amount": col(Record.total),
        **_TIMES,
    },
    exact={
        "contact_type": stored("contact_type"),
        "zcrm_account_id": col(Record.crm_account_id),
        "zcrm_contact_id": col(Record.crm_contact_id),
        "zcrm_vendor_id": stored("zcrm_vendor_id"),
    },
    statuses=frozenset({"active", "inactive"}),
    filter_by={
        "Status.Active": _status("active"),
        "Status.Inactive": _status("inactive"),
        "Status.Duplicate": _nothing,
        "Status.PortalEnabled": lambda _: stored("portal_status") == "enabled",
        "Status.PortalDisabled": lambda _: stored("portal_status") != "enabled",
        "Status.CreditLimitExceed": _nothing,
        "Status.Crm": lambda _: stored("is_linked_with_zohocrm") == 1,
        "Invoice.OverDue": _with_invoices("overdue"),
        "Invoice.Unpaid": _with_invoices(*_UNPAID),
    },
    searched=(_NAME, stored("company_name"), stored("email")),
)

ITEMS = Listing(
    module="items",
    report_name="Items",
    texts={"name": _NAME, "description": stored("description")},
    sorts={"name": _NAME, "rate": col(Record.total), "tax_name": stored("tax_name"), **_TIMES},
    numbers={"rate": col(Record.total)},
    exact={"tax_id": stored("tax_id"), "tax_name": stored("tax_name")},
    filter_by={"Status.Active": _status("active"), "Status.Inactive": _status("inactive")},
    searched=(_NAME,),
    default_sort="name",
)

_BILLED: Mapping[str, Expression] = {
    "created_time": col(Record.created_time),
    "updated_time": col(Record.modified_time),
}
_CURRENT = ("live", "trial", "dunning", "unpaid", "non_renewing")


def _by_status(prefix: str, statuses: Mapping[str, tuple[str, ...]]) -> dict[str, Callable[[Desk], Condition]]:
    return {f"{prefix}.{name}": _status(*words) for name, words in statuses.items()}


def _cancelled(months_back: int) -> Callable[[Desk], Condition]:
    """Cancelled in the month of today, or in one before it."""

    def condition(desk: Desk) -> Condition:
        year, month = int(desk.today[:4]), int(desk.today[5:7]) - months_back
        month_text = f"{year:04d}-{month:02d}" if month else f"{year - 1:04d}-12"
        return stored("cancelled_at").startswith(month_text)

    return condition


SUBSCRIPTIONS = Listing(
    module="subscriptions",
    report_name="Subscriptions",
    texts={"reference": col(Record.reference)},
    sorts={"name": _NAME, "amount": col(Record.total), "next_billing_at": col(Record.due_date), **_BILLED},
    exact={"customer_id": col(Record.customer_id)},
    filter_by={
        **_by_status("SubscriptionStatus", {status.upper(): (status,) for status in STATUSES}),
        **_by_status("SubscriptionStatus", {"ACTIVE": _CURRENT, "PAST_DUE": ("dunning", "unpaid")}),
        "SubscriptionStatus.CANCELLED_THIS_MONTH": _cancelled(0),
        "SubscriptionStatus.CANCELLED_LAST_MONTH": _cancelled(1),
        "SubscriptionMode.ONLINE": lambda _: stored("auto_collect") == 1,
        "SubscriptionMode.OFFLINE": lambda _: stored("auto_collect") == 0,
    },
    searched=(_NAME, col(Record.number), stored("customer_name")),
)


def _not_subscribed(desk: Desk) -> Condition:
    other = aliased(Record)
    mine = (col(other.organization_id) == desk.organization_id, col(other.kind) == "subscriptions")
    return col(Record.id).not_in(select(col(other.customer_id)).where(*mine))


CUSTOMERS = Listing(
    module="customers",
    report_name="Customers",
    texts={"display_name": _NAME, "email": stored("email")},
    sorts={"display_name": _NAME, "email": stored("email"), "outstanding": stored("outstanding"), **_BILLED},
    exact={"zcrm_account_id": col(Record.crm_account_id), "zcrm_contact_id": col(Record.crm_contact_id)},
    filter_by={
        "Status.Active": _status("active"),
        "Status.Inactive": _status("inactive"),
        "Status.Gapps": _nothing,
        "Status.Crm": lambda _: stored("is_linked_with_zohocrm") == 1,
        "Status.NonSubscribers": _not_subscribed,
        "Status.PortalEnabled": _nothing,
        "Status.PortalDisabled": lambda _: _STATUS != "",
    },
    searched=(_NAME, stored("email")),
)


def _catalogue(module: str, prefix: str, extra: Mapping[str, Callable[[Desk], Condition]] | None = None) -> Listing:
    return Listing(
        module=module,
        report_name=module.title(),
        texts={"name": _NAME},
        sorts={"name": _NAME, **_BILLED},
        exact={"product_id": col(Record.reference)},
        filter_by={f"{prefix}.ACTIVE": _status("active"), f"{prefix}.INACTIVE": _status("inactive"), **(extra or {})},
        searched=(_NAME,),
    )


PLANS = _catalogue("plans", "PlanStatus")
ADDONS = _catalogue(
    "addons",
    "AddonStatus",
    {
        "AddonStatus.ONETIME": lambda _: stored("type") == "one_time",
        "AddonStatus.RECURRING": lambda _: stored("type") == "recurring",
    },
)
PRODUCTS = _catalogue("products", "ProductStatus")

USERS = Listing(
    module="users",
    report_name="Users",
    texts={},
    sorts=dict.fromkeys(("name", "email", "user_role", "status"), _NAME),
    default_sort="name",
)
TRANSACTIONS = Listing(
    module="transactions",
    report_name="Transactions",
    texts={},
    sorts={"date": col(Record.date)},
    default_sort="date",
)
