"""What never reaches a product: what cannot be read, and what the viewer may not do."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import col, update

from services import grants
from services.credentials import Consent
from services.policy import EVERYTHING, Action, ModuleGrant, Product
from services.storage import models
from services.upstream.auth import DATA_CENTERS
from tests.resolvers.office import (
    CASES,
    DEMO,
    ESTIMATE,
    INVOICE,
    LINE,
    PURCHASE_ORDER,
    SALES_ORDER,
    SUBSCRIPTION,
    Case,
    Office,
    fresh,
)

ALL = tuple(CASES.values())


@pytest.fixture
def untouched(office: Office) -> Iterator[None]:
    """Nothing was written, and nothing asked of a product."""
    before = {case: office.count(case) for case in ALL}
    office.gateway.sandbox.clear_calls()
    yield
    assert {case: office.count(case) for case in ALL} == before
    assert office.writes() == []


def problem(answer: dict[str, Any], code: str = "BAD_USER_INPUT") -> dict[str, Any]:
    """The one error of an answer without data."""
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == code, error
    assert not any((answer.get("data") or {}).values())
    return dict(error)


# Ids.


async def ids(office: Office, which: str) -> str:
    """An id that is not a customer's of the demo organization."""
    if which == "west":
        query = "{ invoices(first: 1) { nodes { customer { id } } } }"
        rows = (await office.ask("owner@west.example", query))["data"]["invoices"]["nodes"]
        return str(rows[0]["customer"]["id"])
    if which == "invoice":
        return str(
            (await office.ask("owner", "{ invoices(first: 1) { nodes { id } } }"))["data"]["invoices"]["nodes"][0]["id"]
        )
    return {"empty": "", "number": "460000000001116", "path": "../invoices", "long": "x" * 5000}[which]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("which", ["west", "invoice", "empty", "number", "path", "long"])
async def test_a_customer_must_be_one_of_ours(office: Office, which: str) -> None:
    party = await ids(office, which)
    draft = await office.draft(INVOICE)
    office.gateway.sandbox.clear_calls()
    error = problem(await office.send_create("staff", INVOICE, {**draft, "customerId": party}))
    assert error["extensions"]["field"] == ["input", "customerId"]
    assert office.gateway.sandbox.calls() == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("which", ["west", "empty", "number", "path", "long"])
@pytest.mark.parametrize("case", [INVOICE, SUBSCRIPTION], ids=lambda case: case.name)
async def test_what_is_changed_must_be_one_of_ours(office: Office, case: Case, which: str) -> None:
    record = await ids(office, which)
    office.gateway.sandbox.clear_calls()
    error = problem(await office.send_update("owner", case, record, case.change))
    assert error["extensions"]["field"] == ["id"]
    assert office.gateway.sandbox.calls() == []


@pytest.mark.usefixtures("untouched")
async def test_an_item_must_be_an_item(office: Office) -> None:
    lines = [LINE, {"itemId": await office.party()}]
    error = problem(await office.send_create("staff", INVOICE, await office.draft(INVOICE, lineItems=lines)))
    assert error["extensions"]["field"] == ["input", "lineItems", "1", "itemId"]


# Values.


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "rate",
    [
        *("NaN", "sNaN", "Infinity", "-Infinity", "1e999", "1E+5", "1e-7", "", " 1", "1,5", "0x10", "١", "9" * 16),
        *("0.0000001", "+1", ".5", "5.", 0.1, 1.5, True, [], {}),
    ],
)
async def test_an_amount_is_a_decimal_number_in_a_string(office: Office, rate: Any) -> None:
    office.gateway.sandbox.clear_calls()
    draft = {"customerId": await office.party(), "lineItems": [{"name": "A", "rate": rate}]}
    problem(await office.send_create("staff", INVOICE, draft))
    assert office.writes() == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("literal", ["NaN", "1e999", "1.5", "true", '"1e5"'])
async def test_an_amount_in_the_operation_itself_is_as_strict(office: Office, literal: str) -> None:
    lines = f'[{{ name: "A", rate: {literal} }}]'
    given = f'customerId: "{await office.party()}", lineItems: {lines}'
    query = f'mutation {{ invoiceCreate(input: {{ {given} }}, idempotencyKey: "{fresh()}") {{ outcome }} }}'
    problem(await office.ask("staff", query))


