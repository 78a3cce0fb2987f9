import pytest
from sqlmodel import col, delete

from services import grants
from services.candidates import Reason
from services.errors import LimitReached
from services.integration_values import Done, NewUser
from services.letters import CapabilitiesUpgraded, Template, values_of
from services.migration.capabilities import EARLIER, NEWEST, widen, widened
from services.migration.moves import Job, Superseded
from services.migration.states import ItemState, State
from services.migration.values import Run
from services.policy import CAPABILITIES, VIEW_CREATE_EDIT, VIEW_ONLY, AccessKind, Action, ModuleGrant, Product
from services.rollout import Feature
from services.storage.models import IntegrationGrant
from services.storage.rollout import Migration, MigrationItem, RolloutPhase
from tests.services.migration.office import Office, made

WHOLE = {module: ModuleGrant(actions) for module, actions in CAPABILITIES[EARLIER].items()}


async def begin(office: Office, *, dry_run: bool = False) -> Done[Run]:
    return await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=dry_run)


async def upgrade(office: Office, *, dry_run: bool = False) -> str:
    done = await begin(office, dry_run=dry_run)
    await office.work()
    return made(done).id


async def narrow(office: Office, name: str, granted: grants.Grants, product: Product = Product.BOOKS) -> None:
    (member_id,) = await office.ids(name)
    await office.add(
        IntegrationGrant(
            organization_id=office.id,
            member_id=member_id,
            product=product,
            capability_set=EARLIER,
            grants=grants.stored(granted),
        )
    )


async def test_users_on_the_earlier_set_come_to_the_newest_and_are_told_once(office: Office) -> None:
    assert not (await office.viewer("estimator")).may("invoices.create")
    run = await office.run(await upgrade(office))
    assert (run.state, run.migrated) == (State.COMPLETED, 1)
    assert (await office.viewer("estimator")).may("invoices.create")
    assert await office.mails("CAPABILITIES_UPGRADED") == ["estimator"]
    assert (await office.run(await upgrade(office))).total == 0
    assert await office.mails("CAPABILITIES_UPGRADED") == ["estimator"]


async def test_what_was_narrowed_by_hand_stays_narrowed(office: Office) -> None:
    await narrow(office, "sales1", {"estimates": ModuleGrant(VIEW_ONLY), "invoices": ModuleGrant(VIEW_ONLY)})
    await upgrade(office)
    viewer = await office.viewer("sales1")
    assert not viewer.may("estimates.create")
    assert viewer.may("invoices.create")
    assert not viewer.may("salesOrders.view")


async def test_a_dry_run_tells_what_is_gained_and_changes_nothing(office: Office) -> None:
    await office.organize(capability_set=EARLIER)
    run = await office.run(await upgrade(office, dry_run=True))
    item = (await office.items(run.id))["estimator"]
    assert (run.state, item.state) == (State.PREVIEW, ItemState.PENDING)
    assert "invoices.create" in item.permissions_gained
    assert (await office.organization()).capability_set == EARLIER
    assert not (await office.viewer("estimator")).may("invoices.create")


async def test_rolling_back_gives_back_the_earlier_set_but_no_seat_that_was_taken_away(office: Office) -> None:
    await narrow(office, "sales1", WHOLE)
    run_id = await upgrade(office)
    await office.assembly.services.integration.remove(await office.errand(), (await office.ids("sales1"))[0])
    made(await office.migrations.roll_back(await office.errand(), run_id))
    seats = await office.seats()
    assert seats["estimator"].capability_set == EARLIER
    assert "sales1" not in seats


async def test_who_is_added_afterwards_has_the_newest_set(office: Office) -> None:
    await office.organize(capability_set=EARLIER)
    await upgrade(office)
    (member_id,) = await office.ids("legacy")
    await office.assembly.services.integration.add(await office.errand(), [NewUser(member_id, Product.BOOKS)])
    assert (await office.seats())["legacy"].capability_set == NEWEST


@pytest.mark.parametrize("feature", Feature)
async def test_without_either_feature_there_is_no_wider_set(office: Office, feature: Feature) -> None:
    await office.change(delete(RolloutPhase).where(col(RolloutPhase.feature) == feature))
    with pytest.raises(LimitReached) as refused:
        await upgrade(office)
    assert refused.value.details["feature"] == feature
    assert await office.rows(Migration) == []


async def test_a_wider_set_is_written_to_the_audit_for_all_and_for_each(office: Office) -> None:
    await office.organize(capability_set=EARLIER)
    run_id = await upgrade(office)
    begun, moved = await office.event("capabilities.upgrade"), await office.event("users.upgrade")
    wider = {"field": "capabilitySet", "before": EARLIER, "after": NEWEST}
    assert (begun.permission, begun.subject_id, begun.outcome) == ("capabilities.upgrade", run_id, "APPLIED")
    assert begun.changes == [{"field": "state", "before": None, "after": "QUEUED"}, wider]
    item = (await office.items(run_id))["estimator"]
    assert (moved.permission, moved.subject_module, moved.outcome) == ("capabilities.upgrade", "users", "APPLIED")
    assert (moved.subject_id, moved.changes, moved.request_id) == (item.user.id, [wider], f"migration-{item.id}")
    assert item.message == "The user works within ALL_FINANCE_MODULES now, as far as nothing was narrowed by hand."


