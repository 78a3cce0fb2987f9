"""What the pages name is there: other pages, settings, commands, files, fields, codes, scopes, tables."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import psycopg
import pytest
import typer
from graphql import GraphQLEnumType, build_schema, parse, validate

from gateway.__main__ import cli
from gateway.commands.configuration import reference
from services.reports.catalogue import SYSTEM
from services.upstream.accounts import PROFILE_SCOPE
from services.upstream.scopes import OF_OWNERS, SCOPES
from tests.harness import Gateway

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
OPERATED = [path for path in sorted((ROOT / "docker").rglob("*")) if path.is_file()]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text())

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
COMMAND = re.compile(r"python -m gateway((?: +[^\s`|#;)]+)*)")
MODULE = re.compile(r"-m (tests[.\w]*)")
PLACE = re.compile(r"`((?:gateway|schema|resolvers|services|tests|docker|docs)/[\w./-]+)`")
OPERATION = re.compile(r'```graphql\n(.*?)```|"query": "((?:[^"\\]|\\.)*)"', re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: str) -> set[str]:
    """Of its headings, as the places where pages are read make them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text()), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_settings_that_a_page_names_exist(page: Path) -> None:
    known = set(re.findall(r"`((?:GATEWAY_|DATABASE_)[A-Z_]+)`", reference()))
    told = set(re.findall(r"\bGATEWAY_[A-Z_]*[A-Z](?![A-Z_…])", page.read_text()))
    assert told - {"GATEWAY_ROLE_PASSWORD"} <= known


@pytest.mark.parametrize("page", [*PAGES, *OPERATED], ids=named)
def test_commands_that_a_page_names_exist_with_their_options(page: Path) -> None:
    for words in COMMAND.findall(page.read_text()):
        assert [*unknown(words.split())] == [], words


def unknown(words: list[str]) -> Iterator[str]:
    """Those that are neither a command, nor an option of one, nor stand where a command takes an argument."""
    command = typer.main.get_command(cli)
    for word in words:
        commands = getattr(command, "commands", None)
        if word.startswith("--"):
            if not any(word.split("=")[0] in parameter.opts for parameter in command.params):
                yield word
        elif commands is not None:
            if word not in commands:
                yield word
            command = commands.get(word, command)


def test_what_the_readme_has_made_is_in_the_makefile() -> None:
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert {"serve", "test"} <= asked <= rules


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_and_programs_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    made = (ROOT / ".gitignore").read_text().split()
    assert [place for place in PLACE.findall(text) if place not in made and not (ROOT / place).exists()] == []
    programs = [ROOT / program.rstrip(".").replace(".", "/") for program in MODULE.findall(text)]
    assert [one for one in programs if not one.with_suffix(".py").exists() and not (one / "__main__.py").exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_operations_that_a_page_shows_are_valid(page: Path) -> None:
    for block, inline in OPERATION.findall(page.read_text()):
        assert validate(SCHEMA, parse(block or inline.replace('\\"', '"'))) == []


def test_the_runbook_says_what_to_do_about_every_code() -> None:
    codes = SCHEMA.type_map["ErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    rows = [line.split("|")[1] for line in RUNBOOK.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([A-Z_]+)`", " ".join(rows))) == sorted(codes.values)


def test_statements_of_the_runbook_are_understood_by_the_database(gateway: Gateway) -> None:
    statements = [" ".join(one.split()) for one in re.findall(r"`(SELECT [^`]+;)`", RUNBOOK)]
    assert len(statements) > 2
    with psycopg.connect(gateway.environment()["GATEWAY_DATABASE_URL"]) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_administrators_are_told_every_scope_that_they_will_be_asked_for() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    told = {scope for listed in re.findall(r"`((?:AaaServer|Zoho\w+)\.[^`]+)`", page) for scope in spread(listed)}
    assert told == {PROFILE_SCOPE, *OF_OWNERS, *(scope for scopes in SCOPES.values() for scope in scopes)}


def spread(scopes: str) -> list[str]:
    """`a.{b,c}.d` as a.b.d and a.c.d."""
    return [".".join(parts) for parts in product(*(part.strip("{}").split(",") for part in scopes.split(".")))]


def test_the_page_of_reports_defines_them_as_they_define_themselves() -> None:
    page = (ROOT / "docs" / "reports.md").read_text()
    told = {
        key: (name, text)
        for name, key, text in re.findall(r"^\| \*\*(.+?)\*\* `([\w-]+)` \| (.+?) \| ", page, re.MULTILINE)
    }
    assert told == {key: (one.name, one.description) for key, one in SYSTEM.items()}
    assert not any("{" in one.description for one in SYSTEM.values())
