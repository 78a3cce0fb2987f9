"""Whether an organization's audit is as it was recorded, and if not, where it was first tampered with."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, text

from services.audit import State
from services.chain import Chain, Place
from services.storage.chain import SETTLING

PRUNE = "audit.prune"
"""The action that tells of links removed on purpose."""

_LINKS = text("""
SELECT l.sequence, l.event_id, l.at, l.hash, l.entry, to_jsonb(e)::text AS kept,
    l.sequence = (SELECT max(m.sequence) FROM audit_links m WHERE m.event_id = l.event_id) AS latest,
    p.sequence AS earlier_sequence, p.entry AS earlier_entry
FROM audit_links l
LEFT JOIN audit_events e ON e.id = l.event_id
LEFT JOIN LATERAL (
    SELECT sequence, entry FROM audit_links WHERE event_id = l.event_id AND sequence < l.sequence
    ORDER BY sequence DESC LIMIT 1
) p ON true
WHERE l.organization_id = :organization_id ORDER BY l.sequence
""")
_UNLINKED = text("""
SELECT id FROM audit_events e WHERE organization_id = :organization_id AND NOT EXISTS (
    SELECT FROM audit_links WHERE event_id = e.id AND organization_id = e.organization_id
) ORDER BY at, id LIMIT 1
""")
_ELSEWHERE = text("""
SELECT sequence FROM audit_links WHERE organization_id = :organization_id AND entry LIKE :ending LIMIT 1
""")
_TOLD = text("""
SELECT FROM audit_events
WHERE organization_id = :organization_id AND action = :action AND changes @> CAST(:told AS jsonb)
""")


class Fault(StrEnum):
    """What was done to the audit."""

    CHANGED = "CHANGED"
    REMOVED = "REMOVED"
    INSERTED = "INSERTED"
    REORDERED = "REORDERED"
    CUT = "CUT"
    """The end is missing."""


@dataclass(frozen=True)
class Break:
    """The first place at which the audit is not as it was recorded."""

    fault: Fault
    message: str
    sequence: int | None = None
    event_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How far an organization's audit is proved: `events` of it, to the link `head`."""

    organization_id: str
    beginning: Place
    head: Place
    events: int
    noted: bool
    """Whether the place noted earlier is in the chain."""
    broken: Break | None


@dataclass(frozen=True)
class _Found:
    """A link with what it says, what the link before it proved, and where the chain begins."""

    link: Row[Any]
    entry: Mapping[str, Any]
    before: Place
    beginning: Place
    organization_id: str

    def broken(self, fault: Fault, message: str) -> Break:
        return Break(fault, message, self.link.sequence, self.link.event_id)


async def prove(chain: Chain, organization_id: str, noted: str | None = None) -> Proof:
    """Walk an organization's chain to its end, or to where it is broken; `noted`: what was its head earlier.

    That is a hash, or a sequence and a hash (`Place.meets`).
    """
    beginning = place = await chain.beginning(organization_id)
    events, seen, broken = 0, noted is None or beginning.meets(noted), None
    async with chain.rows(_LINKS, organization_id=organization_id) as links:
        async for link in links:
            if broken := await _examined(chain, link, place, beginning, organization_id):
                break
            place = Place(link.sequence, link.hash)
            events += link.latest
            seen = seen or noted is None or place.meets(noted)
    broken = broken or await _beside(chain, organization_id, beginning)
    return Proof(
        organization_id=organization_id, beginning=beginning, head=place, events=events, noted=seen, broken=broken
    )


async def _examined(chain: Chain, link: Row[Any], before: Place, beginning: Place, organization: str) -> Break | None:
    if link.sequence <= before.sequence:
        return Break(Fault.INSERTED, "the link stands before the beginning", link.sequence, link.event_id)
    if link.sequence > before.sequence + 1:
        return Break(Fault.REMOVED, f"{_numbers(before.sequence + 1, link.sequence - 1)} missing", before.sequence + 1)
    if sha256(link.entry.encode()).hexdigest() != link.hash:
        return Break(Fault.CHANGED, "the link's entry does not have its hash", link.sequence, link.event_id)
    try:
        found = _Found(link, _read(link.entry), before, beginning, organization)
        if found.entry["sequence"] != link.sequence:
            return await _moved(chain, found)
        return next(filter(None, (check(found) for check in _CHECKS)), None)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Break(Fault.CHANGED, "the link's entry is none", link.sequence, link.event_id)