async def test_who_may_do_more_is_told_what(office: Office) -> None:
    await narrow(office, "sales1", {"estimates": ModuleGrant(VIEW_ONLY), "invoices": ModuleGrant(VIEW_ONLY)})
    await upgrade(office)
    for name, held in {
        "estimator": CAPABILITIES[NEWEST],
        "sales1": {"estimates": VIEW_ONLY, "invoices": VIEW_CREATE_EDIT},
    }.items():
        letter = await office.letter(name, Template.CAPABILITIES_UPGRADED)
        told = values_of(Template(letter.template), letter.values)
        assert isinstance(told, CapabilitiesUpgraded)
        allowed: dict[str, set[Action]] = {module: set(actions) for module, actions in told.modules.items()}
        assert {module: allowed.get(module, set()) for module in CAPABILITIES[NEWEST]} == {
            module: held.get(module, set()) for module in CAPABILITIES[NEWEST]
        }


async def test_who_has_it_already_or_has_lost_his_seat_meanwhile_is_left_out(office: Office) -> None:
    await narrow(office, "sales1", WHOLE)
    first, second = [made(await begin(office)).id for _ in range(2)]
    await office.assembly.services.integration.remove(await office.errand(), (await office.ids("sales1"))[0])
    await office.work()
    found = {name: (item.reason, item.message) for name, item in (await office.items(second)).items()}
    assert found == {
        "estimator": (Reason.ALREADY_MIGRATED, "The user holds the newest capabilities already."),
        "sales1": (None, "The user is no integration user any more."),
    }
    states = [(await office.items(run))["estimator"].state for run in (first, second)]
    assert states == [ItemState.MIGRATED, ItemState.SKIPPED]


async def test_integration_users_of_books_on_the_earlier_set_are_planned_by_their_addresses(office: Office) -> None:
    narrowed = {"estimates": ModuleGrant(VIEW_ONLY), "invoices": ModuleGrant(VIEW_ONLY)}
    for name in ("support1", "sales2", "sales1", "legacy"):
        await narrow(office, name, narrowed)
    for name in ("support2", "sales1"):
        await narrow(office, name, {}, Product.BILLING)
    run = await office.run(await upgrade(office, dry_run=True))
    items = await office.items(run.id)
    assert list(items) == ["estimator", "legacy", "sales1", "sales2", "support1"]
    assert items["estimator"].message is None
    assert items["sales1"].message == "Narrowed by hand, and stays so: estimates, salesOrders, purchaseOrders."
    assert {"invoices.create"} <= set(items["sales1"].permissions_gained)
    assert "estimates.create" not in items["sales1"].permissions_gained
    for item in items.values():
        assert (item.from_access, item.to_access) == (AccessKind.INTEGRATION_USER, AccessKind.INTEGRATION_USER)


async def test_nobody_gets_a_wider_set_while_that_is_paused(office: Office) -> None:
    run = made(await begin(office))
    made(await office.migrations.pause(await office.errand(), run.id))
    job = Job(run.id, office.id, run.purpose, await office.viewer("owner"))
    async with office.assembly.database.session() as session:
        item = await session.get_one(MigrationItem, (await office.items(run.id))["estimator"].id)
        with pytest.raises(Superseded):
            await office.assembly.services.capabilities.widen(session, job, item)


def test_what_a_seat_in_billing_was_narrowed_to_stays_as_it_is() -> None:
    seats = {
        product: IntegrationGrant(
            organization_id="o", member_id="m", product=product, capability_set=EARLIER, grants=grants.stored(WHOLE)
        )
        for product in (Product.BOOKS, Product.BILLING)
    }
    for seat in seats.values():
        widen(seat)
        assert seat.capability_set == NEWEST
    assert grants.read(seats[Product.BILLING].grants or {}) == WHOLE
    assert grants.read(seats[Product.BOOKS].grants or {})["invoices"] == ModuleGrant(VIEW_CREATE_EDIT)


@pytest.mark.parametrize(
    ("granted", "after"),
    [
        ({}, {}),
        ({"invoices": VIEW_ONLY}, {"invoices": VIEW_CREATE_EDIT}),
        ({"customers": VIEW_ONLY}, {"customers": VIEW_ONLY}),
        ({"estimates": VIEW_CREATE_EDIT}, {"estimates": VIEW_CREATE_EDIT}),
        ({"estimates": frozenset({Action.VIEW, Action.EDIT})}, {"estimates": frozenset({Action.VIEW, Action.EDIT})}),
    ],
)
def test_a_modules_grants_widen_when_they_were_all_of_the_earlier_set(
    granted: dict[str, frozenset[Action]], after: dict[str, frozenset[Action]]
) -> None:
    wider = widened({module: ModuleGrant(actions) for module, actions in granted.items()}, EARLIER, NEWEST)
    assert wider == {module: ModuleGrant(actions) for module, actions in after.items()}


def test_hidden_fields_of_a_seat_stay_hidden() -> None:
    narrow = ModuleGrant(VIEW_ONLY, hidden=frozenset({"balance"}))
    assert widened({"invoices": narrow}, EARLIER, NEWEST) == {"invoices": narrow}
