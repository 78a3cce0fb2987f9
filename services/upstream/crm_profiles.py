"""CRM profiles in our words: permission names and field names of the CRM, translated by tables.

Zoho publishes no names for the finance suite's modules inside the CRM (facts §4): those here are assumptions, all in
this place.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

from services.directory_values import CrmProfile
from services.policy import Action, ModuleGrant

T = TypeVar("T")

MODULES: Mapping[str, str] = {
    "Finance_Estimates": "estimates",
    "Finance_Invoices": "invoices",
    "Finance_Sales_Orders": "salesOrders",
    "Finance_Purchase_Orders": "purchaseOrders",
    "Finance_Subscriptions": "subscriptions",
    "Accounts": "accounts",
    "Contacts": "contacts",
}
"""The CRM's module → ours."""
PERMISSIONS: Mapping[str, tuple[str, Action]] = {
    f"Crm_Implied_{action.capitalize()}_{module}": (ours, action)
    for module, ours in MODULES.items()
    for action in Action
}
ADMINISTERS = "Crm_Implied_Manage_Zoho_Finance"

FIELDS: Mapping[str, tuple[str, ...]] = {
    "status": ("status", "rawStatus"),
    "amount": ("amount", "total", "mrr"),
    **dict.fromkeys(
        ("estimate_number", "invoice_number", "salesorder_number", "purchaseorder_number", "subscription_number"),
        ("number",),
    ),
    "reference_id": ("referenceNumber",),
    **dict.fromkeys(("customer_id", "customer_name"), ("customer",)),
    **dict.fromkeys(("vendor_id", "vendor_name"), ("vendor",)),
    **dict.fromkeys(("salesperson_id", "salesperson_name"), ("salesperson",)),
    **dict.fromkeys(("discount", "discount_type", "discount_total", "discount_percent"), ("discount",)),
    "created_time": ("createdAt",),
    **dict.fromkeys(("last_modified_time", "updated_time"), ("lastModifiedAt",)),
    **dict.fromkeys(("created_by_id", "created_by_name"), ("createdBy",)),
    "last_modified_by_id": ("lastModifiedBy",),
    "estimate_id": ("estimate",),
    "salesorder_id": ("salesOrder",),
    "plan_name": ("plan",),
}
"""Books' and Billing's field → those of the published schema that tell it; others change their spelling only."""
OWN_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Accounts": {"Account_Name": ("name",), "Phone": ("phone",), "Website": ("website",)},
    "Contacts": {
        "Full_Name": ("name",),
        "Email": ("email",),
        "Phone": ("phone",),
        "Account_Name": ("account",),
    },
}
"""The same for the CRM's own modules; others are not published."""


class _Permission(Struct):
    name: str
    enabled: bool = False


class _Profile(Struct):
    id: str
    name: str
    permissions_details: list[_Permission] = []


class _Profiles(Struct):
    profiles: list[_Profile] = []


class _Restriction(Struct):
    id: str
    permission_type: str = "read_write"


class _Field(Struct):
    api_name: str
    profiles: list[_Restriction] = []


class _Fields(Struct):
    fields: list[_Field] = []


_profiles = Decoder(_Profiles).decode
_fields = Decoder(_Fields).decode


class Get(Protocol):
    """A read of the CRM under the connection that may see profiles."""

    async def __call__(self, path: str, decode: Callable[[bytes], T], params: Mapping[str, str]) -> T:
        """As `Client.get`."""


async def read(get: Get) -> list[CrmProfile]:
    """All profiles of the organization."""
    listed = await get("/settings/profiles", _profiles, {})
    answers = await asyncio.gather(*(get(f"/settings/profiles/{one.id}", _profiles, {}) for one in listed.profiles))
    fields = await asyncio.gather(*(get("/settings/fields", _fields, {"module": module}) for module in MODULES))
    restrictions = dict(zip(MODULES, (answer.fields for answer in fields), strict=True))
    return [_profile(one, restrictions) for answer in answers for one in answer.profiles]


def _profile(profile: _Profile, fields: Mapping[str, Sequence[_Field]]) -> CrmProfile:
    enabled = {one.name for one in profile.permissions_details if one.enabled}
    granted = [PERMISSIONS[name] for name in enabled & PERMISSIONS.keys()]
    return CrmProfile(
        id=profile.id,
        name=profile.name,
        administers=ADMINISTERS in enabled,
        grants={
            ours: ModuleGrant(
                frozenset(action for module, action in granted if module == ours),
                _restricted(crm, fields[crm], profile.id, "hidden"),
                _restricted(crm, fields[crm], profile.id, "read_only"),
            )
            for crm, ours in MODULES.items()
        },
    )


def _restricted(module: str, fields: Iterable[_Field], profile_id: str, how: str) -> frozenset[str]:
    return frozenset(
        name
        for field in fields
        for one in field.profiles
        if one.id == profile_id and one.permission_type == how
        for name in published(module, field.api_name)
    )


def published(module: str, name: str) -> tuple[str, ...]:
    """The fields of the published schema that tell what the CRM's field holds."""
    if module in OWN_FIELDS:
        return OWN_FIELDS[module].get(name, ())
    return FIELDS.get(name) or (camel(name),)


def camel(name: str) -> str:
    """`due_date` → `dueDate`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
