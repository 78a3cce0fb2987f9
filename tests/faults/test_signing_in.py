"""The sign-in provider's keys: rotated while it is down, and asked for by a flood of tokens that nobody signed."""

import asyncio
from time import monotonic

from joserfc import jwt
from joserfc.jwk import RSAKey

from gateway.settings import OpenId
from services.sandbox import Fault
from tests.faults.gateways import begun, survived
from tests.harness import Gateway

FLOOD = 100
EVERY: float = OpenId.model_fields["refetch_seconds"].default


def forged(number: int, key: RSAKey) -> str:
    """A token that names a key nobody has heard of."""
    claims = {"iss": "https://accounts.zoho.eu", "aud": "sandbox-client", "sub": "1", "exp": 2**31}
    return jwt.encode({"alg": "RS256", "kid": f"invented-{number}"}, claims, key)


def fetches(gateway: Gateway) -> int:
    return len(gateway.sandbox.calls(product="accounts", path="*/keys"))


def most(began: float) -> float:
    """How often the provider may have been asked since then."""
    return (monotonic() - began) / EVERY


async def test_a_flood_of_unknown_keys_while_the_provider_is_down_keeps_nobody_out(own_gateway: Gateway) -> None:
    tally, key = await begun(own_gateway), RSAKey.generate_key(2048)
    own_gateway.sandbox.fault(Fault("refuse", product="accounts"))
    own_gateway.sandbox.rotate_keys(keep_old=True)
    before, began = fetches(own_gateway), monotonic()

    async def knock(number: int) -> int:
        signed = {"Authorization": f"Bearer {forged(number, key)}"}
        return (await own_gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=signed)).status_code

    assert set(await asyncio.gather(*map(knock, range(FLOOD)))) == {401}
    assert fetches(own_gateway) - before <= 1 + most(began)
    assert not await tally.read("staff")
    own_gateway.sandbox.clear_faults()
    await asyncio.gather(*map(knock, range(FLOOD)))
    await survived(own_gateway, tally)
    assert fetches(own_gateway) - before <= 1 + most(began)
