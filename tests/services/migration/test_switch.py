"""A user's access is switched while a request of theirs is under way."""

from services.documents import Module
from services.errand import Errand
from services.kinds import KINDS
from services.migration.states import State
from services.policy import Product
from tests.services.migration.office import Office, made

OWNER, SELF = "owner@demo.example", "restricted@demo.example"


async def read(office: Office, errand: Errand) -> None:
    await office.assembly.services.documents.rows(errand, KINDS[Module.ESTIMATES], {}, 1, 5)


def accesses(errand: Errand) -> set[str]:
    """Whose access the request's calls to Books ran under."""
    return {call.actor for call in errand.calls if call.product == Product.BOOKS}


async def test_a_request_runs_wholly_under_the_access_that_it_began_with(office: Office) -> None:
    await office.connect("restricted")
    before = await office.errand("restricted")
    await read(office, before)
    run = await office.migrate("restricted")
    await read(office, before)
    after = await office.errand("restricted")
    await read(office, after)
    assert accesses(before) == {OWNER}
    assert accesses(after) == {SELF}

    assert made(await office.migrations.roll_back(await office.errand(), run.id)).state is State.ROLLED_BACK
    await read(office, after)
    assert accesses(after) == {SELF}
    again = await office.errand("restricted")
    await read(office, again)
    assert accesses(again) == {OWNER}
