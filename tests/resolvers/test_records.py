"""Single records: what they hold, where they came from, and ids that are none."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import httpx
import pytest
from sqlmodel import select

from services.sandbox.store import Person
from tests.harness import Gateway
from tests.resolvers.reading import KINDS, Body, Kind, called, codes, data, ids_of, kept, only_error, raw

BOOKS = [kind for kind in KINDS.values() if kind.product == "books"]
DEMO = "20098765001"
LINES = "lineItems { id name quantity rate discount total taxPercentage }"
SUMS = "total { amount currency } subTotal { amount } taxTotal { amount } discount { amount }"


async def told(gateway: Gateway, kind: Kind, record_id: str) -> dict[str, Any]:
    """The full record as the product writes it, every number as the text it stands in."""
    token = gateway.sandbox.access_token("owner@demo.example")
    root = "books/v3" if kind.product == "books" else "billing/v1"
    headers = {"authorization": f"Zoho-oauthtoken {token}", "x-com-zoho-subscriptions-organizationid": DEMO}
    async with httpx.AsyncClient(transport=gateway.sandbox.transport(), headers=headers) as client:
        url = f"https://www.zohoapis.eu/{root}/{kind.path}/{record_id}"
        answer = await client.get(url, params={"organization_id": DEMO} if kind.product == "books" else {})
    found: dict[str, Any] = json.loads(answer.text, parse_float=str, parse_int=str)[kind.path.removesuffix("s")]
    return found


async def some(gateway: Gateway, kind: Kind, *, count: int = 6) -> list[tuple[str, str]]:
    """(global id, product's id) of some records, far apart."""
    bodies = kept(gateway.sandbox, kind.path)[:: 500 // count][:count]
    ids = await ids_of(gateway, kind, [body[kind.number_key] for body in bodies])
    return [(one, raw(one)) for one in ids]


@pytest.mark.parametrize("kind", BOOKS, ids=lambda kind: kind.plural)
async def test_money_is_exact_to_the_digit_that_the_product_sent(gateway: Gateway, kind: Kind) -> None:
    query = f"query($id: ID!) {{ {kind.name}(id: $id) {{ {SUMS} {LINES} }} }}"
    for global_id, record_id in await some(gateway, kind):
        theirs = await told(gateway, kind, record_id)
        ours = (await data(gateway, "owner", query, id=global_id))[kind.name]
        assert ours["total"] == {"amount": theirs["total"], "currency": theirs["currency_code"]}
        for field, key in (("subTotal", "sub_total"), ("taxTotal", "tax_total"), ("discount", "discount_total")):
            assert ours[field]["amount"] == theirs[key]
        lines = [
            {
                "id": line["line_item_id"],
                "name": line["name"],
                "quantity": line["quantity"],
                "rate": line["rate"],
                "discount": line["discount_amount"],
                "total": line["item_total"],
                "taxPercentage": line["tax_percentage"],
            }
            for line in theirs["line_items"]
        ]
        assert ours["lineItems"] == lines


@pytest.mark.parametrize("kind", BOOKS, ids=lambda kind: kind.plural)
async def test_a_record_says_what_the_product_keeps(gateway: Gateway, kind: Kind) -> None:
    fields = "number referenceNumber rawStatus date notes terms salesperson createdAt lastModifiedAt"
    query = f"""query($id: ID!) {{ {kind.name}(id: $id) {{ id module {fields} status
        {kind.party} {{ id name }} createdBy {{ name email }} lastModifiedBy {{ email }}
        customFields {{ name label value }} region: customFields(names: ["cf_region"]) {{ value }}
        none: customFields(names: []) {{ name }} }} }}"""
    for global_id, record_id in await some(gateway, kind):
        theirs: Body = await told(gateway, kind, record_id)
        ours = (await data(gateway, "owner", query, id=global_id))[kind.name]
        assert (ours["id"], ours["module"]) == (global_id, kind.module)
        expected = {
            "number": theirs[kind.number_key],
            "referenceNumber": theirs["reference_number"],
            "rawStatus": theirs["status"],
            "date": theirs["date"],
            "notes": theirs["notes"],
            "terms": theirs["terms"],
            "salesperson": theirs.get("salesperson_name"),
        }
        assert {name: ours[name] for name in expected} == {name: value or None for name, value in expected.items()}
        assert ours["createdAt"].replace(":", "") == theirs["created_time"].replace(":", "")
        assert ours[kind.party]["name"] == theirs[f"{kind.party}_name"]
        assert raw(ours[kind.party]["id"]) == theirs[f"{kind.party}_id"]
        assert ours["createdBy"]["email"] == email_of(gateway, theirs["created_by_id"])
        assert ours["lastModifiedBy"]["email"] == email_of(gateway, theirs["last_modified_by_id"])
        assert [f["value"] for f in ours["customFields"]] == [f["value"] for f in theirs["custom_fields"]]
        assert [f["value"] for f in ours["region"]] == [
            f["value"] for f in theirs["custom_fields"] if f["api_name"] == "cf_region"
        ]
        assert ours["none"] == []


def email_of(gateway: Gateway, user_id: str) -> str:
    with gateway.sandbox.store.session() as session:
        return session.exec(select(Person.email).where(Person.books_user_id == user_id)).one()


async def test_a_subscription_says_what_the_product_keeps(gateway: Gateway) -> None:
    kind, dates = (
        KINDS["subscriptions"],
        {
            "activatedAt": "activated_at",
            "currentTermStartsAt": "current_term_starts_at",
            "currentTermEndsAt": "current_term_ends_at",
            "nextBillingAt": "next_billing_at",
            "cancelledAt": "cancelled_at",
            "expiresAt": "expires_at",
            "name": "name",
            "number": "subscription_number",
            "referenceNumber": "reference_id",
            "rawStatus": "status",
            "intervalUnit": "interval_unit",
        },
    )
    query = f"""{{ subscriptions(first: 12) {{ nodes {{ id {" ".join(dates)} amount {{ amount currency }}
        interval autoCollect plan {{ code name quantity price }} addons {{ code quantity price }}
        activities {{ description by }} customer {{ name }} }} }} }}"""
    for ours in (await data(gateway, "owner", query))["subscriptions"]["nodes"]:
        theirs = await told(gateway, kind, raw(ours["id"]))
        assert {name: ours[name] for name in dates} == {name: theirs.get(key) or None for name, key in dates.items()}
        assert ours["amount"] == {"amount": theirs["amount"], "currency": theirs["currency_code"]}
        assert (str(ours["interval"]), ours["autoCollect"]) == (theirs["interval"], theirs["auto_collect"])
        plan, addons = theirs["plan"], theirs["addons"]
        assert ours["plan"]["code"] == plan["plan_code"]
        assert (ours["plan"]["quantity"], ours["plan"]["price"]) == (plan["quantity"], plan["price"])
        assert ours["addons"] == [
            {"code": a["addon_code"], "quantity": a["quantity"], "price": a["price"]} for a in addons
        ]
        assert ours["customer"]["name"] == theirs["customer"]["display_name"]
        assert ours["activities"][-1]["description"].startswith("Subscription created")


async def test_documents_name_what_they_came_from_and_what_became_of_them(gateway: Gateway) -> None:
    invoices, orders = kept(gateway.sandbox, "invoices"), kept(gateway.sandbox, "salesorders")
    chained = next(
        o
        for o in orders
        if o.get("estimate_id") and any(i.get("salesorder_id") == o["salesorder_id"] for i in invoices)
    )
    made = {i["invoice_id"] for i in invoices if i.get("salesorder_id") == chained["salesorder_id"]}
    (order_id,) = await ids_of(gateway, KINDS["salesOrders"], [chained["salesorder_number"]])
    query = """query($id: ID!) { salesOrder(id: $id) { id invoices { id salesOrder { id } estimate { id } }
        estimate { id salesOrders { id } } } }"""
    order = (await data(gateway, "owner", query, id=order_id))["salesOrder"]
    assert raw(order["estimate"]["id"]) == chained["estimate_id"]
    assert order["estimate"]["salesOrders"] == [{"id": order_id}]
    assert {raw(invoice["id"]) for invoice in order["invoices"]} == made
    assert [invoice["salesOrder"] for invoice in order["invoices"]] == [{"id": order_id}] * len(made)


async def test_an_estimate_names_the_invoices_made_from_it_directly(gateway: Gateway) -> None:
    made = next(i for i in kept(gateway.sandbox, "invoices") if i.get("estimate_id") and not i.get("salesorder_id"))
    estimates = {body["estimate_id"]: body["estimate_number"] for body in kept(gateway.sandbox, "estimates")}
    (id,) = await ids_of(gateway, KINDS["estimates"], [estimates[made["estimate_id"]]])  # noqa: A001
    query = "query($id: ID!) { estimate(id: $id) { invoices { number estimate { id } } } }"
    found = (await data(gateway, "owner", query, id=id))["estimate"]["invoices"]
    assert found == [{"number": made["invoice_number"], "estimate": {"id": id}}]


async def some_nodes(gateway: Gateway) -> list[str]:
    lists = " ".join(f"{name}(first: 2) {{ nodes {{ id }} }}" for name in (*KINDS, "accounts", "contacts"))
    found = await data(gateway, "owner", f"{{ {lists} }}")
    return [node["id"] for page in found.values() for node in page["nodes"]]


async def test_nodes_gives_records_of_every_kind_in_the_order_asked_for(gateway: Gateway) -> None:
    ids = (await some_nodes(gateway))[::-1]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    found = (await data(gateway, "owner", query, ids=[*ids, ids[0]]))["nodes"]
    assert [node["id"] for node in found] == [*ids, ids[0]]
    assert {node["__typename"] for node in found} == {kind.type for kind in KINDS.values()} | {"Account", "Contact"}
    for node in found[::3]:
        alone = await data(gateway, "owner", "query($id: ID!) { node(id: $id) { __typename id } }", id=node["id"])
        assert alone["node"] == node


async def test_a_failing_node_is_null_at_its_place_and_the_others_arrive(gateway: Gateway) -> None:
    ids = await some_nodes(gateway)
    subscription = next(one for one in ids if "subscr" in decoded(one))
    asked = [ids[0], "nonsense", subscription, absent(ids[0])]
    answer = await gateway.ask("staff", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=asked)
    assert answer["data"]["nodes"] == [{"id": ids[0]}, None, None, None]
    assert {tuple(error["path"]): error["extensions"]["code"] for error in answer["errors"]} == {
        ("nodes", 1): "BAD_USER_INPUT",
        ("nodes", 2): "FORBIDDEN",
    }


def decoded(global_id: str) -> str:
    return urlsafe_b64decode(global_id + "==").decode()


def spelled(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def absent(global_id: str) -> str:
    """The id of a record of the same kind that does not exist."""
    return spelled(decoded(global_id).replace(raw(global_id), "460000000000000000"))


async def test_a_record_that_does_not_exist_is_a_null_node_and_a_coded_error_elsewhere(gateway: Gateway) -> None:
    for id in await some_nodes(gateway):  # noqa: A001
        module = decoded(id).partition(":")[0]
        field = next((kind.name for kind in KINDS.values() if kind.plural == module), module)
        query = f"query($id: ID!) {{ node(id: $id) {{ id }} one: {field}(id: $id) {{ id }} }}"
        answer = await gateway.ask("owner", query, id=absent(id))
        assert answer["data"] == {"node": None, "one": None}
        assert (codes(answer), answer["errors"][0]["path"]) == (["NOT_FOUND"], ["one"])


@pytest.mark.parametrize(
    "bad",
    ["", " ", "x", "!", "460000000000001001", "ü", "a" * 100_000, "%00", "../estimates", "aW52b2ljZXM6", "e30="],
    ids=lambda bad: bad[:12],
)
async def test_what_is_no_id_is_refused_with_path_and_hint_and_without_a_call(gateway: Gateway, bad: str) -> None:
    for field in ("node", *(kind.name for kind in KINDS.values()), "account", "contact"):
        answer, calls = await called(gateway, "owner", f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=bad)
        error = only_error(answer)
        assert (error["code"], error["field"], error["path"], calls) == ("BAD_USER_INPUT", ["id"], [field], [])
        assert error["hint"]
        assert len(error["message"]) < 200


async def test_an_id_is_good_in_one_spelling_only(gateway: Gateway) -> None:
    (id, *_) = await some_nodes(gateway)  # noqa: A001
    text = decoded(id)
    for other in (f"{id}=", f"{id}A", f" {id}", spelled(f"{text}/../x"), spelled(f"{text}?a=b"), spelled(f"{text}:1")):
        answer, calls = await called(gateway, "owner", "query($id: ID!) { node(id: $id) { id } }", id=other)
        assert (only_error(answer)["code"], calls) == ("BAD_USER_INPUT", [])


async def test_an_id_of_another_kind_or_organization_is_refused_without_a_call(gateway: Gateway) -> None:
    ids = await some_nodes(gateway)
    for person, field, id in (  # noqa: A001
        *(("owner", "invoice", one) for one in ids if not decoded(one).startswith("invoices")),
        *(("owner@west.example", "node", one) for one in ids),
        ("owner", "node", spelled(decoded(ids[0]).replace("estimates", "customer"))),
    ):
        answer, calls = await called(gateway, person, f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=id)
        error = only_error(answer)
        assert (error["code"], error["field"], error["path"], calls) == ("BAD_USER_INPUT", ["id"], [field], [])


@pytest.mark.parametrize(
    ("person", "direct"),
    [("owner", True), ("staff", True), ("readonly", True), ("sales", False), ("estimator", False), ("legacy", False)],
)
async def test_only_users_of_the_product_get_a_link_into_it(gateway: Gateway, person: str, direct: bool) -> None:
    (node,) = (await data(gateway, person, "{ estimates(first: 1) { nodes { id productUrl } } }"))["estimates"]["nodes"]
    url = f"https://books.zoho.eu/app/{DEMO}#/estimates/{raw(node['id'])}"
    assert node["productUrl"] == (url if direct else None)


async def test_available_actions_follow_status_and_permission(gateway: Gateway) -> None:
    query = "query($id: ID!) { estimate(id: $id) { availableActions { name available requires reason grantedBy } } }"
    bodies = kept(gateway.sandbox, "estimates")
    draft, done = (next(b for b in bodies if b["status"] == status) for status in ("draft", "invoiced"))
    ids = await ids_of(gateway, KINDS["estimates"], [draft["estimate_number"], done["estimate_number"]])
    for person, id, available in (("staff", ids[0], True), ("staff", ids[1], False), ("readonly", ids[0], False)):  # noqa: A001
        found = (await data(gateway, person, query, id=id))["estimate"]["availableActions"]
        update = next(action for action in found if action["name"] == "UPDATE")
        assert (update["available"], update["requires"]) == (available, "estimates.edit")
        assert (update["reason"] is None) == available
        assert (update["grantedBy"] is not None) == (person == "readonly")


@pytest.mark.parametrize(("locale", "ends"), [(None, "€"), ("de-DE", "€"), ("de_DE", "€"), ("ja-JP", "€")])
async def test_money_is_formatted_in_the_manner_of_a_locale(gateway: Gateway, locale: str | None, ends: str) -> None:
    query = "query($l: String) { invoices(first: 20) { nodes { total { amount currency formatted(locale: $l) } } } }"
    totals = [n["total"] for n in (await data(gateway, "owner", query, l=locale))["invoices"]["nodes"]]
    for total in (one for one in totals if one["currency"] == "EUR"):
        whole, _, cents = total["amount"].partition(".")
        digits = "".join(c for c in total["formatted"] if c.isdigit())
        assert digits == whole + cents
        assert ends in total["formatted"]
        assert ("," in total["formatted"][-5:]) == (locale in ("de-DE", "de_DE"))


async def test_the_crm_is_searched_for_accounts_and_contacts(gateway: Gateway) -> None:
    accounts, contacts = kept(gateway.sandbox, "crm_accounts"), kept(gateway.sandbox, "crm_contacts")
    word = accounts[3]["Account_Name"].split()[0]
    people = "contacts(first: 100) { nodes { id name email } }"
    query = f"query($s: String) {{ accounts(first: 100, search: $s) {{ nodes {{ name }} }} {people} }}"
    found = await data(gateway, "owner", query, s=word)
    names = {node["name"] for node in found["accounts"]["nodes"]}
    assert names >= {body["Account_Name"] for body in accounts if body["Account_Name"].startswith(word)}
    known = {body["id"]: (body["Full_Name"], body["Email"]) for body in contacts}
    assert {
        raw(node["id"]): (node["name"], node["email"]) for node in found["contacts"]["nodes"]
    }.items() <= known.items()
