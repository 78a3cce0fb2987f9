import asyncio
import base64
import hmac
import json
import time
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import Key, RSAKey

from services.sandbox.faults import Fault, FaultKind
from tests.harness import Gateway, running

WHO = {"query": "{ viewer { email } }"}


async def asked(gateway: Gateway, authorization: str | None) -> httpx.Response:
    headers = {"authorization": authorization} if authorization is not None else {}
    return await gateway.post(None, WHO, **headers)


async def refusal(gateway: Gateway, authorization: str | None) -> str:
    """The reason of the 401 that this header gets."""
    response = await asked(gateway, authorization)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Bearer")
    (error,) = response.json()["errors"]
    assert "data" not in response.json()
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    reason: str = error["extensions"]["reason"]
    return reason


async def test_a_valid_token_signs_its_person_in(gateway: Gateway) -> None:
    for person in ("staff@demo.example", "owner@west.example", "owner@south.example"):
        assert await gateway.ask(person, WHO["query"]) == {"data": {"viewer": {"email": person}}}


async def test_without_a_token_nobody_is_signed_in(gateway: Gateway) -> None:
    assert await refusal(gateway, None) == "MISSING_TOKEN"
    assert await refusal(gateway, "Bearer ") == "MISSING_TOKEN"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer x",
        "Bearer a.b.c",
        "Bearer ..",
        "Basic c3RhZmY6c3RhZmY=",
        "Bearer a.b." + "c" * 20_000,
        "Bearer W10.Nw.",
    ],
    ids=lambda header: header[:20],
)
async def test_a_token_that_is_none_is_refused(gateway: Gateway, header: str) -> None:
    assert await refusal(gateway, header) == "MALFORMED_TOKEN"


async def test_an_expired_token_is_refused_beyond_the_leeway(gateway: Gateway) -> None:
    fresh = gateway.token("staff@demo.example", lifetime=-20)
    stale = gateway.token("staff@demo.example", lifetime=-40)
    assert (await asked(gateway, f"Bearer {fresh}")).status_code == 200
    assert await refusal(gateway, f"Bearer {stale}") == "EXPIRED_TOKEN"


async def test_a_token_from_the_future_is_refused(gateway: Gateway) -> None:
    later = int(time.time()) + 600
    for claim in ("nbf", "iat"):
        token = gateway.token("staff@demo.example", **{claim: later})
        assert await refusal(gateway, f"Bearer {token}") == "NOT_YET_VALID"


def claims_of(gateway: Gateway) -> dict[str, Any]:
    """The claims of a good token."""
    _, body, _ = gateway.token("staff@demo.example").split(".")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
    return claims


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "somebody-else"}, "WRONG_AUDIENCE"),
        ({"aud": ["somebody-else", "another"]}, "WRONG_AUDIENCE"),
        ({"aud": None}, "WRONG_AUDIENCE"),
        ({"aud": {}}, "WRONG_AUDIENCE"),
        ({"iss": "https://accounts.example"}, "WRONG_ISSUER"),
        ({"iss": ["https://accounts.zoho.eu"]}, "WRONG_ISSUER"),
        ({"exp": "tomorrow"}, "INVALID_EXPIRY"),
        ({"exp": None}, "INVALID_EXPIRY"),
        ({"sub": None}, "INVALID_CLAIM"),
        ({"email": None}, "MISSING_EMAIL"),
        ({"email": 7}, "MISSING_EMAIL"),
        ({"email": "sta\ufb00@demo.example"}, "AMBIGUOUS_EMAIL"),
        ({"email_verified": False}, "UNVERIFIED_EMAIL"),
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_refused_with_the_reason(
    gateway: Gateway, claims: dict[str, Any], reason: str
) -> None:
    token = gateway.sandbox.keys.sign(claims_of(gateway) | claims)
    assert await refusal(gateway, f"Bearer {token}") == reason


async def test_a_token_for_several_audiences_is_accepted_when_ours_is_among_them(gateway: Gateway) -> None:
    token = gateway.token("staff@demo.example", audience=["somebody-else", "sandbox-client"])
    assert (await asked(gateway, f"Bearer {token}")).status_code == 200


def forged(gateway: Gateway, header: dict[str, str], key: Key) -> str:
    """A token with the claims of a good one, signed by a stranger."""
    return jwt.encode(header, claims_of(gateway), key, algorithms=[header["alg"]])


async def test_a_token_without_a_signature_is_refused(gateway: Gateway) -> None:
    header, body, _ = gateway.token("staff@demo.example").split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for algorithm in (unsigned, header):
        reason = "FORBIDDEN_ALGORITHM" if algorithm == unsigned else "BAD_SIGNATURE"
        assert await refusal(gateway, f"Bearer {algorithm}.{body}.") == reason


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(gateway: Gateway) -> None:
    published = gateway.sandbox.keys.published()["keys"][0]
    public = RSAKey.import_key(published).as_pem(private=False)
    head = json.dumps({"alg": "HS256", "kid": published["kid"]}).encode()
    signed = (
        base64.urlsafe_b64encode(head).rstrip(b"=") + b"." + gateway.token("staff@demo.example").split(".")[1].encode()
    )
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed, "sha256")).rstrip(b"=")
    assert await refusal(gateway, f"Bearer {(signed + b'.' + signature).decode()}") == "FORBIDDEN_ALGORITHM"


