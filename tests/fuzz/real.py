"""The gateway's own schema, played over the sandbox: demo people with other grants, products that fail."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from time import monotonic
from typing import Any

from gateway.wiring.assembly import Assembly
from resolvers.context import Context
from schema import schema
from schema.permissions import PERMISSIONS
from services.errand import Errand
from services.policy import Viewer
from services.sandbox import Sandbox
from services.sandbox.faults import Fault
from tests.fuzz.answers import Answer, Execute, answered
from tests.fuzz.operations import Grammar
from tests.fuzz.stage import ALLOWED, Noted, Request, Witness, core, nullable
from tests.fuzz.values import Sample
from tests.fuzz.viewers import granted

PEOPLE = ("owner", "owner", "owner", "staff", "staff", "billing", "sales", "assigned")
HIDEABLE = tuple(sorted({field for one in PERMISSIONS for field in one.split(".")[2:]}))
FAILING = ("/invoices*", "/estimates/*", "/salesorders*", "/subscriptions*", "/contacts*", "*/Accounts*", "*")
"""Paths of the products that fail in some cases."""
CLOCKS = frozenset({"asOf"})
"""Fields that tell the moment of the answer."""
SELDOM = frozenset({"after", "view", "where", "search", "can", "report", "explainAccess", "writeOutcome", "nodes"})
"""Arguments and fields to which a random value is refused."""
FAULTS = 0.2
"""In how many of the cases."""
SECONDS = 60.0
LISTS = ("estimates", "invoices", "salesOrders", "purchaseOrders", "subscriptions", "accounts", "contacts")
KNOWN = (
    f"{{ {' '.join(f'{name}(first: 3) {{ nodes {{ id }} }}' for name in LISTS)} "
    "reports { id } dashboards { id } viewer { id } }"
)
"""Asks for the ids of some records."""


class Real:
    """The gateway's schema; what its resolvers do is done by the real services."""

    schema = schema
    nullable = nullable(schema)

    def __init__(
        self, assembly: Assembly, sandbox: Sandbox, people: Mapping[str, Viewer], ids: Mapping[str, list[str]]
    ) -> None:
        self._services: Any = assembly.services
        self._sandbox = sandbox
        self._people = people
        inner = schema._schema  # noqa: SLF001 - Strawberry's way to graphql-core's schema
        self.grammar = Grammar(inner, samples(ids), left_out=CLOCKS, rare=SELDOM, mutations=False)

    async def play(self, execute: Execute, request: Request, seed: int) -> Answer:
        chance, noted = Random(seed), Noted()
        viewer = granted(chance, HIDEABLE, self._people[chance.choice(PEOPLE)])
        services = replace(self._services, usage=noted)
        context = Witness(services, viewer, Errand(viewer, str(seed), monotonic() + SECONDS))
        self._sandbox.clear_faults()
        if chance.random() < FAULTS:
            self._sandbox.fault(Fault("status", chance.choice(FAILING), status=400))
        execution = execute(
            request.text,
            variables=request.variables,
            operation_name=request.name,
            context=context,
            root=None,
            allowed=ALLOWED,
        )
        return replace(await answered(execution), noted=frozenset(noted.used), places=context.places)


def samples(ids: Mapping[str, list[str]]) -> dict[str, Sample]:
    """Values that the gateway's schema accepts, over records that there are."""
    every = [one for known in ids.values() for one in known]
    made: dict[str, Sample] = {
        "ID": lambda chance: chance.choice(every),
        "first": lambda chance: chance.choice((1, 2, 3, 5, 5, 8, 0)),
        "Date": lambda chance: f"2026-0{chance.randint(1, 9)}-15",
        "DateTime": lambda chance: f"2026-0{chance.randint(1, 9)}-15T00:00:00+00:00",
        "Decimal": lambda chance: chance.choice(("0", "100.00", "2500")),
        "CurrencyCode": lambda chance: chance.choice(("EUR", "USD")),
        "permission": lambda chance: chance.choice(("invoices.view", "estimates.edit", "nothing")),
        "locale": lambda chance: chance.choice(("de-DE", "en", "xx")),
    }
    for plural, known in ids.items():
        if known:
            made[f"{plural.removesuffix('s')}.id"] = _one_of(known)
    return made


def _one_of(known: Sequence[str]) -> Sample:
    return lambda chance: chance.choice(known)


@asynccontextmanager
async def real(assembly: Assembly, sandbox: Sandbox) -> AsyncIterator[Real]:
    """The stage over services that have begun to work."""
    people = {name: await assembly.services.identity.viewer(f"{name}@demo.example") for name in PEOPLE}
    yield Real(assembly, sandbox, people, await _known(assembly, people["owner"]))
    sandbox.clear_faults()


async def _known(assembly: Assembly, viewer: Viewer) -> dict[str, list[str]]:
    """Global ids of records that the owner sees."""
    context = Context(assembly.services, viewer, Errand(viewer, "ids", monotonic() + SECONDS))
    asked = core(schema)(KNOWN, variables=None, operation_name=None, context=context, root=None, allowed=ALLOWED)
    data = (await asked).data
    assert data
    return known(data)


def known(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """The ids that `KNOWN` has brought."""
    return {name: list(_ids(value)) for name, value in data.items()}


def _ids(value: Any) -> Iterable[str]:
    rows = value.get("nodes", [value]) if isinstance(value, dict) else value
    return (row["id"] for row in rows)
