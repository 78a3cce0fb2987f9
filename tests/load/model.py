"""What everybody should be told, computed from the products' own records and the roles alone: none of our adapters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.sandbox import Sandbox
from tests.load.people import ALL, Role
from tests.resolvers.reading import KINDS, Body, assigned, kept

Value = Callable[[Body], Any]
RANK = {module: rank for rank, module in enumerate(ALL)}


class Records:
    """The products' records as they were at the beginning, and as they are after so many changes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.parties = {body["contact_id"]: body for body in kept(sandbox, "contacts")}
        self.billed = {body["customer_id"]: body for body in kept(sandbox, "customers")}
        self.accounts = {body["id"]: body for body in kept(sandbox, "crm_accounts")}
        self.assigned = assigned(sandbox)
        self._documents = {
            module: {body[KINDS[module].id_key]: body for body in kept(sandbox, KINDS[module].path)} for module in ALL
        }
        self._order = {module: sorted(self._documents[module].values(), key=newest(module)) for module in ALL}

    def of(self, module: str, role: Role) -> Sequence[Body]:
        """Those that one of the role may see, newest first; equal ones by id."""
        found = (self._documents[module][body[KINDS[module].id_key]] for body in self._order[module])
        return [body for body in found if self.shows(role, module, body)]

    def shows(self, role: Role, module: str, body: Body) -> bool:
        """Whether one of the role sees a document: some see those of assigned customers only."""
        return not role.assigned_only or body[f"{KINDS[module].party}_id"] in self.assigned

    def one(self, module: str, record: str) -> Body:
        """A document."""
        return self._documents[module][record]

    def put(self, record: str, changes: Mapping[str, Any]) -> None:
        """Change an invoice; its place in lists stays."""
        self._documents["invoices"][record] = {**self._documents["invoices"][record], **changes}


def newest(module: str) -> Callable[[Body], Any]:
    """The order of lists: by the moment of creation, newest first, then by id."""

    def key(body: Body) -> tuple[float, str]:
        return -datetime.fromisoformat(body["created_time"]).timestamp(), body[KINDS[module].id_key]

    return key


def latest(module: str, body: Body) -> tuple[int, int, str]:
    """The order of merged lists: by date, newest first, then by module and id."""
    day = body.get("created_at" if module == "subscriptions" else "date") or str(body["created_time"])[:10]
    return -datetime.fromisoformat(day).toordinal(), RANK[module], body[KINDS[module].id_key]


def money(key: str) -> Value:
    """An amount as the product writes it, with its currency."""
    return lambda body: {"amount": _digits(body[key]), "currency": body["currency_code"]}


def _digits(value: Any) -> str:
    return str(value if isinstance(value, Decimal | int) else Decimal(str(value)))


def plain(key: str) -> Value:
    """A text, or nothing."""
    return lambda body: body.get(key) or None


def _instant(key: str) -> Value:
    return lambda body: datetime.fromisoformat(body[key]).isoformat()


def _party(role: str) -> Value:
    return lambda body: {"id": body[f"{role}_id"], "name": body[f"{role}_name"]}


def _lines(body: Body) -> Any:
    return [
        {
            "name": line["name"],
            "quantity": _digits(line["quantity"]),
            "rate": _digits(line["rate"]),
            "total": _digits(line["item_total"]),
        }
        for line in body["line_items"]
    ]


MONEY = "{ amount currency }"
PARTY = "{ id name }"
_LISTED: Mapping[str, tuple[str, Value]] = {
    "referenceNumber": ("", plain("reference_number")),
    "status": ("", lambda body: body["status"].upper()),
    "rawStatus": ("", plain("status")),
    "date": ("", plain("date")),
    "total": (MONEY, money("total")),
    "createdAt": ("", _instant("created_time")),
    "lastModifiedAt": ("", _instant("last_modified_time")),
}
_FULL: Mapping[str, tuple[str, Value]] = {
    "notes": ("", plain("notes")),
    "terms": ("", plain("terms")),
    "subTotal": (MONEY, money("sub_total")),
    "taxTotal": (MONEY, money("tax_total")),
    "lineItems": ("{ name quantity rate total }", _lines),
}
_SOLD = {"customer": (PARTY, _party("customer"))}
_DISCOUNT = {"discount": (MONEY, money("discount_total"))}
LISTED: Mapping[str, Mapping[str, tuple[str, Value]]] = {
    "estimates": {**_LISTED, **_SOLD, "number": ("", plain("estimate_number"))},
    "invoices": {
        **_LISTED,
        **_SOLD,
        "number": ("", plain("invoice_number")),
        "dueDate": ("", plain("due_date")),
        "balance": (MONEY, money("balance")),
    },
    "salesOrders": {**_LISTED, **_SOLD, "number": ("", plain("salesorder_number"))},
    "purchaseOrders": {
        **_LISTED,
        "number": ("", plain("purchaseorder_number")),
        "vendor": (PARTY, _party("vendor")),
    },
    "subscriptions": {
        "number": ("", plain("subscription_number")),
        "name": ("", plain("name")),
        "status": ("", lambda body: body["status"].upper()),
        "amount": (MONEY, money("amount")),
        "activatedAt": ("", plain("activated_at")),
        "nextBillingAt": ("", plain("next_billing_at")),
        "customer": (PARTY, _party("customer")),
    },
}
"""Fields that list rows tell: what is selected in them, and what they hold."""
FULL: Mapping[str, Mapping[str, tuple[str, Value]]] = {
    module: {**LISTED[module], **_FULL, **_DISCOUNT} for module in ALL if module != "subscriptions"
}
"""Fields that full records tell."""


def selection(fields: Mapping[str, tuple[str, Value]]) -> str:
    """The fields as a query names them."""
    return " ".join(f"{name} {inner}".strip() for name, (inner, _) in fields.items())


def document(role: Role, module: str, body: Body, fields: Mapping[str, tuple[str, Value]]) -> dict[str, Any]:
    """A document as one of the role is told it; what is hidden is null."""
    told = {name: None if (module, name) in role.hidden else value(body) for name, (_, value) in fields.items()}
    return {"id": body[KINDS[module].id_key], **told}


def withheld(role: Role, module: str, fields: Iterable[str], coordinate: str) -> set[tuple[str, str, tuple[str, ...]]]:
    """The refusals of a list or record of a module: (code, coordinate, what is missing)."""
    if module not in role.sees:
        return {("FORBIDDEN", coordinate, role.missing[module])}
    name = KINDS[module].type
    return {("FORBIDDEN", f"{name}.{field}", ("CRM_PROFILE",)) for field in fields if (module, field) in role.hidden}
