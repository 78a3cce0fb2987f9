"""The companies of the sandbox and their people, as tables."""

from collections.abc import Callable
from dataclasses import dataclass

from services.sandbox.store import Organization, Person

PREFIXES = {"demo": ("460", "460", "461"), "west": ("470", "471", "472"), "south": ("480", "480", "482")}
"""First digits of the record ids in Books, Billing and CRM."""


def organizations() -> list[Organization]:
    return [
        Organization(
            crm_id="20077000001",
            books_id="20098765001",
            billing_id="20098765001",
            key="demo",
            data_centre="eu",
            name="Demo Trading",
            edition="enterprise",
            currency_code="EUR",
            currency_symbol="€",
            country_code="DE",
            time_zone="Europe/Berlin",
        ),
        Organization(
            crm_id="60077000001",
            books_id="60012000001",
            billing_id="60012000002",
            key="west",
            data_centre="com",
            name="West Trading",
            edition="enterprise",
            currency_code="USD",
            currency_symbol="$",
            country_code="US",
            time_zone="America/Los_Angeles",
        ),
        Organization(
            crm_id="62077000001",
            books_id="62012000001",
            billing_id="62012000001",
            key="south",
            data_centre="in",
            name="South Trading",
            edition="standard",
            currency_code="INR",
            currency_symbol="₹",
            country_code="IN",
            time_zone="Asia/Kolkata",
        ),
    ]


@dataclass(frozen=True)
class _Seat:
    """One person: the local part of the address, CRM profile, roles in Books and Billing (None: not a user there)."""

    local: str
    profile: str = "Standard"
    books: str | None = None
    billing: str | None = None
    crm_status: str = "active"
    confirmed: bool = True
    books_status: str = "active"
    crm_email: str = ""


_DEMO = (
    _Seat("owner", "Administrator", "Admin", "Admin"),
    _Seat("staff", books="Staff"),
    _Seat("assigned", books="Staff (Assigned Customers Only)"),
    _Seat("approver", books="Approver"),
    _Seat("billing", billing="Staff"),
    _Seat("sales"),
    _Seat("estimator"),
    _Seat("legacy"),
    _Seat("readonly", "Read Only Finance", "Staff", "Staff"),
    _Seat("outsider", "No Finance"),
    _Seat("administrator2", "Administrator", "Admin", "Admin"),
    _Seat("restricted", books="Restricted Staff"),
    _Seat("timesheet", books="Timesheet Staff"),
    _Seat("both", books="Staff", billing="Staff"),
    _Seat("mixedcase", books="Staff", crm_email="MixedCase@demo.example"),
    _Seat("inactive", books="Staff", crm_status="disabled"),
    _Seat("unconfirmed", crm_status="active", confirmed=False),
    _Seat("booksinactive", books="Staff", books_status="inactive"),
    _Seat("sales1"),
    _Seat("sales2"),
    _Seat("sales3"),
    _Seat("support1"),
    _Seat("support2"),
    _Seat("support3"),
    _Seat("marketing1"),
    _Seat("marketing2"),
    _Seat("partner1", "Read Only Finance"),
    _Seat("partner2", "No Finance"),
)
_SMALL = (
    _Seat("owner", "Administrator", "Admin", "Admin"),
    _Seat("staff", books="Staff"),
)


def people(organization: Organization, next_id: Callable[[str], str]) -> list[Person]:
    """The owner first."""
    seats = _DEMO if organization.key == "demo" else _SMALL
    return [_person(organization, number, seat, next_id) for number, seat in enumerate(seats, 1)]


def _person(organization: Organization, number: int, seat: _Seat, next_id: Callable[[str], str]) -> Person:
    email = f"{seat.local}@{organization.key}.example"
    return Person(
        zuid=f"{organization.crm_id[:-3]}{number + 100}",
        crm_id=organization.crm_id,
        email=email,
        first_name=organization.key.capitalize(),
        last_name=seat.local.capitalize(),
        crm_user_id=next_id(organization.crm_id),
        crm_email=seat.crm_email or email,
        crm_status=seat.crm_status,
        crm_confirmed=seat.confirmed,
        profile=seat.profile,
        books_user_id=next_id(organization.books_id) if seat.books else None,
        books_role=seat.books,
        books_status=seat.books_status,
        billing_user_id=next_id(organization.billing_id) if seat.billing else None,
        billing_role=seat.billing,
    )
