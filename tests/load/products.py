"""The sandbox in a process of its own, as slow as a network: `python -m tests.load.products PORT STORE`.

With `--changes FILE` somebody works in the product all the while: every `--every` seconds an invoice gets another
reference, and a line of the file tells when, which, and what stood there before.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from random import Random

import uvicorn

from services.sandbox import Sandbox, records
from services.sandbox.stamps import moment, written
from tests.resolvers.reading import kept

DEMO = "20098765001"
"""The demo organization in Books and in Billing."""
ZONE = "Europe/Berlin"


def main() -> None:
    given = _arguments()
    chance = Random(given.seed)
    sandbox = Sandbox(given.store, pause=lambda: chance.uniform(given.wait - given.spread, given.wait + given.spread))
    try:
        asyncio.run(_served(sandbox, given))
    finally:
        sandbox.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.products", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("store", type=Path, help="the file of a sandbox")
    parser.add_argument("--wait", type=float, default=0.15, help="seconds that a call takes")
    parser.add_argument("--spread", type=float, default=0.1, help="by how much more or less")
    parser.add_argument("--changes", type=Path, help="where changes are told")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between changes")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


async def _served(sandbox: Sandbox, given: argparse.Namespace) -> None:
    config = uvicorn.Config(sandbox.app, port=given.port, log_level="warning", access_log=False, lifespan="off")
    working = asyncio.create_task(_changing(sandbox, given)) if given.changes else None
    await uvicorn.Server(config).serve()
    if working:
        working.cancel()


async def _changing(sandbox: Sandbox, given: argparse.Namespace) -> None:
    chance, number = Random(given.seed + 1), 0
    ids = _newest_invoices(sandbox)
    while True:
        await asyncio.sleep(given.every)
        number += 1
        told = _changed(sandbox, chance.choice(ids), f"CHANGE-{number}")
        with given.changes.open("a") as file:
            file.write(f"{json.dumps(told)}\n")


def _newest_invoices(sandbox: Sandbox, count: int = 60) -> list[str]:
    """Those that people look at."""
    bodies = sorted(kept(sandbox, "invoices"), key=lambda body: str(body["created_time"]))
    return [str(body["invoice_id"]) for body in bodies[-count:]]


def _changed(sandbox: Sandbox, record_id: str, reference: str) -> dict[str, object]:
    at = time.time()
    with sandbox.store.session() as session:
        body = records.read(session, DEMO, "invoices", record_id) or {}
        changes = {"reference_number": reference, "last_modified_time": written(moment(at, ZONE))}
        records.put(session, DEMO, "invoices", body | changes)
    return {"at": at, "id": record_id, "before": {name: body[name] for name in changes}, **changes}


if __name__ == "__main__":
    main()
