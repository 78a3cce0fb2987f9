"""gql against a served gateway; the clients on Node are gone through by `python -m tests.clients`."""

from collections.abc import AsyncIterator

import pytest

from tests.clients import transports
from tests.clients.door import Door, opened
from tests.harness import Demo

CASES = [(name, scenario) for name, transport in transports.TRANSPORTS.items() for scenario in transports.of(transport)]


@pytest.fixture(scope="module")
async def door(demo: Demo) -> AsyncIterator[Door]:
    async with demo.gateway() as gateway, opened(gateway) as door:
        yield door


@pytest.mark.xdist_group("clients")
@pytest.mark.parametrize(("name", "scenario"), CASES)
async def test_a_client_for_python_works_unchanged(door: Door, name: str, scenario: str) -> None:
    await transports.SCENARIOS[scenario](transports.TRANSPORTS[name], door)