async def test_the_largest_and_smallest_amounts_arrive_as_they_are(office: Office) -> None:
    lines = [
        {"name": "A", "rate": "99999999999.999999"},
        {"name": "B", "rate": "0.000001"},
        {"name": "C", "rate": "-0"},
    ]
    payload = await office.create("staff", INVOICE, lineItems=lines)
    rates = [str(line["rate"]) for line in office.stored(INVOICE, payload["invoice"]["id"])["line_items"]]
    assert rates[:2] == ["99999999999.999999", "0.000001"]
    assert float(rates[2]) == 0
    assert payload["invoice"]["total"]["amount"] == "100000000000.00"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "day", ["2026-02-30", "30.11.2026", "2026-11-2", "20261102", "2026-11-02T00:00:00Z", 0, "0000-01-01"]
)
async def test_a_date_must_exist(office: Office, day: Any) -> None:
    problem(await office.send_create("staff", INVOICE, await office.draft(INVOICE, date=day)))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "more", [{"status": "paid"}, {"total": "1"}, {"createdById": "1"}, {"discount": {"amount": "1", "type": "x"}}]
)
async def test_what_the_contract_does_not_name_cannot_be_set(office: Office, more: dict[str, Any]) -> None:
    problem(await office.send_create("staff", INVOICE, await office.draft(INVOICE, **more)))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("key", ["", "k" * 201, "two\nlines", "nul\x1f", "\u202e"])
async def test_an_idempotency_key_is_a_printable_text_of_some_length(office: Office, key: str) -> None:
    error = problem(await office.send_create("staff", INVOICE, await office.draft(INVOICE), key))
    assert error["extensions"]["field"] == ["idempotencyKey"]


async def test_a_key_may_be_as_long_as_200_characters_of_any_script(office: Office) -> None:
    key = fresh() + "鍵" * 184
    assert (await office.create("staff", INVOICE, key))["outcome"] == "APPLIED"
    assert (await office.outcome("staff", key))["outcome"] == "APPLIED"


# Permissions.

FORBIDDEN = [
    *(("readonly", case, ["CRM_PROFILE"]) for case in ALL),
    *(("outsider", case, ["CRM_PROFILE", "BOOKS_ROLE"]) for case in ALL if case is not SUBSCRIPTION),
    ("outsider", SUBSCRIPTION, ["CRM_PROFILE", "BILLING_ROLE"]),
    ("staff", SUBSCRIPTION, ["BILLING_ROLE"]),
    ("sales", SUBSCRIPTION, ["BILLING_ROLE"]),
    ("billing", INVOICE, ["BOOKS_ROLE"]),
    ("estimator", INVOICE, ["INTEGRATION_GRANT"]),
    ("estimator", SALES_ORDER, ["INTEGRATION_GRANT"]),
    ("estimator", PURCHASE_ORDER, ["INTEGRATION_GRANT"]),
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("person", "case", "missing"), FORBIDDEN, ids=[f"{who}-{case.name}" for who, case, _ in FORBIDDEN]
)
async def test_who_may_not_write_is_told_what_he_lacks(
    office: Office, person: str, case: Case, missing: list[str]
) -> None:
    draft, key = await office.draft(case), fresh()
    record = (await office.ask("owner", f"{{ {case.module}(first: 1) {{ nodes {{ id }} }} }}"))["data"]
    office.gateway.sandbox.clear_calls()
    made = problem(await office.send_create(person, case, draft, key), "FORBIDDEN")["extensions"]
    assert (made["required"], made["missingFrom"]) == (f"{case.module}.create", missing)
    assert made["hint"].startswith("Ask ")
    changed = await office.send_update(person, case, record[case.module]["nodes"][0]["id"], case.change, key)
    assert problem(changed, "FORBIDDEN")["extensions"]["required"] == f"{case.module}.edit"
    assert await office.outcome(person, key) is None
    assert office.gateway.sandbox.calls() == []


async def test_an_integration_user_on_estimates_makes_estimates(office: Office) -> None:
    assert (await office.create("estimator", ESTIMATE))["outcome"] == "APPLIED"


# Read-only fields.


