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


@pytest.mark.parametrize(
    ("state", "step", "after"),
    [
        (State.QUEUED, Step.BEGIN, State.RUNNING),
        (State.RUNNING, Step.PAUSE, State.PAUSED),
        (State.PAUSED, Step.RESUME, State.QUEUED),
        (State.PAUSED, Step.CANCEL, State.CANCELLED),
        (State.RUNNING, Step.FINISH, State.COMPLETED),
        (State.COMPLETED, Step.RETRY, State.QUEUED),
        (State.CANCELLED, Step.ROLL_BACK, State.ROLLED_BACK),
    ],
)
def test_a_step_leads_to_the_next_state(state: State, step: Step, after: State) -> None:
    assert states.next(state, step) is after
