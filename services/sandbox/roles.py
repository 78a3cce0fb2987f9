"""Roles of Books and Billing: what their users may do, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DOCUMENTS = ("estimates", "invoices", "salesorders", "purchaseorders")
BOOKS_MODULES = (*DOCUMENTS, "contacts", "items", "users", "settings")
BILLING_MODULES = ("subscriptions", "plans", "addons", "products", "customers", "invoices", "transactions")

VIEW = frozenset({"view"})
WRITE = frozenset({"view", "create", "edit", "delete"})
APPROVE = WRITE | {"approve"}


@dataclass(frozen=True)
class Role:
    """`modules` holds the actions (view, create, edit, delete, approve) by module.

    Hidden fields are left out of answers; setting a read-only field is refused and nothing is written.
    """

    name: str
    user_role: str
    modules: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hidden_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    readonly_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    assigned_customers_only: bool = False

    def may(self, module: str, action: str) -> bool:
        return action in self.modules.get(module, ())


NOBODY = Role("None", "")
"""Of somebody who is not a user of the product."""

_STAFF = {**dict.fromkeys(DOCUMENTS, WRITE), "contacts": WRITE, "items": WRITE}
_BILLING_STAFF = {**dict.fromkeys(BILLING_MODULES, WRITE), "transactions": VIEW}

BOOKS_ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        Role("Admin", "admin", dict.fromkeys(BOOKS_MODULES, APPROVE)),
        Role("Staff", "staff", _STAFF),
        Role("Staff (Assigned Customers Only)", "staff_assigned", _STAFF, assigned_customers_only=True),
        Role("Timesheet Staff", "timesheetstaff"),
        Role("Approver", "approver", {**_STAFF, **dict.fromkeys(DOCUMENTS, APPROVE)}),
        Role(
            "Restricted Staff",
            "restricted_staff",
            {**_STAFF, "purchaseorders": VIEW},
            hidden_fields={"invoices": frozenset({"notes", "salesperson_name"})},
            readonly_fields={"estimates": frozenset({"discount"}), "invoices": frozenset({"reference_number"})},
        ),
    )
}

BILLING_ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (
        Role("Admin", "admin", dict.fromkeys(BILLING_MODULES, APPROVE)),
        Role("Staff", "staff", _BILLING_STAFF),
    )
}

ROLES: Mapping[str, Mapping[str, Role]] = {"books": BOOKS_ROLES, "billing": BILLING_ROLES}
