"""What somebody does to the audit of organization `:o`, six events long, and how it is to be found.

SQL for whoever owns the database and has switched its triggers off.
"""
# ruff: noqa: S608 - all of it is written here

from collections.abc import Sequence
from dataclasses import dataclass

from services.proof import Fault


@dataclass(frozen=True)
class Tampering:
    """Statements, and the fault that is found: its place (None: beside the chain) and words of its message."""

    statements: Sequence[str]
    fault: Fault
    sequence: int | None
    words: str


def at(sequence: int) -> str:
    """The event at a place of the chain."""
    return f"id = (SELECT event_id FROM audit_links WHERE organization_id = :o AND sequence = {sequence})"


def cut(which: str) -> str:
    """Remove links, such as `> 4`."""
    return f"DELETE FROM audit_links WHERE organization_id = :o AND sequence {which}"


def cut_events(which: str) -> str:
    """Remove the events of links."""
    linked = f"SELECT event_id FROM audit_links WHERE organization_id = :o AND sequence {which}"
    return f"DELETE FROM audit_events WHERE id IN ({linked})"


def shift(which: str, by: int) -> list[str]:
    """Number links anew, in two steps for the sake of the key."""
    update = "UPDATE audit_links SET sequence = sequence + {} WHERE organization_id = :o AND sequence {}"
    return [update.format(-1000, which), update.format(1000 + by, "< 0")]


def link(sequence: str, which: int) -> str:
    """Put a copy of a link elsewhere."""
    columns = f"organization_id, {sequence}, event_id, at, hash, entry"
    return (
        f"INSERT INTO audit_links SELECT {columns} FROM audit_links WHERE organization_id = :o AND sequence = {which}"
    )


def forged(which: int) -> str:
    """Change the action in a link's entry, and its hash with it."""
    entry = "jsonb_set(entry::jsonb, '{event,action}', '\"forged\"')::text"
    digest = f"encode(sha256(convert_to({entry}, 'UTF8')), 'hex')"
    return f"UPDATE audit_links SET entry = {entry}, hash = {digest} WHERE organization_id = :o AND sequence = {which}"


def linked(change: str, which: int = 2) -> str:
    """Change a link."""
    return f"UPDATE audit_links SET {change} WHERE organization_id = :o AND sequence = {which}"


COPY = """
INSERT INTO audit_events
SELECT (jsonb_populate_record(NULL::audit_events, to_jsonb(e) || jsonb_build_object('id', gen_random_uuid()))).*
FROM (SELECT * FROM audit_events WHERE organization_id = :o LIMIT 1) e
"""
ANCHOR = """
INSERT INTO audit_anchors SELECT organization_id, sequence, hash, at, '', at FROM audit_links
WHERE organization_id = :o AND sequence = 3
"""
SWAPPED = [
    f"UPDATE audit_events SET request_id = 'x' || id WHERE {at(2)} OR {at(5)}",
    f"UPDATE audit_events SET id = 'moved' WHERE {at(2)}",
    f"UPDATE audit_events SET {at(2)} WHERE {at(5)}",
    f"UPDATE audit_events SET {at(5)} WHERE id = 'moved'",
]
LATER = "at = at + interval '1 microsecond'"

TAMPERINGS = {
    "an event is changed": Tampering(
        [f"UPDATE audit_events SET actor_email = 'x@demo.example' WHERE {at(4)}"], Fault.CHANGED, 4, "actor_email"
    ),
    "an event's list is changed": Tampering(
        [f"UPDATE audit_events SET changes = '[{{}}]' WHERE {at(2)}"], Fault.CHANGED, 2, "changes"
    ),
    "an event is put a microsecond later": Tampering(
        [f"UPDATE audit_events SET {LATER} WHERE {at(6)}"], Fault.CHANGED, 6, "recorded: at"
    ),
    "two events have changed places": Tampering(SWAPPED, Fault.CHANGED, 2, "at, "),
    "an event is removed": Tampering([cut_events("= 5")], Fault.REMOVED, 5, "event is missing"),
    "an event is removed with its link": Tampering(
        [cut_events("= 5"), cut("= 5")], Fault.REMOVED, 5, "number 5 is missing"
    ),
    "three are removed": Tampering(
        [cut_events("BETWEEN 2 AND 4"), cut("BETWEEN 2 AND 4")], Fault.REMOVED, 2, "numbers 2 to 4 are missing"
    ),
    "the first one is removed": Tampering([cut_events("= 1"), cut("= 1")], Fault.REMOVED, 1, "number 1 is missing"),
    "a link is removed and the gap closed": Tampering(
        [cut_events("= 4"), cut("= 4"), *shift("> 4", -1)], Fault.REMOVED, 4, "number 4 is missing"
    ),
    "an event is inserted": Tampering([COPY], Fault.INSERTED, None, "in no link"),
    "a link is inserted": Tampering([*shift("> 3", 1), link("4", 5)], Fault.INSERTED, 4, "number 4 stands at 5"),
    "a link stands before the first": Tampering([link("0", 1)], Fault.INSERTED, 0, "before the beginning"),
    "two links have changed places": Tampering(
        [linked("sequence = -2"), linked("sequence = 2", 5), linked("sequence = 5", -2)],
        Fault.REORDERED,
        2,
        "what was number 5 stands here, and what was 2 at 5",
    ),
    "a link's entry is changed": Tampering(
        [linked("entry = replace(entry, 'staff', 'other')")], Fault.CHANGED, 2, "does not have its hash"
    ),
    "a link's entry and hash are changed": Tampering([forged(3)], Fault.CHANGED, 3, "action"),
    "event, entry and hash are changed": Tampering(
        [f"UPDATE audit_events SET action = 'forged' WHERE {at(3)}", forged(3)], Fault.CHANGED, 3, "been replaced"
    ),
    "a link is put on another event": Tampering(
        [linked("event_id = 'another'")], Fault.CHANGED, 2, "the link is about event"
    ),
    "a link is made older": Tampering([linked("at = '2020-01-01'")], Fault.CHANGED, 2, "was made at"),
    "a link is no entry": Tampering(
        [linked("entry = 'x', hash = encode(sha256('x'), 'hex')")], Fault.CHANGED, 2, "entry is none"
    ),
    "the links' end is cut off": Tampering([cut("> 4")], Fault.INSERTED, None, "its link was cut off"),
    "an anchor is put for what was removed": Tampering(
        [ANCHOR, cut_events("<= 3"), cut("<= 3")], Fault.REMOVED, 3, "no event tells of it"
    ),
    "an anchor is put without anything removed": Tampering([ANCHOR], Fault.INSERTED, 1, "before the beginning"),
}