async def grant_profile(office: Office, profile: str, **modules: ModuleGrant) -> None:
    """Change a CRM profile as a sync after its administrator's change does."""
    row = models.Profile
    async with office.session() as session:
        found = grants.stored(
            {**dict.fromkeys(("estimates", "invoices", "salesOrders", "purchaseOrders"), EVERYTHING)} | modules
        )
        await session.exec(update(row).where(col(row.name) == profile).values(grants=found))


NO_DISCOUNTS = ModuleGrant(frozenset(Action), read_only=frozenset({"discount", "notes"}))


@pytest.mark.parametrize("person", ["staff", "sales", "legacy"])
async def test_a_field_that_the_profile_only_reads_cannot_be_set(own_office: Office, person: str) -> None:
    office = own_office
    record = await office.made("owner", ESTIMATE)
    await grant_profile(office, "Standard", estimates=NO_DISCOUNTS)
    before = (office.count(ESTIMATE), office.stored(ESTIMATE, record))
    office.gateway.sandbox.clear_calls()
    made = await office.create(person, ESTIMATE, discount={"percent": "50"}, notes="cheap", terms="none")
    changed = await office.update(person, ESTIMATE, record, discount={"percent": "50"}, referenceNumber="allowed")
    by_line = await office.create(person, ESTIMATE, lineItems=[{**LINE, "discount": {"percent": "99"}}])
    cleared = await office.update(person, ESTIMATE, record, notes=None)
    places = [
        [(error["code"], error["field"]) for error in payload["userErrors"]]
        for payload in (made, changed, by_line, cleared)
    ]
    assert places == [
        [("FORBIDDEN", ["input", "discount"]), ("FORBIDDEN", ["input", "notes"])],
        [("FORBIDDEN", ["input", "discount"])],
        [("FORBIDDEN", ["input", "discount"])],
        [("FORBIDDEN", ["input", "notes"])],
    ]
    assert {payload["outcome"] for payload in (made, changed, by_line, cleared)} == {"REJECTED"}
    assert "CRM_PROFILE does not grant estimates.create.discount" in made["userErrors"][0]["message"]
    assert (office.count(ESTIMATE), office.stored(ESTIMATE, record)) == before
    assert office.writes() == []
    assert (await office.event(made))["outcome"] == "REJECTED"
    assert (await office.create(person, ESTIMATE, referenceNumber="allowed"))["outcome"] == "APPLIED"


async def test_a_field_that_the_products_role_only_reads_is_refused_by_the_product(own_office: Office) -> None:
    office = own_office
    await connect_restricted(office)
    record = await office.made("owner", ESTIMATE)
    before = (office.count(ESTIMATE), office.stored(ESTIMATE, record))
    for answer in (
        await office.send_create("restricted", ESTIMATE, await office.draft(ESTIMATE, discount={"percent": "50"})),
        await office.send_update("restricted", ESTIMATE, record, {"discount": {"percent": "50"}}),
    ):
        error = problem(answer, "FORBIDDEN")["extensions"]
        assert (error["product"], error["missingFrom"]) == ("BOOKS", ["BOOKS_ROLE"])
        event = await office.event(error)
        assert (event["outcome"], event["credential"]["email"]) == ("REJECTED", "restricted@demo.example")
        assert event["upstreamCalls"][-1]["status"] == 401
    assert (office.count(ESTIMATE), office.stored(ESTIMATE, record)) == before
    assert (await office.create("restricted", ESTIMATE, notes="allowed"))["outcome"] == "APPLIED"


async def connect_restricted(office: Office) -> None:
    """The sandbox's person with read-only fields connects; the gateway takes that role for an unlimited one."""
    services, center, member = office.services, DATA_CENTERS["eu"], await office.member("restricted")
    consent = Consent(
        organization_id=member.organization_id,
        email=member.email,
        product=Product.BOOKS,
        product_organization_id=DEMO,
        data_center=center.name,
        accounts_url=center.accounts_url,
        api_domain=center.api_domain,
        refresh_token=office.gateway.sandbox.refresh_token(member.email),
    )
    everything = dict.fromkeys(("estimates", "invoices", "customers"), EVERYTHING)
    await services.credentials.connect(consent)
    await services.directory.set_role(member.organization_id, Product.BOOKS, member.books_role or "", everything)
    await services.directory.migrate(member.organization_id, [member.email])
