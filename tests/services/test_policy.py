"""The one decision: CRM profile ∩ what the products grant together."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grants import narrowed
from services.policy import (
    CAPABILITIES,
    EVERYTHING,
    FINANCE,
    MOST_DECISIONS,
    NOTHING,
    AccessKind,
    Action,
    CapabilitySet,
    Decision,
    ModuleGrant,
    Permission,
    Product,
    ProductAccess,
    Source,
    UnknownPermission,
    Viewer,
)

FIELDS = ("balance", "discount", "notes")
PERMISSIONS = [f"invoices.{action}{field}" for action in Action for field in ("", *(f".{name}" for name in FIELDS))]
some_fields = st.frozensets(st.sampled_from(FIELDS))
some_grants = st.builds(
    ModuleGrant, st.frozensets(st.sampled_from(list(Action))), some_fields, some_fields, st.booleans()
)


def access(grant: ModuleGrant, product: Product = Product.BOOKS, *, module: str = "invoices") -> ProductAccess:
    return ProductAccess(product, AccessKind.PRODUCT_USER, {module: grant})


def viewer(profile: Mapping[str, ModuleGrant] | ModuleGrant, *accesses: ProductAccess, **more: bool) -> Viewer:
    by_module = {"invoices": profile} if isinstance(profile, ModuleGrant) else profile
    return Viewer("1", "o", "A", "a@demo.example", "Standard", by_module, accesses, **more)  # type: ignore[arg-type]


def allowed(*grants: ModuleGrant) -> set[str]:
    """The permissions that a source of such a grant allows."""
    parsed = {text: Permission.parse(text) for text in PERMISSIONS}
    return {text for text, p in parsed.items() if any(grant.allows(p.action, p.field) for grant in grants)}


def held(by: Viewer) -> set[str]:
    return {text for text in PERMISSIONS if by.may(text)}


@given(some_grants, some_grants)
def test_one_holds_exactly_what_profile_and_product_both_allow(profile: ModuleGrant, product: ModuleGrant) -> None:
    assert held(viewer(profile, access(product))) == allowed(profile) & allowed(product)


@given(some_grants, some_grants)
def test_a_union_never_allows_less_than_either_and_scopes_only_what_both_scope(
    one: ModuleGrant, other: ModuleGrant
) -> None:
    union = one | other
    assert allowed(union) >= allowed(one, other)
    assert union.actions == one.actions | other.actions
    if one.actions and other.actions:
        assert union.assigned_only == (one.assigned_only and other.assigned_only)


@given(some_grants, some_grants)
def test_a_union_shows_a_field_only_where_one_of_its_parts_shows_it(one: ModuleGrant, other: ModuleGrant) -> None:
    union = one | other
    for name in FIELDS:
        shown = [grant for grant in (one, other) if grant.actions and name not in grant.hidden]
        if union.actions:
            assert (name not in union.hidden) == bool(shown)


@given(some_grants, some_grants, some_grants)
def test_unions_do_not_depend_on_order_or_grouping(one: ModuleGrant, two: ModuleGrant, three: ModuleGrant) -> None:
    assert allowed(one | two) == allowed(two | one)
    assert allowed((one | two) | three) == allowed(one | (two | three))
    assert allowed(one | one) == allowed(one)
    assert allowed(one | NOTHING) == allowed(NOTHING | one) == allowed(one)
    assert allowed(one | EVERYTHING) == allowed(EVERYTHING)


@given(some_grants)
def test_without_a_product_nothing_is_held_and_the_product_is_named(profile: ModuleGrant) -> None:
    nobody = viewer(profile)
    assert held(nobody) == set()
    assert Source.BOOKS_ROLE in nobody.decide("invoices.view").missing_from


@given(some_grants, some_grants)
def test_a_refusal_names_every_rule_that_withholds_and_nothing_else(profile: ModuleGrant, product: ModuleGrant) -> None:
    asked = viewer(profile, access(product))
    for text in PERMISSIONS:
        decision = asked.decide(text)
        assert (Source.CRM_PROFILE in decision.missing_from) == (text not in allowed(profile))
        assert (Source.BOOKS_ROLE in decision.missing_from) == (text not in allowed(product))
        assert decision.granted == (not decision.missing_from) == (decision.granted_by is None)
        assert decision.through == ((Product.BOOKS,) if decision.granted else ())


def test_a_hidden_field_can_neither_be_seen_nor_set_and_a_read_only_one_only_seen() -> None:
    grant = ModuleGrant(frozenset(Action), hidden=frozenset({"balance"}), read_only=frozenset({"discount"}))
    asked = viewer(EVERYTHING, access(grant))
    assert not asked.may("invoices.view.balance")
    assert not asked.may("invoices.edit.balance")
    assert asked.may("invoices.view.discount")
    assert not asked.may("invoices.edit.discount")
    assert not asked.may("invoices.create.discount")
    assert asked.may("invoices.view")
    assert asked.may("invoices.edit")


def test_several_products_grant_together_and_each_is_named() -> None:
    asked = viewer(
        EVERYTHING,
        access(ModuleGrant(frozenset({Action.VIEW}))),
        access(EVERYTHING, Product.BILLING, module="invoices"),
    )
    assert asked.decide("invoices.view").through == (Product.BOOKS, Product.BILLING)
    assert asked.decide("invoices.edit").through == (Product.BILLING,)


@pytest.mark.parametrize(
    ("kind", "product", "source"),
    [
        (AccessKind.PRODUCT_USER, Product.BOOKS, Source.BOOKS_ROLE),
        (AccessKind.PRODUCT_USER, Product.BILLING, Source.BILLING_ROLE),
        (AccessKind.INTEGRATION_USER, Product.BOOKS, Source.INTEGRATION_GRANT),
        (AccessKind.NONE, Product.BOOKS, Source.BOOKS_ROLE),
        (AccessKind.NONE, Product.BILLING, Source.BILLING_ROLE),
    ],
)
def test_what_is_missing_is_named_by_the_kind_of_access(kind: AccessKind, product: Product, source: Source) -> None:
    module = next(name for name, holder in FINANCE.items() if holder is product)
    asked = viewer({module: EVERYTHING}, ProductAccess(product, kind))
    assert asked.decide(f"{module}.view").missing_from == (source,)


def test_customers_are_the_products_alone_and_accounts_the_crms_alone() -> None:
    only_books = viewer({}, access(EVERYTHING, module="customers"))
    assert only_books.may("customers.view.outstanding")
    assert only_books.decide("accounts.view").missing_from == (Source.CRM_PROFILE,)
    only_crm = viewer({"accounts": EVERYTHING})
    assert only_crm.decide("accounts.view").through == (Product.CRM,)
    assert only_crm.decide("customers.view").missing_from == (Source.BOOKS_ROLE,)


ADMINISTERED = (
    *("integration.manage", "audit.view", "integration.setUp", "capabilities.upgrade"),
    *("integration.usersAdd", "integration.usersUpdate", "integration.usersRemove"),
    *("migration.view", "migration.run", "migration.pause", "migration.resume"),
    *("migration.cancel", "migration.retry", "migration.rollBack"),
)
RAISE = "integration.limitRaise"


@pytest.mark.parametrize("permission", ADMINISTERED)
def test_only_administrators_of_the_integration_administer_it(permission: str) -> None:
    everything = dict.fromkeys(FINANCE, EVERYTHING)
    allowed = viewer(everything, administers=True).decide(permission)
    assert (allowed.granted, allowed.missing_from, allowed.through) == (True, (), (Product.CRM,))
    refused = viewer(everything, owns=True).decide(permission)
    assert (refused.granted, refused.missing_from, refused.through) == (False, (Source.CRM_PROFILE,), ())


@pytest.mark.parametrize(
    ("administers", "owns", "missing"),
    [
        (True, True, ()),
        (True, False, (Source.OWNERSHIP,)),
        (False, True, (Source.CRM_PROFILE,)),
        (False, False, (Source.CRM_PROFILE, Source.OWNERSHIP)),
    ],
)
def test_the_user_limit_is_raised_by_an_administrator_who_owns_the_integration(
    administers: bool, owns: bool, missing: tuple[Source, ...]
) -> None:
    decision = viewer(EVERYTHING, administers=administers, owns=owns).decide(RAISE)
    assert (decision.granted, decision.missing_from) == (not missing, missing)
    assert decision.granted_by == (" and ".join(source.value for source in missing) or None)


@pytest.mark.parametrize(
    ("module", "lacking"),
    [
        *((module, Source.BOOKS_ROLE) for module in ("estimates", "invoices", "salesOrders", "purchaseOrders")),
        ("customers", Source.BOOKS_ROLE),
        ("subscriptions", Source.BILLING_ROLE),
        ("accounts", Source.CRM_PROFILE),
        ("contacts", Source.CRM_PROFILE),
    ],
)
def test_each_module_is_withheld_by_what_holds_it(module: str, lacking: Source) -> None:
    profile = {} if lacking is Source.CRM_PROFILE else {module: EVERYTHING}
    assert viewer(profile).decide(f"{module}.view").missing_from == (lacking,)


def test_who_has_no_access_to_a_product_is_said_to_have_none() -> None:
    books = access(EVERYTHING)
    asked = viewer(EVERYTHING, books)
    assert asked.access_to(Product.BOOKS) is books
    assert asked.access_to(Product.BILLING) == ProductAccess(Product.BILLING, AccessKind.NONE)
    assert list(asked.own_grants()) == [EVERYTHING]
    assert list(viewer(EVERYTHING).own_grants()) == []


def test_a_question_is_decided_once() -> None:
    asked = viewer(EVERYTHING, access(EVERYTHING))
    assert asked.decide("invoices.view") is asked.decide("invoices.view")


def test_what_somebody_asks_about_is_not_remembered_without_end() -> None:
    asker = viewer(EVERYTHING, access(EVERYTHING))
    for number in range(3 * MOST_DECISIONS):
        assert asker.may(f"invoices.view.field{number}")
    assert len(asker._decisions) <= MOST_DECISIONS  # noqa: SLF001
    with pytest.raises(UnknownPermission):
        asker.decide(f"invoices.view.{'x' * 65}")


def test_only_who_is_scoped_everywhere_is_scoped() -> None:
    scoped = ModuleGrant(frozenset(Action), assigned_only=True)
    assert viewer(EVERYTHING, access(scoped), access(scoped, Product.BILLING)).grant("invoices").assigned_only
    assert not viewer(EVERYTHING, access(scoped), access(EVERYTHING, Product.BILLING)).grant("invoices").assigned_only
    assert not viewer(EVERYTHING, access(NOTHING), access(NOTHING, Product.BILLING)).grant("invoices").actions
    assert viewer(EVERYTHING, access(EVERYTHING)).grant("estimates") == NOTHING


def test_nobody_is_special_unless_it_is_said() -> None:
    plain = viewer(NOTHING)
    assert (plain.administers, plain.owns, plain.freshness_seconds) == (False, False, 30)
    assert (NOTHING.actions, NOTHING.hidden, NOTHING.read_only, NOTHING.assigned_only) == (
        (frozenset(),) * 3 + (False,)
    )


def test_what_is_public_is_held_by_everyone() -> None:
    assert viewer({}).decide("public") == Decision("public", granted=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "invoices",
        "invoices.",
        "invoices.delete",
        "Invoices.view",
        "invoices.VIEW",
        "quotes.view",
        "*.view",
        "invoices.view.",
        "invoices.view.a.b",
        "invoices.view.balance.",
        ".view",
        "integration.view",
        "invoices..view",
    ],
)
def test_a_word_that_is_no_permission_is_unknown_rather_than_refused(text: str) -> None:
    with pytest.raises(UnknownPermission):
        viewer(EVERYTHING, access(EVERYTHING)).decide(text)


@given(st.text(max_size=30))
def test_any_text_is_a_permission_or_unknown(text: str) -> None:
    try:
        Permission.parse(text)
    except UnknownPermission:
        return
    module, action, *field = text.split(".", 2)
    assert Permission.parse(text) == Permission(module, Action(action), field[0] if field else None)


finance_grants = st.dictionaries(st.sampled_from(sorted(FINANCE)), some_grants)


@given(st.sampled_from(list(CapabilitySet)), finance_grants)
def test_an_integration_user_never_has_more_than_his_set_nor_than_was_granted(
    capability_set: CapabilitySet, granted: Mapping[str, ModuleGrant]
) -> None:
    for module, grant in narrowed(capability_set, granted).items():
        if module != "customers":
            assert grant.actions == CAPABILITIES[capability_set][module] & granted[module].actions
            assert (grant.hidden, grant.read_only) == (granted[module].hidden, granted[module].read_only)


def test_no_capability_set_approves_or_mails_and_the_wider_one_holds_the_narrower() -> None:
    narrow, wide = CAPABILITIES[CapabilitySet.ESTIMATES_ONLY], CAPABILITIES[CapabilitySet.ALL_FINANCE_MODULES]
    for actions in (*narrow.values(), *wide.values()):
        assert actions <= {Action.VIEW, Action.CREATE, Action.EDIT}
    assert all(narrow[module] <= wide[module] for module in narrow)
    assert narrow["estimates"] == wide["estimates"] == {Action.VIEW, Action.CREATE, Action.EDIT}
    assert {module for module, actions in narrow.items() if actions == {Action.VIEW}} == {
        "invoices",
        "salesOrders",
        "purchaseOrders",
    }
