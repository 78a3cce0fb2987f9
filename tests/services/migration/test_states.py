import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import Conflict
from services.migration import states
from services.migration.states import ItemState, State, Step

FINAL = (State.PREVIEW, State.ROLLED_BACK)


@given(st.lists(st.sampled_from(list(Step))))
def test_random_steps_lead_only_through_legal_states(steps: list[Step]) -> None:
    state, history = State.QUEUED, [State.QUEUED]
    for step in steps:
        try:
            state = states.next(state, step)
        except Conflict:
            continue
        history.append(state)
    assert State.PREVIEW not in history
    if State.ROLLED_BACK in history:
        assert history[-1] is State.ROLLED_BACK
    if State.CANCELLED in history:
        assert set(history[history.index(State.CANCELLED) :]) <= {State.CANCELLED, State.ROLLED_BACK}
    if State.COMPLETED in history:
        assert State.RUNNING in history


@given(st.lists(st.sampled_from(list(ItemState))))
def test_a_member_is_never_pending_again_once_he_has_been_moved(wanted: list[ItemState]) -> None:
    state, history = ItemState.PENDING, [ItemState.PENDING]
    for after in wanted:
        try:
            state = states.becomes(state, after)
        except Conflict:
            continue
        history.append(state)
    if ItemState.MIGRATED in history:
        assert history[history.index(ItemState.MIGRATED) + 1 :] in ([], [ItemState.ROLLED_BACK])


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", FINAL)
def test_nothing_follows_a_preview_or_a_roll_back(state: State, step: Step) -> None:
    with pytest.raises(Conflict) as refusal:
        states.next(state, step)
    assert refusal.value.details == {"state": state}
    assert "It can be when it is one of: " in (refusal.value.hint or "")


STEPS = """
             begin    finish     pause   resume  cancel     retry    rollBack
PREVIEW      -        -          -       -       -          -        -
QUEUED       RUNNING  -          PAUSED  -       CANCELLED  QUEUED   -
RUNNING      -        COMPLETED  PAUSED  -       CANCELLED  RUNNING  ROLLED_BACK
PAUSED       -        -          -       QUEUED  CANCELLED  PAUSED   ROLLED_BACK
COMPLETED    -        -          -       -       -          QUEUED   ROLLED_BACK
CANCELLED    -        -          -       -       -          -        ROLLED_BACK
ROLLED_BACK  -        -          -       -       -          -        -
"""
"""What becomes of a migration in each state by each step; `-`: refused."""
FATES = """
             PENDING  MIGRATED  SKIPPED  FAILED  ROLLED_BACK
PENDING      -        yes       yes      yes     -
MIGRATED     -        -         -        -       yes
SKIPPED      -        yes       -        yes     -
FAILED       yes      -         -        -       -
ROLLED_BACK  -        -         -        -       -
"""
WORDS = {
    Step.BEGIN: "begun",
    Step.FINISH: "finished",
    Step.PAUSE: "paused",
    Step.RESUME: "resumed",
    Step.CANCEL: "cancelled",
    Step.RETRY: "retried",
    Step.ROLL_BACK: "rolled back",
}


def cells(table: str) -> list[tuple[str, str, str]]:
    """(row, column, cell)"""
    head, *rows = (line.split() for line in table.strip().splitlines())
    return [(row[0], column, cell) for row in rows for column, cell in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "step", "after"), cells(STEPS))
def test_each_step_leads_from_each_state_where_the_table_says_and_is_refused_elsewhere(
    state: str, step: str, after: str
) -> None:
    if after != "-":
        assert states.next(State(state), Step(step)) is State(after)
        return
    with pytest.raises(Conflict) as refusal:
        states.next(State(state), Step(step))
    assert refusal.value.message == f"A migration that is {state} cannot be {WORDS[Step(step)]}."
    allowed = sorted(row for row, column, cell in cells(STEPS) if column == step and cell != "-")
    assert refusal.value.hint == f"It can be when it is one of: {', '.join(allowed)}."


@pytest.mark.parametrize(("state", "after", "possible"), cells(FATES))
def test_each_member_becomes_what_the_table_says_and_nothing_else(state: str, after: str, possible: str) -> None:
    if possible == "yes":
        assert states.becomes(ItemState(state), ItemState(after)) is ItemState(after)
        return
    with pytest.raises(Conflict) as refusal:
        states.becomes(ItemState(state), ItemState(after))
    assert refusal.value.details == {"state": ItemState(state)}


def test_workers_go_on_with_what_is_queued_or_running() -> None:
    assert {state for state in State if state.live} == {State.QUEUED, State.RUNNING}
