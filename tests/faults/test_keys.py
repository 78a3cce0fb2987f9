"""Sealing keys that are missing or replaced."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from pydantic import SecretStr

from gateway.commands.resealing import resealed
from tests.faults.gateways import asking, begun, forget_tokens, survived
from tests.harness import SEALING_KEY, Gateway, running

OLD, NEW = SEALING_KEY, b64encode(bytes(range(32))).decode()


async def test_without_the_key_products_are_not_called_and_with_it_all_is_as_before(own_gateway: Gateway) -> None:
    tally = await begun(own_gateway)
    stranger = own_gateway.settings.model_copy(update={"sealing_keys": (SecretStr(NEW),)})
    own_gateway.sandbox.clear_calls()
    async with running(stranger, own_gateway.sandbox, demo=False) as gateway:
        lost = replace(tally, post=asking(gateway))
        assert not await lost.read("staff")
        assert await lost.write("staff") == "INTERNAL"
    assert own_gateway.sandbox.calls(product="books") == []
    await survived(own_gateway, tally)
    assert [said[-1] for said in tally.told.values()].count("REJECTED") == 1


@asynccontextmanager
async def under(gateway: Gateway, *keys: str) -> AsyncIterator[Gateway]:
    """Another process on the same database, with these keys."""
    changed = gateway.settings.model_copy(update={"sealing_keys": tuple(map(SecretStr, keys))})
    async with running(changed, gateway.sandbox) as another:
        yield another


async def test_while_keys_are_replaced_as_the_manual_says_nobody_is_refused(own_gateway: Gateway) -> None:
    tally, old = await begun(own_gateway), own_gateway

    async def work(*gateways: Gateway) -> None:
        await forget_tokens(old)
        for gateway in gateways:
            tally.post = asking(gateway)
            assert await tally.read("staff")
            assert await tally.write("staff") == "APPLIED"

    async with under(old, OLD, NEW) as prepared:
        await work(old, prepared)
        async with under(old, NEW, OLD) as turned:
            await work(prepared, turned)
            assert await resealed(turned.settings)
            async with under(old, NEW) as new:
                await work(turned, new)
                await survived(new, tally)
