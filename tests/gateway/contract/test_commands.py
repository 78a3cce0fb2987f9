"""The contract's commands, as a person or a pipeline runs them."""

import json
from pathlib import Path

import pytest

from gateway.commands.published import sdl
from tests.gateway.test_commands import command

GUARD = '@permission(requires: "invoices.view.balance")'


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A schema in which one field more took a permission, and there was one field more."""
    path = tmp_path / "older.graphql"
    text = sdl().replace('Viewer @permission(requires: "public") {', "Viewer " + GUARD + " { gone: Int")
    assert text != sdl()
    path.write_text(text)
    return path


def test_diff_fails_for_what_breaks_or_loosens_and_names_it(older: Path) -> None:
    done = command("schema", "diff", str(older))
    assert done.returncode == 1
    assert done.stdout.startswith("BREAKING (1)\n  Viewer.gone")
    assert "LOOSENING (1)\n  Viewer " in done.stdout
    assert "--allow" in done.stderr


def test_diff_passes_what_is_allowed_and_is_read_by_programs(older: Path) -> None:
    done = command("schema", "diff", str(older), "published", "--json", "--allow", "breaking,loosening")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["refused"], told["counts"]) == (False, {"breaking": 1, "loosening": 1})


def test_diff_of_a_git_revision_that_does_not_exist_says_so(older: Path) -> None:
    done = command("schema", "diff", "no-such-revision", str(older))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no-such-revision" in done.stderr
    assert "Traceback" not in done.stderr


def test_matrix_finds_the_committed_table_equal_whatever_the_environment_says(tmp_path: Path) -> None:
    done = command(
        "schema",
        "matrix",
        "--check",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nowhere",
        GATEWAY_DATA=str(tmp_path),
        GATEWAY_SEALING_KEYS="c2VhbGluZyBrZXkgb2YgdGhlIHRlc3RzLCAzMiBieXQ=",
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_pack_writes_into_a_new_directory_and_names_its_files(tmp_path: Path) -> None:
    done = command("pack", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert {path.name for path in written} > {"README.md", "schema.graphql", "permissions.txt", "operations.json"}
    assert all(path.is_file() for path in written)


def test_a_pack_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("pack", str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'file'} cannot be written: Not a directory.\n"


def test_diff_names_the_words_that_allow_what_it_found(older: Path) -> None:
    both, one = (command("schema", "diff", str(older), "--allow", word) for word in ("", "loosening"))
    assert both.stderr == "2 of these changes must be allowed, if meant: --allow breaking,loosening\n"
    assert one.stderr == "1 of these changes must be allowed, if meant: --allow breaking,loosening\n"
    less = older.with_name("less.graphql")
    less.write_text(older.read_text().replace("{ gone: Int", "{"))
    assert command("schema", "diff", str(less)).stderr.endswith("if meant: --allow loosening\n")
