"""The audit from the command line: proved, exported for third parties, and pruned down to what has to be kept."""

import asyncio
import csv
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from gateway.commands import auditing
from gateway.commands.auditing import Verdict
from gateway.settings import Audit
from services.chain import Place
from services.errors import BadUserInput, Conflict, NotFound
from services.export import Exported
from tests.gateway.test_commands import ROOT, command
from tests.harness import Gateway

VERIFIER = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "audit.md").read_text(), re.DOTALL)[0]
OLD = """
INSERT INTO audit_events (id, organization_id, at, actor_id, actor_name, actor_email, action, outcome, changes,
    user_errors, calls, request_id, settled_at)
SELECT 'old' || n, o.id, timestamptz '2020-01-01Z' + n * interval '100 days', '', '=Staff', 'é@demo.example', 'x.y',
    CASE n WHEN 2 THEN 'UNCERTAIN' ELSE 'APPLIED' END, '[{"field": "total", "after": "1.10"}]', '[]', '[]', 'r', null
FROM generate_series(1, 6) n, organizations o WHERE o.name = (SELECT min(name) FROM organizations)
"""
"""Six events of the past, every 100 days: in 2020 on April 10, July 19, October 27, in 2021 on February 4 and so on."""
CHAINED = "SELECT audit_link(e, e.at) FROM (SELECT * FROM audit_events ORDER BY at) e"
NEW_YEAR = datetime(2021, 1, 1)  # noqa: DTZ001 - as typed


class Trail:
    """A gateway's audit: six events of the past, of which the second one was settled just now, as number 7."""

    def __init__(self, gateway: Gateway) -> None:
        self.environment = gateway.environment()
        self.settings = gateway.settings
        self.kept = gateway.settings.model_copy(update={"audit": Audit(keep_days=365)})
        self.sql("SET session_replication_role = replica", OLD, CHAINED)
        self.sql("UPDATE audit_events SET outcome = 'APPLIED' WHERE id = 'old2'")

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment["GATEWAY_DATABASE_URL"]) as connection:
            for statement in statements:
                answer = connection.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def hashes(self) -> dict[int, str]:
        return {int(sequence): digest for sequence, digest in self.sql("SELECT sequence, hash FROM audit_links")}

    def events(self) -> list[str]:
        return [event for (event,) in self.sql("SELECT id FROM audit_events WHERE id LIKE 'old%' ORDER BY id")]

    def tamper(self, event: str) -> None:
        as_superuser = "SET session_replication_role = replica"
        self.sql(as_superuser, f"UPDATE audit_events SET actor_id = 'x' WHERE id = '{event}'")  # noqa: S608

    async def verify(self, noted: str | None = None) -> Verdict:
        return await auditing.verify(self.settings, None, noted)

    async def export(self, path: Path, *between: datetime, form: str = "jsonl") -> Exported:
        since, until = between or (None, None)
        return await auditing.export(self.settings, path, None, (since, until), form)


@pytest.fixture
def trail(own_gateway: Gateway) -> Trail:
    return Trail(own_gateway)