async def test_a_token_of_a_stranger_with_the_right_key_id_is_refused(gateway: Gateway) -> None:
    kid = gateway.sandbox.keys.published()["keys"][0]["kid"]
    assert isinstance(kid, str)
    token = forged(gateway, {"alg": "RS256", "kid": kid}, RSAKey.generate_key(2048))
    assert await refusal(gateway, f"Bearer {token}") == "BAD_SIGNATURE"


async def test_changed_claims_break_the_signature(gateway: Gateway) -> None:
    header, _, signature = gateway.token("staff@demo.example").split(".")
    claims = claims_of(gateway) | {"email": "owner@demo.example"}
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    assert await refusal(gateway, f"Bearer {header}.{changed}.{signature}") == "BAD_SIGNATURE"


def fetches(gateway: Gateway) -> int:
    return len(gateway.sandbox.calls(product="accounts", path="*/keys"))


async def test_a_new_signing_key_is_fetched_once_and_the_old_one_goes_on_while_published(own_gateway: Gateway) -> None:
    before = own_gateway.token("staff@demo.example")
    assert (await asked(own_gateway, f"Bearer {before}")).status_code == 200
    known = fetches(own_gateway)
    own_gateway.sandbox.rotate_keys(keep_old=True)
    after = own_gateway.token("staff@demo.example")
    for token in (after, before, after):
        assert (await asked(own_gateway, f"Bearer {token}")).status_code == 200
    assert fetches(own_gateway) == known + 1


async def test_tokens_with_invented_key_ids_do_not_make_the_gateway_fetch_again_and_again(own_gateway: Gateway) -> None:
    assert (await asked(own_gateway, f"Bearer {own_gateway.token('staff@demo.example')}")).status_code == 200
    known, stranger = fetches(own_gateway), RSAKey.generate_key(2048)
    for number in range(20):
        token = forged(own_gateway, {"alg": "RS256", "kid": f"invented-{number}"}, stranger)
        assert await refusal(own_gateway, f"Bearer {token}") == "UNKNOWN_KEY"
    assert fetches(own_gateway) <= known + 1


async def test_unknown_inactive_and_unconfirmed_people_are_told_which_they_are(gateway: Gateway) -> None:
    for person, reason in {
        "nobody@demo.example": "UNKNOWN_USER",
        "inactive@demo.example": "INACTIVE",
        "unconfirmed@demo.example": "UNCONFIRMED",
    }.items():
        assert await refusal(gateway, f"Bearer {gateway.token(person)}") == reason


async def test_an_address_is_matched_whatever_its_case(gateway: Gateway) -> None:
    answer = await gateway.ask("MixedCase@demo.example", WHO["query"])
    assert answer["data"]["viewer"]["email"].casefold() == "mixedcase@demo.example"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("refuse", 503, "UPSTREAM_UNAVAILABLE"),
        ("html", 502, "UPSTREAM_REJECTED"),
        ("garbage", 502, "UPSTREAM_REJECTED"),
    ],
)
async def test_a_provider_that_fails_when_its_keys_are_needed_is_an_outage_not_a_bad_token(
    own_gateway: Gateway, kind: FaultKind, status: int, code: str
) -> None:
    own_gateway.sandbox.fault(Fault(kind, product="accounts"))
    response = await asked(own_gateway, f"Bearer {own_gateway.token('staff@demo.example')}")
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_keys_that_are_known_go_on_while_the_provider_is_down(own_gateway: Gateway) -> None:
    signed = f"Bearer {own_gateway.token('staff@demo.example')}"
    assert (await asked(own_gateway, signed)).status_code == 200
    own_gateway.sandbox.fault(Fault("refuse", product="accounts"))
    own_gateway.sandbox.rotate_keys(keep_old=False)
    assert (await asked(own_gateway, signed)).status_code == 200
    assert await refusal(own_gateway, f"Bearer {own_gateway.token('staff@demo.example')}") == "UNKNOWN_KEY"


async def test_keys_withdrawn_while_the_provider_is_down_end_soon_after_it_is_back(
    own_gateway: Gateway,
) -> None:
    assert own_gateway.settings.openid
    openid = own_gateway.settings.openid.model_copy(update={"keys_seconds": 2.0, "refetch_seconds": 0.1})
    settings = own_gateway.settings.model_copy(update={"openid": openid})
    async with running(settings, own_gateway.sandbox) as gateway:
        signed = f"Bearer {gateway.token('staff@demo.example')}"
        assert (await asked(gateway, signed)).status_code == 200
        gateway.sandbox.fault(Fault("refuse", product="accounts"))
        gateway.sandbox.rotate_keys(keep_old=False)
        await asyncio.sleep(2.1)
        assert (await asked(gateway, signed)).status_code == 200
        gateway.sandbox.clear_faults()
        await asyncio.sleep(0.2)
        assert (await asked(gateway, signed)).status_code == 401


async def test_a_person_is_nobody_in_an_organization_that_is_not_his(gateway: Gateway) -> None:
    response = await gateway.post("staff", WHO, **{"gateway-organization": "another"})
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["reason"] == "UNKNOWN_USER"
