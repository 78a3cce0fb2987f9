"""What a change of the schema means to those who use it, each decided on two short schemas."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.published import sdl
from gateway.contract import report
from gateway.contract.change import Change, Verdict
from gateway.contract.diff import changes
from gateway.contract.permissions import implies
from schema.permissions import PERMISSIONS
from services.policy import (
    ADMINISTRATION,
    EVERYTHING,
    LIMIT_RAISE,
    PUBLIC,
    AccessKind,
    Action,
    ModuleGrant,
    Product,
    ProductAccess,
    Viewer,
)

HEAD = """
directive @permission(requires: String!) on OBJECT | FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @cost(weight: String!) on FIELD_DEFINITION
directive @errors(codes: [Code!]!) on FIELD_DEFINITION
enum Code { FORBIDDEN NOT_FOUND }
"""
BODY = """
"A root." type Query { bill(id: ID!): Bill @permission(requires: "invoices.view") pay(by: Pay): Int }
type Bill { number: String status: Status owner: String @permission(requires: "invoices.view.owner") }
interface Node { id: ID }
enum Status { PAID OPEN }
input Pay { note: String }
"""


def compared(before: str, after: str) -> set[tuple[str, str, str]]:
    """What becomes of `BODY` when one text in it is exchanged for another."""
    assert before in BODY
    found = changes(HEAD + BODY, HEAD + BODY.replace(before, after, 1))
    return {(change.verdict.value, change.coordinate, change.kind) for change in found}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("number: String ", "", ("breaking", "Bill.number", "FIELD_REMOVED")),
        ("number: String", "number: Int", ("breaking", "Bill.number", "FIELD_CHANGED_KIND")),
        ("status: Status", "status: Status!", ("safe", "Bill.status", "FIELD_CHANGED_KIND_SAFE")),
        ("bill(id: ID!)", "bill", ("breaking", "Query.bill(id:)", "ARG_REMOVED")),
        ("bill(id: ID!)", "bill(id: Int!)", ("breaking", "Query.bill(id:)", "ARG_CHANGED_KIND")),
        ("bill(id: ID!)", "bill(id: ID)", ("safe", "Query.bill(id:)", "ARG_CHANGED_KIND_SAFE")),
        ("bill(id: ID!)", "bill(id: ID! of: ID!)", ("breaking", "Query.bill(of:)", "REQUIRED_ARG_ADDED")),
        ("bill(id: ID!)", "bill(id: ID! of: ID)", ("safe", "Query.bill(of:)", "OPTIONAL_ARG_ADDED")),
        ("pay(by: Pay)", "pay(by: Pay = {})", ("safe", "Query.pay(by:)", "ARG_DEFAULT_VALUE_ADDED")),
        ("PAID OPEN", "OPEN", ("breaking", "Status.PAID", "VALUE_REMOVED_FROM_ENUM")),
        ("PAID OPEN", "PAID OPEN LATE", ("dangerous", "Status.LATE", "VALUE_ADDED_TO_ENUM")),
        ("note: String", "note: String who: ID!", ("breaking", "Pay.who", "REQUIRED_INPUT_FIELD_ADDED")),
        ("note: String", "note: String who: ID", ("safe", "Pay.who", "OPTIONAL_INPUT_FIELD_ADDED")),
        ("number: String", "number: String day: Int", ("safe", "Bill.day", "FIELD_ADDED")),
        ("input Pay", "type New { a: Int } input Pay", ("safe", "New", "TYPE_ADDED")),
        ("type Bill {", "type Bill implements Node { id: ID", ("dangerous", "Bill", "IMPLEMENTED_INTERFACE_ADDED")),
        ("A root.", "The root.", ("safe", "Query", "DESCRIPTION_CHANGED")),
        ("number: String", '"Its number." number: String', ("safe", "Bill.number", "DESCRIPTION_CHANGED")),
        ("id: ID!", '"Which." id: ID!', ("safe", "Query.bill(id:)", "DESCRIPTION_CHANGED")),
        ("number: String", "number: String @deprecated", ("safe", "Bill.number", "DEPRECATION_CHANGED")),
        ("PAID", 'PAID @deprecated(reason: "x")', ("safe", "Status.PAID", "DEPRECATION_CHANGED")),
        ("by: Pay", "by: Pay @deprecated", ("safe", "Query.pay(by:)", "DEPRECATION_CHANGED")),
        ("number: String", 'number: String @cost(weight: "9")', ("dangerous", "Bill.number", "DIRECTIVE_ADDED_TO")),
        ("input Pay", "input Pay @oneOf", ("breaking", "Pay", "DIRECTIVE_ADDED_TO")),
        (": Int }", ": Int @errors(codes: [FORBIDDEN]) }", ("safe", "Query.pay", "DIRECTIVE_ADDED_TO")),
    ],
)
def test_a_change_of_shape_is_told_at_its_coordinate(before: str, after: str, expected: tuple[str, str, str]) -> None:
    found = compared(before, after)
    assert expected in found
    assert next(verdict for verdict in Verdict if verdict in {told for told, *_ in found}) == expected[0]


@pytest.mark.parametrize(
    ("before", "after", "verdicts"),
    [
        ("invoices.view", "public", {"loosening"}),
        ("invoices.view", "invoices.view.number", {"tightening"}),
        ("invoices.view.owner", "invoices.view", {"loosening"}),
        ("invoices.view", "invoices.edit", {"loosening", "tightening"}),
        ("invoices.view", "estimates.view", {"loosening", "tightening"}),
        ("invoices.view.owner", "invoices.view.number", {"loosening", "tightening"}),
        ("public", "integration.manage", {"tightening"}),
        ("integration.manage", "audit.view", {"safe"}),
        ("audit.view", LIMIT_RAISE, {"tightening"}),
        (LIMIT_RAISE, "audit.view", {"loosening"}),
        ("*.view.total", "*.view", {"loosening"}),
    ],
)
@pytest.mark.parametrize("place", ["type T { a: Int PLACE }", "type T PLACE { a: Int }", "input T { a: Int PLACE }"])
def test_a_permission_is_loosened_or_tightened_by_who_holds_it(
    place: str, before: str, after: str, verdicts: set[str]
) -> None:
    first, second = (HEAD + place.replace("PLACE", f'@permission(requires: "{one}")') for one in (before, after))
    found = changes(first, second)
    assert {change.verdict.value for change in found} == verdicts
    assert {change.coordinate for change in found} == {"T" if "T PLACE" in place else "T.a"}


def test_a_permission_that_is_taken_away_is_loosened_and_one_that_is_put_on_is_tightened() -> None:
    bare, guarded = "type T { a: Int }", 'type T { a: Int @permission(requires: "invoices.view") }'
    assert [change.verdict for change in changes(HEAD + guarded, HEAD + bare)] == [Verdict.LOOSENING]
    assert [change.verdict for change in changes(HEAD + bare, HEAD + guarded)] == [Verdict.TIGHTENING]


def test_an_error_code_fewer_is_safe_and_one_more_is_not() -> None:
    one, two = (
        "type T { a: Int @errors(codes: [NOT_FOUND]) }",
        "type T { a: Int @errors(codes: [NOT_FOUND FORBIDDEN]) }",
    )
    assert [change.verdict for change in changes(HEAD + one, HEAD + two)] == [Verdict.DANGEROUS]
    assert [change.verdict for change in changes(HEAD + two, HEAD + one)] == [Verdict.SAFE]


FIELDS = st.frozensets(st.sampled_from([p.split(".")[2] for p in sorted(PERMISSIONS) if p.count(".") == 2]))
GRANTS = st.dictionaries(
    st.sampled_from(sorted({p.partition(".")[0] for p in PERMISSIONS - ADMINISTRATION})),
    st.builds(ModuleGrant, st.frozensets(st.sampled_from(list(Action))), FIELDS, FIELDS),
)


def somebody(
    profile: Mapping[str, ModuleGrant], grants: Mapping[str, ModuleGrant], administers: bool, owns: bool
) -> Viewer:
    access = ProductAccess(Product.BOOKS, AccessKind.PRODUCT_USER, grants)
    who = ("1", "o", "A", "a@demo.example", "Standard")
    return Viewer(*who, profile, (access,), administers=administers, owns=administers and owns)


VIEWERS = st.builds(somebody, GRANTS, GRANTS, st.booleans(), st.booleans())
ASKED = st.sampled_from([*sorted(PERMISSIONS), *sorted(ADMINISTRATION), PUBLIC])


@given(VIEWERS, ASKED, ASKED)
def test_whoever_holds_a_permission_holds_those_that_it_implies(viewer: Viewer, held: str, asked: str) -> None:
    if implies(held, asked) and viewer.may(held):
        assert viewer.may(asked)


@given(ASKED, ASKED)
def test_what_is_not_implied_is_missing_for_somebody(held: str, asked: str) -> None:
    """Somebody who was granted the one permission and nothing besides."""
    if implies(held, asked):
        return
    module, action, *field = [*held.split("."), "view"][:3] if "." in held else ("invoices", "view")
    others = frozenset(p.split(".")[2] for p in PERMISSIONS if p.count(".") == 2) - set(field)
    granted = held not in ADMINISTRATION | {PUBLIC}
    grant = ModuleGrant(frozenset({Action(action)}), others, others) if granted else EVERYTHING
    modules = {module: grant} if granted else {}
    viewer = somebody(modules, modules, held in ADMINISTRATION, held == LIMIT_RAISE)
    assert viewer.may(held)
    assert not viewer.may(asked)


def test_a_schema_does_not_differ_from_itself() -> None:
    assert changes(sdl(), sdl()) == []


def test_the_gravest_changes_are_told_first() -> None:
    found = changes(
        HEAD + BODY, HEAD + BODY.replace("number: String ", "").replace("note: String", "note: String b: Int")
    )
    assert [change.verdict for change in found] == [Verdict.BREAKING, Verdict.SAFE]
    assert next(iter(report.lines(found))) == "BREAKING (1)"


@pytest.mark.parametrize(("allowed", "left"), [("", 2), ("breaking", 1), ("breaking, loosening", 0), ("safe", 2)])
def test_what_breaks_or_loosens_is_refused_until_it_is_allowed(allowed: str, left: int) -> None:
    found = [Change(verdict, "T", "KIND", "…") for verdict in Verdict]
    assert len(report.refused(found, report.verdicts(allowed))) == left
    told = json.loads(report.as_json(found, report.verdicts(allowed)))
    assert told["refused"] is bool(left)
    assert told["counts"] == dict.fromkeys(("breaking", "loosening", "tightening", "dangerous", "safe"), 1)


def test_a_verdict_that_does_not_exist_cannot_be_allowed() -> None:
    with pytest.raises(report.UnknownVerdict):
        report.verdicts("everything")
