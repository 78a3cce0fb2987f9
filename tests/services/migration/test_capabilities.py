import pytest

from services import grants
from services.integration_values import NewUser
from services.migration.capabilities import EARLIER, NEWEST, widened
from services.migration.states import ItemState, State
from services.policy import CAPABILITIES, VIEW_CREATE_EDIT, VIEW_ONLY, Action, ModuleGrant, Product
from services.storage.models import IntegrationGrant
from tests.services.migration.office import Office, made

WHOLE = {module: ModuleGrant(actions) for module, actions in CAPABILITIES[EARLIER].items()}


async def upgrade(office: Office, *, dry_run: bool = False) -> str:
    done = await office.assembly.services.capabilities.upgrade(await office.errand(), dry_run=dry_run)
    await office.work()
    return made(done).id


async def narrow(office: Office, name: str, granted: grants.Grants) -> None:
    (member_id,) = await office.ids(name)
    await office.add(
        IntegrationGrant(
            organization_id=office.id,
            member_id=member_id,
            product=Product.BOOKS,
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


@pytest.mark.parametrize(
    ("granted", "after"),
    [
        ({}, {}),
        ({"invoices": VIEW_ONLY}, {"invoices": VIEW_CREATE_EDIT}),
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
