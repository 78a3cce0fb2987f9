"""What is done to a record: global ids and the permission on the record checked, the rest is `services.writes`."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from strawberry import UNSET

from resolvers.context import Context
from resolvers.mutations import Payload, told
from services.acts import ACTS, CANCEL_AT_END, Act, ActName
from services.correspondence import Preview
from services.documents import Document, Module
from services.kinds import KINDS, kind_of
from services.life_cycle import Step

Resolver = Callable[..., Any]


def act(module: Module, name: ActName) -> Resolver:
    """An act that needs nothing but the record."""
    kind, row = KINDS[module], ACTS[module][name]

    async def resolve(_root: Any, context: Context, id: str, idempotency_key: str) -> Payload:  # noqa: A002
        step = Step(kind, context.record_id(module, id), row)
        return await told(context, context.services.writes.act(context.errand, step, idempotency_key))

    return resolve


def convert(module: Module, name: ActName, target: Module) -> Resolver:
    """Another document made from the record."""
    kind, row = KINDS[module], ACTS[module][name]

    async def resolve(_root: Any, context: Context, id: str, idempotency_key: str) -> Payload:  # noqa: A002
        record_id = context.record_id(module, id)
        await _allowed(context, row)
        writes = context.services.writes
        made = writes.convert(context.errand, kind, record_id, row, KINDS[target], idempotency_key)
        return await told(context, made)

    return resolve


async def _allowed(context: Context, row: Act) -> None:
    """The viewer may also see what something is made of."""
    decision = context.viewer.decide(row.source)
    if not decision.granted:
        await context.refuse_write(decision, f"what is {row.done}")


async def cancel(_root: Any, context: Context, id: str, at_term_end: bool, idempotency_key: str) -> Payload:  # noqa: A002
    """End a subscription, now or with its term."""
    row = CANCEL_AT_END if at_term_end else ACTS[Module.SUBSCRIPTIONS][ActName.CANCEL]
    asked = {"cancel_at_end": "true" if at_term_end else "false"}
    step = Step(KINDS[Module.SUBSCRIPTIONS], context.record_id(Module.SUBSCRIPTIONS, id), row, params=asked)
    return await told(context, context.services.writes.act(context.errand, step, idempotency_key))


async def postpone(
    _root: Any,
    context: Context,
    id: str,  # noqa: A002
    renewal_at: dt.date,
    idempotency_key: str,
) -> Payload:
    """Renew a subscription later."""
    row, day = ACTS[Module.SUBSCRIPTIONS][ActName.POSTPONE], renewal_at.isoformat()
    step = Step(
        KINDS[Module.SUBSCRIPTIONS],
        context.record_id(Module.SUBSCRIPTIONS, id),
        row,
        body={"renewal_at": day},
        shows={"next_billing_at": day},
    )
    return await told(context, context.services.writes.act(context.errand, step, idempotency_key))


def email(module: Module) -> Resolver:
    """Mail the record."""
    kind = KINDS[module]

    async def resolve(_root: Any, context: Context, id: str, input: Any, idempotency_key: str) -> Payload:  # noqa: A002
        record_id = context.record_id(module, id)
        given = {name: value for name, value in vars(input).items() if value is not UNSET and value is not None}
        writes = context.services.writes
        return await told(context, writes.email(context.errand, kind, record_id, given, idempotency_key))

    return resolve


async def email_preview(record: Document, context: Context) -> Preview:
    """The mail that leaves when nothing else is said."""
    return await context.services.writes.correspondence.preview(context.errand, kind_of(record), record)