async def _moved(chain: Chain, found: _Found) -> Break:
    here, recorded = found.link.sequence, found.entry["sequence"]
    if recorded < here:
        return Break(
            Fault.INSERTED, f"what was number {recorded} stands at {here} now, after an inserted one", recorded
        )
    ending = f'%"sequence": {here}}}'
    elsewhere = await chain.first(_ELSEWHERE, organization_id=found.organization_id, ending=ending)
    if elsewhere is None:
        return Break(Fault.REMOVED, f"number {here} is missing, and what was {recorded} stands there", here)
    return found.broken(
        Fault.REORDERED, f"what was number {recorded} stands here, and what was {here} at {elsewhere.sequence}"
    )


def _columns(found: _Found) -> Break | None:
    said = found.entry["event"]["organization_id"], found.entry["event"]["id"]
    if said != (found.organization_id, found.link.event_id):
        return found.broken(Fault.CHANGED, f"the link is about event {said[1]} of organization {said[0]}")
    if datetime.fromisoformat(found.entry["at"]) != found.link.at:
        return found.broken(Fault.CHANGED, f"the link was made at {found.entry['at']}")
    return None


def _bond(found: _Found) -> Break | None:
    if found.entry["previous"] == found.before.hash:
        return None
    if found.before == found.beginning:
        return found.broken(Fault.CHANGED, "the first link was made after another beginning than the one there is")
    return Break(
        Fault.CHANGED,
        f"the link has been replaced: number {found.link.sequence} was made after another one",
        found.before.sequence,
    )


def _settled(found: _Found) -> Break | None:
    follows, earlier = found.entry["follows"], found.link.earlier_sequence
    if earlier is None and (follows is None or follows <= found.beginning.sequence):
        return None
    if follows != earlier:
        return found.broken(Fault.CHANGED, f"it follows number {follows} of its event, and there is {earlier}")
    before = _read(found.link.earlier_entry)["event"]
    changed = set(_differing(before, found.entry["event"]))
    if State(before["outcome"]).settled:
        return found.broken(Fault.CHANGED, f"the event was rewritten after it was settled: {_listed(changed)}")
    if foreign := changed - SETTLING:
        return found.broken(Fault.CHANGED, f"settling has changed what it may not: {_listed(foreign)}")
    return None


def _kept(found: _Found) -> Break | None:
    if not found.link.latest:
        return None
    if found.link.kept is None:
        return found.broken(Fault.REMOVED, "the event is missing")
    if changed := set(_differing(found.entry["event"], _read(found.link.kept))):
        return found.broken(Fault.CHANGED, f"the event is not as it was recorded: {_listed(changed)}")
    return None


_CHECKS: tuple[Callable[[_Found], Break | None], ...] = (_columns, _bond, _settled, _kept)


async def _beside(chain: Chain, organization_id: str, beginning: Place) -> Break | None:
    """What is not seen on the chain itself."""
    if (unlinked := await chain.first(_UNLINKED, organization_id=organization_id)) is not None:
        message = "the event is in no link: it was inserted past the chain, or its link was cut off"
        return Break(Fault.INSERTED, message, None, unlinked.id)
    if beginning.hash is None:
        return None
    told = json.dumps([{"field": "hash", "after": beginning.hash}])
    if await chain.first(_TOLD, organization_id=organization_id, action=PRUNE, told=told) is None:
        return Break(Fault.REMOVED, "the links up to here were removed, and no event tells of it", beginning.sequence)
    return None


def _read(entry: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(entry, parse_float=Decimal)
    return read


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The columns that were recorded and are otherwise; those that the table got since are not asked for."""
    return (name for name, value in before.items() if name not in after or after[name] != value)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _numbers(first: int, last: int) -> str:
    return f"number {first} is" if first == last else f"numbers {first} to {last} are"
