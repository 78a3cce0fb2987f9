"""Which OAuth scope a call needs."""

from collections.abc import Mapping

EVERYTHING = (
    "openid",
    "email",
    "AaaServer.profile.READ",
    "ZohoBooks.fullaccess.all",
    "ZohoSubscriptions.fullaccess.all",
    "ZohoCRM.modules.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.users.ALL",
    "ZohoCRM.org.ALL",
)
FULL = ",".join(EVERYTHING)

_OPERATIONS: Mapping[str, str] = {"GET": "READ", "HEAD": "READ", "POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}
_BOOKS: Mapping[str, str] = {
    **{name: name for name in ("estimates", "invoices", "salesorders", "purchaseorders", "contacts")},
    **{name: f"{name}s" for name in ("estimate", "invoice", "salesorder", "purchaseorder")},
    "crm": "contacts",
}
_BILLING: Mapping[str, str] = {
    **{name: name for name in ("subscriptions", "plans", "addons", "products", "customers", "invoices")},
    "transactions": "customers",
}


def suffices(scopes: frozenset[str], product: str, method: str, path: str) -> bool:
    """`path` below the product's root; actions by POST need CREATE, the rejection of a purchase order UPDATE."""
    return not scopes.isdisjoint(_sufficient(product, _OPERATIONS.get(method, "READ"), path))


def _sufficient(product: str, operation: str, path: str) -> set[str]:
    _, first, *rest = path.split("/")
    if product == "crm":
        return _crm(first, rest, operation)
    if product == "billing":
        return _granular("ZohoSubscriptions", _BILLING.get(first, "settings"), operation)
    if path.endswith("/reject"):
        operation = "UPDATE"
    module = "settings" if path.startswith("/crm/item/") else _BOOKS.get(first, "settings")
    return _granular("ZohoBooks", module, operation)


def _granular(service: str, module: str, operation: str) -> set[str]:
    return {f"{service}.fullaccess.all", f"{service}.{module}.ALL", f"{service}.{module}.{operation}"}


def _crm(first: str, rest: list[str], operation: str) -> set[str]:
    if first in ("users", "org"):
        return {f"ZohoCRM.{first}.ALL", f"ZohoCRM.{first}.{operation}"}
    area = "settings" if first == "settings" else "modules"
    part = rest[0] if first == "settings" and rest else first.lower()
    names = (area, f"{area}.{part}")
    return {f"ZohoCRM.{name}.{granted}" for name in names for granted in ("ALL", operation)}
