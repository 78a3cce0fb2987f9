"""The shortest of `python -m tests.faults`: a gateway as a process, told to end and killed while it writes."""

from pathlib import Path

from tests.chaos.scene import ENDLESS, scene
from tests.faults.stage import NOBODY, Stage
from tests.faults.storms import ended, in_audit
from tests.harness import database


async def test_what_is_under_way_ends_well_and_what_a_kill_cut_off_is_found_out(server: str, room: Path) -> None:
    with database(server) as url:
        async with scene(NOBODY, url, room / "scene", limits=ENDLESS) as one:
            stage = Stage(one, url)
            async with stage.gateway() as served:
                rows = [
                    await ended(stage, served),
                    await stage.disturbed("killed", served, in_audit(stage, served)),
                ]
        assert [(row.lost, row.twice, row.uncoded) for row in rows] == [(0, 0, 0)] * 2, rows
