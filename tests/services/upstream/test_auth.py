import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.documents import Module
from services.errors import Forbidden, UpstreamRateLimited, UpstreamRejected, UpstreamUnavailable
from services.kinds import KINDS
from services.policy import Product
from services.sandbox.faults import Fault
from services.upstream.auth import DATA_CENTERS, consent_url, data_centers_at

from .conftest import Desk, Open

OWNER, STAFF, OUTSIDER = "owner@demo.example", "staff@demo.example", "timesheet@demo.example"
TOKEN = "/oauth/v2/token"
INVOICES = KINDS[Module.INVOICES]


async def some_invoices(desk: Desk, email: str) -> object:
    return await desk.documents.rows(desk.errand(email), INVOICES, {}, 1, 5)


def revoke_all(desk: Desk) -> None:
    with desk.sandbox.store.session() as session:
        session.connection().exec_driver_sql("DELETE FROM accesstoken")
    desk.sandbox.access.forget()


async def test_a_token_is_made_for_the_first_call_and_serves_the_next(desk: Desk) -> None:
    for _ in range(3):
        await some_invoices(desk, STAFF)
    assert desk.calls(TOKEN) == 1
    assert {call.email for call in desk.sandbox.calls(product="books")} == {STAFF}


async def test_a_token_at_its_end_is_renewed_before_the_call(desk: Desk) -> None:
    await some_invoices(desk, STAFF)
    desk.clock.advance(3590)
    await some_invoices(desk, STAFF)
    assert desk.calls(TOKEN) == 2
    assert desk.calls(status=401) == 0


async def test_a_hundred_calls_that_find_the_token_expired_share_one_renewal(desk: Desk) -> None:
    await some_invoices(desk, STAFF)
    desk.clock.advance(3600)
    pages = (desk.documents.rows(desk.errand(STAFF), INVOICES, {}, page, 5) for page in range(1, 101))
    await asyncio.gather(*pages)
    assert desk.calls(TOKEN) == 2


async def test_a_hundred_calls_whose_token_the_product_refuses_share_one_renewal(open_desk: Open) -> None:
    first, second = open_desk(), open_desk()
    connection = first.connection(STAFF)
    second.connections[STAFF, Product.BOOKS] = connection
    await some_invoices(first, STAFF)
    revoke_all(first)
    pages = (second.documents.rows(second.errand(STAFF), INVOICES, {}, page, 5) for page in range(1, 101))
    answers = await asyncio.gather(*pages)
    assert len(answers) == 100
    assert first.calls(TOKEN) == 2


async def test_a_token_that_the_crm_calls_invalid_is_renewed_however_lately_it_worked(desk: Desk) -> None:
    await desk.crm.accounts(desk.errand(STAFF), 1, 5)
    now = time.monotonic()
    token = desk.client.authorization.current(desk.connection(STAFF, Product.CRM))
    assert token is not None
    assert token.trusted_until > now
    token.made_at -= 61
    revoke_all(desk)
    assert (await desk.crm.accounts(desk.errand(STAFF), 1, 5)).rows
    revoke_all(desk)
    with pytest.raises(Forbidden) as refused:
        await desk.crm.accounts(desk.errand(STAFF), 1, 5)
    assert refused.value.hint == "Connect the product again."


async def test_who_is_no_user_of_the_organization_is_forbidden(desk: Desk) -> None:
    with pytest.raises(Forbidden) as refused:
        await some_invoices(desk, "sales@demo.example")
    assert refused.value.details["productCode"] == 6041
    assert desk.calls(TOKEN) == 1


async def test_replicas_use_each_others_tokens(open_desk: Open) -> None:
    first, second = open_desk(), open_desk()
    second.connections[STAFF, Product.BOOKS] = first.connection(STAFF)
    await asyncio.gather(some_invoices(first, STAFF), some_invoices(second, STAFF))
    assert first.calls(TOKEN) == 1


async def test_what_a_role_refuses_is_forbidden_and_costs_no_token(desk: Desk) -> None:
    for _ in range(5):
        with pytest.raises(Forbidden) as refused:
            await some_invoices(desk, OUTSIDER)
    assert desk.calls(TOKEN) == 1
    assert refused.value.extensions == {
        "code": "FORBIDDEN",
        "product": "BOOKS",
        "missingFrom": ["BOOKS_ROLE"],
        "productCode": 57,
        "productMessage": "You are not authorized to perform this operation",
    }


async def test_a_token_that_has_just_worked_is_not_renewed_for_a_refusal(desk: Desk) -> None:
    await some_invoices(desk, STAFF)
    desk.sandbox.clear_calls()
    with pytest.raises(Forbidden):
        await desk.books.users(desk.connection(STAFF))
    assert desk.calls(TOKEN) == 0


async def test_the_crm_word_for_a_missing_permission_costs_no_token(desk: Desk) -> None:
    with pytest.raises(Forbidden) as refused:
        await desk.crm.profiles(desk.connection(STAFF, Product.CRM))
    assert refused.value.details["missingFrom"] == ["CRM_PROFILE"]
    assert desk.calls(TOKEN) == 1


@pytest.mark.parametrize(
    ("word", "error"),
    [("invalid_code", Forbidden), ("Access Denied", UpstreamRateLimited), ("invalid_client", UpstreamRejected)],
)
async def test_a_refused_renewal_says_why(desk: Desk, word: str, error: type[Exception]) -> None:
    desk.sandbox.fault(Fault("token_error", path=TOKEN, code=word))
    with pytest.raises(error):
        await some_invoices(desk, STAFF)
    assert desk.calls(product="books") == 0


async def test_accounts_out_of_reach_is_a_product_out_of_reach(desk: Desk) -> None:
    desk.sandbox.fault(Fault("refuse", path=TOKEN))
    with pytest.raises(UpstreamUnavailable):
        await some_invoices(desk, STAFF)


async def test_the_api_domain_told_with_the_token_is_kept(desk: Desk) -> None:
    await some_invoices(desk, STAFF)
    held = desk.tokens.held[desk.connection(STAFF).id]
    assert (held.api_domain, held.saved) == ("https://www.zohoapis.eu", 1)


@pytest.mark.parametrize(("email", "center"), [("owner@west.example", "com"), ("owner@south.example", "in")])
async def test_each_organization_is_called_in_its_own_data_center(desk: Desk, email: str, center: str) -> None:
    await some_invoices(desk, email)
    assert {call.data_centre for call in desk.sandbox.calls()} == {center}


async def test_a_consent_is_exchanged_for_lasting_access(desk: Desk) -> None:
    center, back = DATA_CENTERS["eu"], "http://127.0.0.1:8000/connected"
    asked = consent_url(center, "sandbox-client", back, ("ZohoBooks.fullaccess.all",), "state", login_hint=STAFF)
    async with httpx.AsyncClient(transport=desk.sandbox.transport()) as browser:
        location = (await browser.get(asked)).headers["location"]
    grant = await desk.client.exchange(center, parse_qs(urlsplit(location).query)["code"][0], back)
    assert grant.refresh_token
    assert grant.api_domain == "https://www.zohoapis.eu"
    with pytest.raises(Forbidden):
        await desk.client.exchange(center, "no such code", back)


def test_the_sandbox_serves_all_data_centers_under_one_origin() -> None:
    center = data_centers_at("http://127.0.0.1:9000")["com.au"]
    assert center.api_domain == "http://127.0.0.1:9000/com.au/api"
    assert center.accounts_url == "http://127.0.0.1:9000/com.au/accounts"
    assert center.location == "au"
