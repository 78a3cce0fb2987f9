"""The viewer, what they may do, and why."""

from dataclasses import dataclass
from typing import Any

from resolvers.context import Context
from resolvers.directory import Person
from services.errors import BadUserInput
from services.policy import MANAGE, Decision, Product, Source, UnknownPermission, Viewer

MOST_PERMISSIONS = 200


async def viewer(_root: Any, context: Context) -> Viewer:
    """The signed-in user."""
    return context.viewer


def viewer_id(viewer: Viewer, context: Context) -> str:
    """The viewer's global id."""
    return context.global_id("user", viewer.id)


def can(viewer: Viewer, _context: Context, permissions: list[str]) -> list[Decision]:
    """The answer to each permission asked for."""
    if len(permissions) > MOST_PERMISSIONS:
        raise BadUserInput(f"Ask for at most {MOST_PERMISSIONS} permissions at once.", field=("permissions",))
    return [_decide(viewer, permission, ("permissions", str(i))) for i, permission in enumerate(permissions)]


def _decide(viewer: Viewer, permission: str, field: tuple[str, ...]) -> Decision:
    try:
        return viewer.decide(permission)
    except UnknownPermission as error:
        raise BadUserInput(
            f"There is no permission {permission[:80]!r}.",
            field=field,
            hint="Permissions read `module.action` or `module.action.field`, such as `invoices.view.balance`.",
        ) from error


def is_administrator(viewer: Viewer, _context: Context) -> bool:
    """Whether the viewer may manage the integration."""
    return viewer.may(MANAGE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's part in a decision."""

    source: Source
    allows: bool
    held_by: str | None
    """The name of the profile, role or capability set that the rule stands in."""
    product: Product | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which rules decided, and who can change them."""

    user: Viewer
    decision: Decision
    rules: tuple[Rule, ...]


async def explain(_root: Any, context: Context, user_id: str, permission: str) -> Explanation:
    """Why a user of the organization may or may not."""
    member_id = context.record_id("user", user_id, "userId")
    asked = await context.services.identity.member(context.viewer.organization_id, member_id)
    decision = _decide(asked, permission, ("permission",))
    return Explanation(asked, decision, tuple(_rules(asked, decision)))


def _rules(viewer: Viewer, decision: Decision) -> list[Rule]:
    module = decision.permission.partition(".")[0]
    allowed = Source.CRM_PROFILE not in decision.missing_from
    rules = [Rule(Source.CRM_PROFILE, allowed, viewer.profile_name, Product.CRM)]
    for access in viewer.access:
        if module in access.grants or access.source in decision.missing_from:
            held_by = access.role or (access.capability_set and access.capability_set.value)
            rules.append(Rule(access.source, access.product in decision.through, held_by, access.product))
    if viewer.grant(module).assigned_only:
        rules.append(Rule(Source.RECORD_SCOPE, allows=True, held_by="Assigned customers only", product=Product.BOOKS))
    return rules


def explained_user(explanation: Explanation, context: Context) -> Person:
    """The user asked about."""
    user = explanation.user
    return Person(context.global_id("user", user.id), user.name, user.email)


def summary(explanation: Explanation, _context: Context) -> str:
    """The explanation in a sentence."""
    decision, name = explanation.decision, explanation.user.name
    if decision.granted:
        through = " and ".join(product.title() for product in decision.through) or "being signed in"
        return f"{name} holds {decision.permission} through {through}."
    missing = " and ".join(source.name for source in decision.missing_from)
    return (
        f"{name} lacks {decision.permission}: {missing} does not grant it. It can be granted by {decision.granted_by}."
    )
