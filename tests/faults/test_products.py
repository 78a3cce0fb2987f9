"""A product fails for some calls: what is answered is coded, and what it holds afterwards is what was said."""

import asyncio
from dataclasses import replace

import pytest

from services.sandbox import Fault
from tests.faults.gateways import another, asking, begun, forget_tokens, survived
from tests.faults.troubles import BOOKS, TROUBLES, Trouble
from tests.harness import Gateway

PEOPLE = ("owner", "staff")
CIRCUIT = 5
"""Failures on end after which a product is left alone."""
OF_PRODUCTS = [trouble for trouble in TROUBLES if trouble.where is BOOKS]
OF_TOKENS = [trouble for trouble in TROUBLES if trouble.where is not BOOKS]


@pytest.mark.parametrize("trouble", OF_PRODUCTS, ids=str)
async def test_a_product_in_trouble_costs_no_write_and_does_none_twice(common: Gateway, trouble: Trouble) -> None:
    tally = await begun(common)
    for method in ("GET", "POST"):
        common.sandbox.fault(trouble.fault(method=method, times=2))
    await asyncio.gather(*(work(person) for person in PEOPLE for work in (tally.read, tally.write)))
    common.sandbox.clear_faults()
    await survived(common, tally)


@pytest.mark.parametrize("trouble", OF_TOKENS, ids=str)
async def test_tokens_that_cannot_be_renewed_cost_no_write_and_do_none_twice(common: Gateway, trouble: Trouble) -> None:
    before = await begun(common)
    await forget_tokens(common)
    common.sandbox.fault(trouble.fault())
    async with another(common) as gateway:
        tally = replace(before, post=asking(gateway))
        await asyncio.gather(*(work(person) for person in PEOPLE for work in (tally.read, tally.write)))
        assert tally.codes
        common.sandbox.clear_faults()
        await survived(gateway, tally)


async def test_a_product_that_was_down_for_longer_is_tried_again_in_time(own_gateway: Gateway) -> None:
    tally = await begun(own_gateway)
    own_gateway.sandbox.fault(Fault("refuse", **BOOKS))
    while tally.codes["UPSTREAM_UNAVAILABLE"] < 6:
        await tally.write()
    assert len(own_gateway.sandbox.calls(product="books", method="POST")) <= CIRCUIT
    own_gateway.sandbox.clear_faults()
    await survived(own_gateway, tally)
