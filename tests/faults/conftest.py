"""Gateways in this process that little time is given to."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.gateways import another
from tests.harness import Demo, Gateway


@pytest.fixture(scope="module")
async def common(demo: Demo) -> AsyncIterator[Gateway]:
    """A gateway that the tests of a module share; each leaves it well."""
    async with demo.gateway() as first, another(first) as gateway:
        yield gateway
        assert gateway.witness.strangers == []


@pytest.fixture
async def hasty(own_gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway for one test alone."""
    async with another(own_gateway) as gateway:
        yield gateway
