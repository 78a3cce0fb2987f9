"""Faults are planted, and noticed by the tests of what they are planted in."""

import subprocess
import sys
from enum import Enum
from importlib import import_module
from pathlib import Path

import pytest

from services import outcomes
from tests.mutation.equal import REASONS
from tests.mutation.mutants import mutants

ROOT = Path(__file__).parents[2]
SOURCE = '''
from enum import Enum

class Colour(Enum):
    RED = "red"

TABLE = {"a": 1}

class Shop:
    open: bool = True

    def sells(self, count: int, colour: "Colour") -> bool:
        """Whether it does."""
        if not count or count < 3:
            raise ValueError(f"{count + 1}")
        self.sold = count
        return colour is Colour.RED and self.open
'''


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


FAULTS = {
    'module: TABLE = {"a": 1} → TABLE = {}',
    "module: TABLE = {\"a\": 1} → TABLE = {'a_': 1}",
    'module: TABLE = {"a": 1} → TABLE = {"a": 2}',
    "module: open: bool = True → open: bool = False",
    "Shop.sells: if not count or count < 3: → if (not count and count < 3):",
    "Shop.sells: if not count or count < 3: → if (count) or count < 3:",
    "Shop.sells: if not count or count < 3: → if not count or (count <= 3):",
    "Shop.sells: if not count or count < 3: → if not count or count < 4:",
    'Shop.sells: raise ValueError(f"{count + 1}") → pass',
    "Shop.sells: self.sold = count → pass",
    "Shop.sells: return colour is Colour.RED and self.open → return None",
    "Shop.sells: return colour is Colour.RED and self.open → return (colour is Colour.RED or self.open)",
    "Shop.sells: return colour is Colour.RED and self.open → return (colour is not Colour.RED) and self.open",
    "Shop.sells: return colour is Colour.RED and self.open → return colour is Colour.BLUE and self.open",
}


def test_a_fault_is_one_small_change_of_what_a_line_does() -> None:
    made = [mutant.name for mutant in mutants("shop.py", SOURCE, {"Colour": Colour})]
    assert set(made) == FAULTS
    assert len(made) == len(FAULTS)


def test_each_fault_is_a_program_still() -> None:
    source = (ROOT / "services/outcomes.py").read_text()
    for mutant in mutants("services/outcomes.py", source, vars(outcomes)):
        compile(mutant.source, mutant.module, "exec")


@pytest.mark.parametrize("module", REASONS)
def test_what_is_called_no_fault_is_a_line_of_the_module_still(module: str) -> None:
    names = vars(import_module(module.removesuffix(".py").replace("/", ".")))
    made = {mutant.name for mutant in mutants(module, (ROOT / module).read_text(), names)}
    assert set(REASONS[module]) - made == set()


def test_the_tables_of_the_state_machine_hold_nothing_that_no_test_notices() -> None:
    command = [sys.executable, "-m", "tests.mutation", "services/migration/states.py", "--sample", "0.2"]
    tests = ["--tests", "tests/services/migration/test_states.py"]
    done = subprocess.run(  # noqa: S603 - our own
        [*command, *tests], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " tried " in done.stdout
    assert "survived" not in done.stdout.partition("module")[0]
