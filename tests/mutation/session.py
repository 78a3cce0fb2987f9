"""A run of pytest that executes, for each mutant, the tests that reach it, in a process of its own."""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import hypothesis
import psycopg
import pytest
from _pytest.runner import runtestprotocol
from sqlalchemy import make_url

from services.storage.embedded import Embedded
from tests.harness import Demo, set_up
from tests.mutation.child import Hanging, Say, told
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.planting import plant
from tests.mutation.reach import Reach
from tests.mutation.results import Fate, Result

PATIENCE = 20.0
"""Seconds for a test beside those that it takes without a fault, four times as long."""


@dataclass(frozen=True)
class Target:
    """Modules, and the tests that have to notice a fault in them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass
class Known:
    """A test without any fault."""

    lines: frozenset[tuple[str, int]]
    seconds: float

    def touches(self, file: str) -> bool:
        """Whether it executes something of the file, or nothing at all: then it looks at what stands in tables."""
        return not self.lines or any(one[0] == file for one in self.lines)


@dataclass
class Trial:
    """A plugin of pytest: instead of the tests once, those that matter for each mutant."""

    targets: Sequence[Target]
    home: Path
    equal: frozenset[tuple[str, str]] = frozenset()
    """Mutants that are no faults, by module and name."""
    sample: float = 1.0
    only: str = ""
    """A part of the names of the mutants that are tried."""
    without: str = ""
    """A part of the names of the tests that are not run."""
    control: bool = False
    """Whether each mutant is planted without its fault, so that nobody may notice it."""
    results: list[Result] = field(default_factory=list)
    _known: dict[str, Known] = field(default_factory=dict)

    def pytest_configure(self) -> None:
        """Failing examples are not made smaller, and are the same for each mutant."""
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", phases=phases, database=None, deadline=None, derandomize=True)
        hypothesis.settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All mutants of all targets."""
        embedded = Embedded(self.home / "postgres", durable=False)
        with embedded.running():
            os.environ["DATABASE_URL"] = self.server = embedded.url()
            self._prepare(session)
            wanted = (item for item in session.items if not self.without or self.without not in item.nodeid)
            items = {item.nodeid: item for item in wanted}
            self._learn(items)
            self._warm(items)
            for target in self.targets:
                for module in target.modules:
                    self._try_all(module, target, items)
        return True

    def _prepare(self, session: pytest.Session) -> None:
        """Set the demo up once for all processes, as the first worker of a run does."""
        shared: Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # noqa: SLF001
        demo = Demo(self.server, "mutated", shared / "mutated" / "sandbox.db")
        for _ in told(lambda _: asyncio.run(set_up(demo)), lambda: 60.0):
            pass
        self.shared, self.template = shared, demo.template
        self._share()

    def _share(self) -> None:
        """Say that the demo is there; a process that is killed may have been about to say something else."""
        (self.shared / "demo.users").write_text(f"{self.template} 1000000")

    def _learn(self, items: Mapping[str, pytest.Item]) -> None:
        """Which lines each test reaches; all tests have to pass, the second time if not the first."""
        self._learn_of([*items.values()])
        self._learn_of([item for name, item in items.items() if name not in self._known])
        if failing := items.keys() - self._known.keys():
            raise pytest.UsageError(f"without a fault: {', '.join(sorted(failing))}")

    def _warm(self, items: Mapping[str, pytest.Item]) -> None:
        """Execute one test here: what it loads and compiles, the processes made of this one have already."""
        _passes(items[max(self._known, key=lambda name: len(self._known[name].lines))], None)
        self._share()

    def _learn_of(self, chosen: Sequence[pytest.Item]) -> None:
        files = frozenset(str(Path(module).resolve()) for target in self.targets for module in target.modules)

        def learn(say: Say) -> None:
            reach = Reach(files)
            for item, then in zip(chosen, [*chosen[1:], None], strict=True):
                begun = monotonic()
                with reach.noting() as lines:
                    passed = _passes(item, then)
                say([item.nodeid, passed, sorted(lines), monotonic() - begun])

        for name, passed, lines, seconds in told(learn, lambda: 60.0):
            if passed:
                self._known[name] = Known(frozenset(map(tuple, lines)), seconds)

    def _try_all(self, module: str, target: Target, items: Mapping[str, pytest.Item]) -> None:
        source = Path(module).read_text()
        chance = random.Random(module)
        for mutant in mutants(module, source, vars(sys.modules[module.removesuffix(".py").replace("/", ".")])):
            wanted = self.only in mutant.name and (module, mutant.name) not in self.equal
            if chance.random() <= self.sample and wanted:
                begun = monotonic()
                planted = replace(mutant, source=source) if self.control else mutant
                fate, by = self._try(planted, [items[name] for name in self._noticing(mutant, target)])
                self.results.append(Result(mutant, fate, by, monotonic() - begun))
                self._tell(self.results[-1])
                self._clean()
        self._check(module, items)

    def _check(self, module: str, items: Mapping[str, pytest.Item]) -> None:
        """Raise unless the tests that noticed faults of a module pass without: else it was not faults they noticed."""
        noticing = {one.by for one in self.results if one.mutant.module == module and one.by}
        for _ in range(2):
            noticing -= {*self._passing([items[name] for name in sorted(noticing)])}
        if noticing:
            raise pytest.UsageError(f"without a fault, after all: {', '.join(sorted(noticing))}")

    def _passing(self, chosen: Sequence[pytest.Item]) -> Iterator[str]:
        def work(say: Say) -> None:
            for item, then in zip(chosen, [*chosen[1:], None], strict=True):
                say([item.nodeid, _passes(item, then)])

        yield from (name for name, passed in told(work, lambda: 60.0) if passed)

    def _tell(self, result: Result) -> None:
        """Past pytest, which keeps what tests print."""
        said = "\r" if result.noticed else f"{result.fate}: {result.mutant}\n\n"
        sys.__stdout__.write(f"{said}{len(self.results)} tried ")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]

    def _noticing(self, mutant: Mutant, target: Target) -> list[str]:
        """The tests that reach a fault; first those that noticed others in its function, then the fastest."""
        file = str(Path(mutant.module).resolve())
        lines = {(file, line) for line in mutant.lines}
        keen = Counter(one.by for one in self.results if one.mutant.place == mutant.place)
        known = {name: one for name, one in self._known.items() if name.startswith(target.tests)}
        reaching = [name for name, one in known.items() if lines & one.lines]
        if not (mutant.place.function and reaching):
            reaching = [name for name, one in known.items() if one.touches(file)]
        return sorted(reaching, key=lambda name: (-keen[name], known[name].seconds))

    def _try(self, mutant: Mutant, chosen: Sequence[pytest.Item]) -> tuple[Fate, str | None]:
        if not chosen:
            return "unreached", None
        if not self._can_be_planted(mutant):
            return self._try_anew(mutant, chosen)
        done: list[str] = []

        def work(say: Say) -> None:
            plant(mutant)
            for item, then in zip(chosen, [*chosen[1:], None], strict=True):
                passed = _passes(item, then)
                say([item.nodeid, passed])
                if not passed:
                    item.session._setupstate.teardown_exact(None)  # noqa: SLF001
                    return

        try:
            for name, passed in told(work, lambda: self._patience(chosen, done)):
                done.append(name)
                if not passed:
                    return "killed", name
        except Hanging:
            return "hanging", chosen[len(done)].nodeid
        return ("survived", None) if len(done) == len(chosen) else ("crashed", None)

    def _patience(self, chosen: Sequence[pytest.Item], done: Sequence[str]) -> float:
        """Seconds for the test that is running."""
        name = chosen[min(len(done), len(chosen) - 1)].nodeid
        return PATIENCE + 4 * self._known[name].seconds

    def _can_be_planted(self, mutant: Mutant) -> bool:
        """Whether modules that have been imported notice it: not what is executed only then."""
        file = str(Path(mutant.module).resolve())
        reached = any((file, line) in one.lines for one in self._known.values() for line in mutant.lines)
        return mutant.place.table or (mutant.place.function is not None and reached)

    def _try_anew(self, mutant: Mutant, chosen: Sequence[pytest.Item]) -> tuple[Fate, str | None]:
        """What is decided when a class is made needs a process that imports it anew."""
        path = Path(mutant.module)
        path.write_text(mutant.source)
        seconds = sum(self._known[item.nodeid].seconds for item in chosen)
        flags = ("-n0", "-x", "-q", "-p", "no:cacheprovider", f"--basetemp={self.shared}/anew")
        try:
            done = subprocess.run(  # noqa: S603 - our own arguments
                [sys.executable, "-m", "pytest", *flags, *(item.nodeid for item in chosen)],
                env=os.environ | {"PYTEST_XDIST_WORKER": "gw0", "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                check=False,
                timeout=30 + 4 * seconds,
            )
        except subprocess.TimeoutExpired:
            return "hanging", None
        finally:
            path.write_text(mutant.original)
        return ("killed", None) if done.returncode else ("survived", None)

    def _clean(self) -> None:
        """Put away what a process has left that did not come to its end."""
        self._share()
        url = make_url(self.server).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'mutated')"
            )
            for (name,) in found.fetchall():
                connection.execute(
                    psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(psycopg.sql.Identifier(name))
                )


def _passes(item: pytest.Item, then: pytest.Item | None) -> bool:
    return all(report.passed or report.skipped for report in runtestprotocol(item, log=False, nextitem=then))


def ran(trial: Trial) -> int:
    """Execute it where we are; pytest's exit code."""
    paths = sorted({test for target in trial.targets for test in target.tests})
    flags = ("-n0", "-q", "--capture=sys", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    return int(pytest.main([*flags, *paths], plugins=[trial]))
