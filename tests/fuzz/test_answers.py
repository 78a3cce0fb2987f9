"""What two executors may tell differently: only what lies below a null that stands for errors further below."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.fuzz.answers import Answer, Path, Told, differences

DATA: dict[str, Any] = {"near": None, "beside": {"rows": [{"some": None}, None]}}
"""`near` and the second row are null for errors below them."""
ERRORS = (Told(("near", "inner"), "late"), Told(("beside", "rows", 1, "name"), "wrong"))
NOTE = Told(None, "refused")


def told(errors: Sequence[Told], *places: Path) -> Answer:
    return Answer(DATA, tuple(errors), places={NOTE: set(places)})


@pytest.mark.parametrize("place", [("near", "other"), ("beside", "rows", 1, "some")])
def test_a_note_below_such_a_null_may_be_missing_or_more(place: Path) -> None:
    everything = told([NOTE], place)
    assert not differences(told([*ERRORS, NOTE], place), told(ERRORS))
    assert not differences(told(ERRORS), told([*ERRORS, NOTE]), everything)


@pytest.mark.parametrize("place", [("some",), ("near",), ("beside", "rows", 0, "some"), ("beside", "rows", 1)])
def test_a_note_at_any_other_place_may_not(place: Path) -> None:
    everything = told([NOTE], place)
    assert differences(told([*ERRORS, NOTE], place), told(ERRORS))
    assert differences(told([*ERRORS, NOTE], place, ("near", "other")), told(ERRORS))
    assert differences(told(ERRORS), told([*ERRORS, NOTE]), everything)


def test_a_note_is_told_once() -> None:
    place = ("near", "other")
    assert differences(told([*ERRORS, NOTE], place), told([*ERRORS, NOTE, NOTE]))
    assert differences(told(ERRORS), told([*ERRORS, NOTE, NOTE]), told([NOTE], place))


def test_a_note_that_graphql_core_never_gives_is_a_difference() -> None:
    assert differences(told(ERRORS), told([*ERRORS, NOTE]), told(()))
    assert differences(told([*ERRORS, NOTE]), told(ERRORS)), "an error of the whole request has no place"


def test_one_of_several_errors_below_a_null_is_enough_but_must_be_one_of_them() -> None:
    other, foreign = Told(("near", "other"), "also"), Told(("near", "other"), "invented")
    everything = told([*ERRORS, other])
    assert not differences(told([*ERRORS, other]), told(ERRORS))
    assert not differences(told(ERRORS), told([other, ERRORS[1]]), everything)
    assert differences(told(ERRORS), told([foreign, ERRORS[1]]), everything)
    assert differences(told(ERRORS), told([ERRORS[1]]), everything), "below a null there is an error"


def test_an_error_at_a_null_itself_is_nobodys_choice() -> None:
    at = Told(("beside", "rows", 0, "some"), "here")
    assert differences(told([*ERRORS, at]), told(ERRORS))
    assert differences(told(ERRORS), told([*ERRORS, at]), told([at]))
