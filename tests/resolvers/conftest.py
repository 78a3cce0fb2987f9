"""Gateways for tests that write."""

from collections.abc import AsyncIterator

import pytest

from tests.harness import Demo, Gateway
from tests.resolvers.office import Office


@pytest.fixture(scope="module")
async def office(demo: Demo) -> AsyncIterator[Office]:
    """A gateway that the writing tests of a module share."""
    async with demo.gateway() as gateway:
        yield Office(gateway)
        assert gateway.witness.strangers == []


@pytest.fixture
def own_office(own_gateway: Gateway) -> Office:
    """A gateway for one test alone."""
    return Office(own_gateway)
