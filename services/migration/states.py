"""What a migration and its items may become: data and two functions, no I/O."""

from collections.abc import Mapping
from enum import StrEnum

from services.errors import Conflict


class State(StrEnum):
    """Where a migration is. A PREVIEW stays one."""

    PREVIEW = "PREVIEW"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    ROLLED_BACK = "ROLLED_BACK"

    @property
    def live(self) -> bool:
        """Whether workers go on with it."""
        return self in {State.QUEUED, State.RUNNING}


class Step(StrEnum):
    """What happens to a migration: by a worker, or by an administrator."""

    BEGIN = "begin"
    FINISH = "finish"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    ROLL_BACK = "rollBack"


class ItemState(StrEnum):
    """What has become of one member."""

    PENDING = "PENDING"
    MIGRATED = "MIGRATED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"


_RUNS: Mapping[Step, Mapping[State, State]] = {
    Step.BEGIN: {State.QUEUED: State.RUNNING},
    Step.FINISH: {State.RUNNING: State.COMPLETED},
    Step.PAUSE: {State.QUEUED: State.PAUSED, State.RUNNING: State.PAUSED},
    Step.RESUME: {State.PAUSED: State.QUEUED},
    Step.CANCEL: dict.fromkeys((State.QUEUED, State.RUNNING, State.PAUSED), State.CANCELLED),
    Step.RETRY: {
        State.QUEUED: State.QUEUED,
        State.RUNNING: State.RUNNING,
        State.PAUSED: State.PAUSED,
        State.COMPLETED: State.QUEUED,
    },
    Step.ROLL_BACK: dict.fromkeys((State.RUNNING, State.PAUSED, State.COMPLETED, State.CANCELLED), State.ROLLED_BACK),
}
_ITEMS: Mapping[ItemState, frozenset[ItemState]] = {
    ItemState.PENDING: frozenset({ItemState.MIGRATED, ItemState.SKIPPED, ItemState.FAILED}),
    ItemState.FAILED: frozenset({ItemState.PENDING}),
    ItemState.SKIPPED: frozenset({ItemState.MIGRATED, ItemState.FAILED}),
    ItemState.MIGRATED: frozenset({ItemState.ROLLED_BACK}),
    ItemState.ROLLED_BACK: frozenset(),
}
"""A skipped member moves on only when what was waited for, their consent, has come."""
_WORDS: Mapping[Step, str] = {
    Step.BEGIN: "begun",
    Step.FINISH: "finished",
    Step.PAUSE: "paused",
    Step.RESUME: "resumed",
    Step.CANCEL: "cancelled",
    Step.RETRY: "retried",
    Step.ROLL_BACK: "rolled back",
}


def next(state: State, step: Step) -> State:  # noqa: A001 - read as `states.next`
    """The state after a step; raises `Conflict`, which says the present one, when there is none."""
    after = _RUNS[step].get(state)
    if after is None:
        allowed = ", ".join(sorted(_RUNS[step]))
        raise Conflict(
            f"A migration that is {state} cannot be {_WORDS[step]}.",
            hint=f"It can be when it is one of: {allowed}.",
            state=state,
        )
    return after


def becomes(state: ItemState, after: ItemState) -> ItemState:
    """The item's new state; raises `Conflict` when it cannot come after the present one."""
    if after not in _ITEMS[state]:
        raise Conflict(f"A member who is {state} cannot become {after}.", state=state)
    return after
