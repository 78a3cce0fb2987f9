"""Time that passes for writes of which nothing is known: what takes minutes is then known at once."""

import asyncio

import psycopg

from gateway.wiring.settling import settle_uncertain
from services import Services
from tests.faults.tally import Tally
from tests.harness import Gateway

AGE = """
UPDATE outcomes SET started_at = started_at - interval '6 minutes', looked_up_at = NULL
WHERE state IN ('INTENT', 'UNCERTAIN')
"""


def age(url: str) -> None:
    """Make open writes in the database so old that whoever tried has ended."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(AGE)


async def settled(url: str, services: Services, tally: Tally) -> None:
    """Let time pass and the worker look everything up; then all of it is known, and repeating changes nothing."""
    await asyncio.to_thread(age, url)
    await settle_uncertain(services)
    await tally.settle()
    before = {key: said[-1] for key, said in tally.told.items()}
    await tally.repeat()
    for key, said in tally.told.items():
        if before[key] in {"APPLIED", "REJECTED"} and said[-1] != before[key]:
            tally.uncoded.append(f"{key} was {before[key]} and is {said[-1]}")


async def closed(gateway: Gateway, tally: Tally) -> None:
    """The same, of a gateway in this process."""
    services: Services = gateway.app.state.endpoint.services
    assert gateway.settings.database_url
    await settled(gateway.settings.database_url.get_secret_value(), services, tally)