def verified(path: Path) -> list[str]:
    """The first and last place of the chain in a file, as the verifier of docs/audit.md finds them."""
    asked = [sys.executable, "-W", "ignore", "-c", VERIFIER, str(path)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.split()[1:] if done.returncode == 0 else ["broken", done.stderr]


async def test_the_commands_prove_export_and_prune(trail: Trail, tmp_path: Path) -> None:
    async def audit(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            command, "audit", *arguments, **trail.environment, GATEWAY_AUDIT__KEEP_DAYS="365"
        )

    all_of_it, old = str(tmp_path / "all.jsonl"), str(tmp_path / "old.jsonl")
    printed = re.search(r"head (\S+)", (await audit("verify")).stdout)
    assert printed
    exported = await audit("export", all_of_it)
    assert (exported.returncode, f"7 facts in {all_of_it}, SHA-256" in exported.stdout) == (0, True)
    pruned = await audit("prune", "--before", "2021-01-01", "--export", old)
    assert (pruned.returncode, "removed up to 3:" in pruned.stdout) == (0, True), pruned.stderr
    proved = await audit("verify", "--head", printed[1])
    assert (proved.returncode, "5 events proved" in proved.stdout) == (0, True), proved.stdout + proved.stderr
    trail.tamper("old5")
    broken = await audit("verify")
    assert (broken.returncode, "CHANGED at number 5, event old5" in broken.stdout) == (1, True)


async def test_what_is_proved_is_told_with_its_head(trail: Trail) -> None:
    head = trail.hashes()[7]
    verdict = await trail.verify(head)
    assert verdict.holds
    assert f"6 events proved · head 7:{head}" in "\n".join(verdict.lines)


@pytest.mark.parametrize("form", ["{sequence}:{hash}", "{hash}"])
@pytest.mark.parametrize("sequence", [2, 7])
async def test_a_head_is_known_again_as_it_was_printed_and_by_its_hash(trail: Trail, form: str, sequence: int) -> None:
    verdict = await trail.verify(form.format(sequence=sequence, hash=trail.hashes()[sequence]))
    assert verdict.holds, verdict.lines


@pytest.mark.parametrize("noted", [f"7:{'0' * 64}", "0" * 64, "7:", "7"])
async def test_a_head_that_is_nowhere_is_told(trail: Trail, noted: str) -> None:
    verdict = await trail.verify(noted)
    assert not verdict.holds
    assert f"CUT: no link is {noted}" in verdict.lines[-1]


async def test_a_head_with_the_number_of_another_link_is_told(trail: Trail) -> None:
    assert not (await trail.verify(f"6:{trail.hashes()[7]}")).holds


async def test_a_broken_chain_says_nothing_of_its_end(trail: Trail) -> None:
    trail.tamper("old3")
    assert "CUT" not in "".join((await trail.verify(trail.hashes()[7])).lines)


async def test_what_was_tampered_with_is_named(trail: Trail) -> None:
    trail.tamper("old3")
    verdict = await trail.verify()
    assert not verdict.holds
    words = "CHANGED at number 3, event old3: the event is not as it was recorded: actor_id"
    assert any(words in line for line in verdict.lines)


async def test_a_strange_organization_is_not_proved(trail: Trail) -> None:
    with pytest.raises(NotFound, match="no such organization"):
        await auditing.verify(trail.settings, "strange", None)


async def test_an_exported_file_is_verified_by_third_parties(trail: Trail, tmp_path: Path) -> None:
    path, hashes = tmp_path / "trail.jsonl", trail.hashes()
    assert await trail.export(path) == Exported(7, sha256(path.read_bytes()).hexdigest())
    assert path.stat().st_mode & 0o777 == 0o600
    assert verified(path) == ["1", hashes[1], "7", hashes[7]]
    lines = path.read_text().splitlines(keepends=True)
    for tampered in (lines[:2] + lines[3:], [lines[1], lines[0], *lines[2:]], [lines[0].replace("1.10", "9.10")]):
        path.write_text("".join(tampered))
        assert verified(path)[0] == "broken"


async def test_an_export_goes_from_one_moment_to_another(trail: Trail, tmp_path: Path) -> None:
    path, hashes = tmp_path / "trail.jsonl", trail.hashes()
    await trail.export(path, datetime(2020, 7, 19), datetime(2021, 2, 4, tzinfo=UTC))  # noqa: DTZ001 - as typed
    assert verified(path) == ["2", hashes[2], "3", hashes[3]]


async def test_an_export_writes_nothing_over(trail: Trail, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        await trail.export(path)
    assert path.read_text() == "mine"


async def test_a_spreadsheet_shows_what_was_hashed_and_works_nothing_out(trail: Trail, tmp_path: Path) -> None:
    path = tmp_path / "trail.csv"
    await trail.export(path, form="csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["sequence"]) for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert all(sha256(row["entry"].encode()).hexdigest() == row["hash"] for row in rows)
    shown = [rows[6][name] for name in ("actor_name", "actor_email", "outcome")]
    assert shown == ["'=Staff", "é@demo.example", "APPLIED"]
    assert json.loads(rows[6]["entry"])["follows"] == 2


async def test_what_is_pruned_is_in_the_file_and_the_rest_still_verifies(trail: Trail, tmp_path: Path) -> None:
    path, hashes = tmp_path / "old.jsonl", trail.hashes()
    exported, (boundary,) = await auditing.prune(trail.kept, path, None, NEW_YEAR)
    assert (exported.links, boundary.last) == (3, Place(3, hashes[3]))
    assert verified(path) == ["1", hashes[1], "3", hashes[3]]
    assert trail.events() == ["old2", "old4", "old5", "old6"]
    verdict = await trail.verify(hashes[7])
    assert verdict.holds, verdict.lines
    assert any("5 events proved" in line and "since 3, the rest is pruned" in line for line in verdict.lines)
    ((told,),) = trail.sql("SELECT changes FROM audit_events WHERE action = 'audit.prune'")
    digest = sha256(path.read_bytes()).hexdigest()
    assert {one["field"]: one["after"] for one in told} == {"sequence": 3, "hash": hashes[3], "export": digest}


async def test_what_was_pruned_twice_joins_file_by_file(trail: Trail, tmp_path: Path) -> None:
    hashes, both = trail.hashes(), tmp_path / "both.jsonl"
    for path, day in ((tmp_path / "1", NEW_YEAR), (tmp_path / "2", NEW_YEAR.replace(year=2024))):
        await auditing.prune(trail.kept, path, None, day)
        with both.open("a") as file:
            file.write(path.read_text())
    assert verified(both) == ["1", hashes[1], "6", hashes[6]]
    verdict = await trail.verify()
    assert verdict.holds, verdict.lines
    assert any("3 events proved · head 9:" in line for line in verdict.lines)


async def test_of_two_who_prune_at_once_one_does(trail: Trail, tmp_path: Path) -> None:
    asked = (auditing.prune(trail.kept, tmp_path / name, None, NEW_YEAR) for name in "ab")
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in done if isinstance(one, Exception)] in ([Conflict], [])
    assert trail.sql("SELECT count(*) FROM audit_anchors") == [(1,)]
    assert (await trail.verify()).holds


async def test_the_audit_is_kept_for_ever_unless_told_otherwise(trail: Trail, tmp_path: Path) -> None:
    with pytest.raises(BadUserInput, match="kept for ever"):
        await auditing.prune(trail.settings, tmp_path / "x", None, NEW_YEAR)
    assert len(trail.hashes()) == 7


async def test_what_has_to_be_kept_is_not_pruned(trail: Trail, tmp_path: Path) -> None:
    with pytest.raises(BadUserInput, match="kept for 365 days"):
        await auditing.prune(trail.kept, tmp_path / "x", None, NEW_YEAR.replace(year=2999))
    assert len(trail.hashes()) == 7


async def test_a_broken_chain_is_not_pruned(trail: Trail, tmp_path: Path) -> None:
    trail.tamper("old5")
    with pytest.raises(Conflict, match="CHANGED at number 5"):
        await auditing.prune(trail.kept, tmp_path / "x", None, NEW_YEAR)
    assert (len(trail.hashes()), (tmp_path / "x").exists()) == (7, False)


def test_the_audit_is_kept_for_a_year_at_least() -> None:
    with pytest.raises(ValidationError):
        Audit(keep_days=364)
