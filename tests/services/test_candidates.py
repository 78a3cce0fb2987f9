from datetime import UTC, datetime
from typing import Any

import pytest

from services.candidates import Candidate, Candidates, Facts, Kind, Reason, match
from services.policy import AccessKind, CapabilitySet, Product
from services.storage.models import Member, ProductUser
from services.usage import UNUSED, Usage

MIGRATED = datetime(2026, 5, 15, tzinfo=UTC)
UNLICENSED: dict[str, Any] = {"books_status": None}


def member(local: str, **values: Any) -> Member:
    given: dict[str, Any] = {
        "email": f"{local}@demo.example",
        "status": "active",
        "confirmed": True,
        "profile_id": "sales",
        "books_status": "active",
        "id": local,
        "name": local.title(),
        "crm_user_id": local,
    }
    return Member(organization_id="demo", **given | values)


def books(email: str | None, user_id: str = "1", status: str = "active") -> ProductUser:
    return ProductUser(organization_id="demo", product=Product.BOOKS, user_id=user_id, email=email, status=status)


def only(*members: Member, users: tuple[ProductUser, ...] = (), **facts: Any) -> Candidate:
    found = match(members, users, Facts(profiles=["sales"], **facts))
    assert len(found) == 1
    return found[0]


def test_a_user_of_both_who_has_connected_gets_his_own_access() -> None:
    found = only(member("staff"), users=(books("Staff@Demo.example"),), own={"staff": frozenset({Product.BOOKS})})
    assert (found.kind, found.to, found.reason) == (Kind.PRODUCT_USER, AccessKind.PRODUCT_USER, None)
    assert found.products == found.connected == (Product.BOOKS,)


def test_a_user_of_both_who_has_not_connected_is_asked_to() -> None:
    found = only(member("staff"))
    assert (found.reason, found.eligible, found.to) == (
        Reason.AWAITING_AUTHORIZATION,
        True,
        AccessKind.PRODUCT_USER,
    )
    assert "Zoho Books" in found.message


def test_who_has_no_licence_would_become_an_integration_user() -> None:
    found = only(member("sales", **UNLICENSED))
    assert (found.kind, found.to, found.reason) == (Kind.INTEGRATION_USER, AccessKind.INTEGRATION_USER, None)


@pytest.mark.parametrize(
    ("values", "reason", "says"),
    [
        ({"status": "disabled"}, Reason.INACTIVE, "disabled"),
        ({"confirmed": False}, Reason.INACTIVE, "not confirmed"),
        ({"books_status": "inactive"}, Reason.INACTIVE, "Zoho Books is inactive"),
        ({"migrated_at": MIGRATED}, Reason.ALREADY_MIGRATED, "2026-05-15"),
        ({**UNLICENSED, "status": "disabled"}, Reason.INACTIVE, "disabled"),
        ({**UNLICENSED, "profile_id": "none"}, Reason.NOT_UTILIZED, "profile"),
    ],
)
def test_what_stands_in_the_way_is_said(values: dict[str, Any], reason: Reason, says: str) -> None:
    found = only(member("staff", **values))
    assert (found.reason, found.to, found.eligible) == (reason, AccessKind.NONE, False)
    assert says in found.message


def test_an_integration_user_is_migrated_already() -> None:
    found = only(member("sales", **UNLICENSED), seats={"sales": [Product.BOOKS]})
    assert (found.reason, found.kind) == (Reason.ALREADY_MIGRATED, Kind.INTEGRATION_USER)


def test_an_integration_user_who_got_a_licence_since_is_told_apart() -> None:
    found = only(member("sales"), seats={"sales": [Product.BOOKS]})
    assert (found.reason, found.kind) == (Reason.ALREADY_MIGRATED, Kind.PRODUCT_USER)
    assert "since" in found.message


def test_an_address_of_several_users_of_the_crm_belongs_to_nobody() -> None:
    twins = [member("one", email="shared@demo.example"), member("two", email="shared@demo.example")]
    found = match(twins, [], Facts())
    assert [one.reason for one in found] == [Reason.SEVERAL_MATCHES] * 2


def test_an_inactive_namesake_does_not_stand_in_the_way() -> None:
    twins = [member("one", email="s@demo.example"), member("two", email="s@demo.example", status="disabled")]
    found = match(twins, [], Facts(profiles=["sales"]))
    assert [one.reason for one in found] == [Reason.AWAITING_AUTHORIZATION, Reason.INACTIVE]


def test_an_address_of_several_users_of_books_belongs_to_nobody() -> None:
    users = (books("staff@demo.example", "1"), books("STAFF@demo.example", "2"), books("staff@demo.example", "3", "x"))
    found = only(member("staff"), users=users)
    assert (found.reason, "2 active users" in found.message) == (Reason.SEVERAL_MATCHES, True)


def test_a_user_of_books_whom_the_crm_does_not_know_is_said_to_be_none() -> None:
    found = match([member("gone", email="left@demo.example", status="deleted")], [books("left@demo.example")], Facts())
    assert [(one.reason, one.member_id, one.id) for one in found] == [(Reason.NOT_A_CRM_USER, None, "BOOKS:1")]
    assert match([], [books("left@demo.example", status="deleted")], Facts()) == []


def test_a_billing_user_is_known_by_his_connection_or_his_role() -> None:
    connected = only(member("billing", **UNLICENSED), own={"billing": frozenset({Product.BILLING})})
    told = only(member("billing", **UNLICENSED, billing_role="staff"))
    assert (connected.products, connected.reason) == ((Product.BILLING,), None)
    assert (told.products, told.reason) == ((Product.BILLING,), Reason.AWAITING_AUTHORIZATION)


async def test_candidates_come_page_by_page_with_their_utilization(company: Any) -> None:
    usage = Usage(company.database)
    candidates = Candidates(company.database, usage)
    for number in range(5):
        await company.member(f"sales{number}")
    await company.product_user("staff")
    await company.integration_user("estimator", CapabilitySet.ESTIMATES_ONLY)
    await company.member("outsider", profile_id="nothing")
    usage.note(await company.viewer("sales3"), frozenset({"Query.invoices": "invoices.view"}.items()))
    await usage.flush()
    seen: list[Candidate] = []
    while True:
        page = await candidates.page(company.id, 2, seen[-1].key if seen else None, Kind.INTEGRATION_USER)
        seen += page.candidates
        if not page.more:
            break
    assert [one.name for one in seen] == ["Estimator", *(f"Sales{number}" for number in range(5))]
    assert page.total == 6
    assert [one.utilization.operations for one in seen] == [0, 0, 0, 0, 1, 0]
    assert seen[1].utilization is UNUSED
    assert [one.reason for one in (await candidates.page(company.id, 9, kind=Kind.PRODUCT_USER)).candidates] == [
        Reason.ALREADY_MIGRATED
    ]


async def test_chosen_members_are_told_even_when_they_are_no_candidates(company: Any) -> None:
    outsider = await company.member("outsider", profile_id="nothing")
    found = await Candidates(company.database, Usage(company.database)).all(company.id, [outsider.id])
    assert [one.reason for one in found] == [Reason.NOT_UTILIZED]
