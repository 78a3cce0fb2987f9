import base64
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import ValidationError

from gateway.commands.configuration import names, reference
from gateway.commands.console import read_settings
from gateway.settings import Copied, Records, Settings
from gateway.welcome import welcome
from services.records.sources import SOURCES

KEY = base64.b64encode(b"k" * 32).decode()
REAL = {
    "GATEWAY_ZOHO__CLIENT_ID": "1000.CLIENT",
    "GATEWAY_ZOHO__CLIENT_SECRET": "the-secret",
    "GATEWAY_OPENID__ISSUERS": "https://login.example",
    "GATEWAY_OPENID__AUDIENCE": "finance",
    "GATEWAY_SEALING_KEYS": KEY,
    "DATABASE_URL": "postgresql://gateway:the-password@db/gateway",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return monkeypatch


def given(environment: pytest.MonkeyPatch, values: dict[str, str]) -> Settings:
    for name, value in values.items():
        environment.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    ("values", "page", "kept"),
    [
        ({}, True, "Data are kept in var/."),
        ({"GATEWAY_HTTP__GRAPHIQL": "false"}, False, "Data are kept in var/."),
        ({"DATABASE_URL": REAL["DATABASE_URL"]}, True, "Data are kept in the database, the sandbox's in var/."),
        (REAL, False, "Data are kept in the database."),
        (REAL | {"GATEWAY_HTTP__GRAPHIQL": "true"}, True, "Data are kept in the database."),
        (REAL | {"DATABASE_URL": "", "GATEWAY_ZOHO__ORIGIN": "http://127.0.0.1:9000"}, False, "Data are kept in var/."),
    ],
)
def test_serve_says_only_what_is_so(
    environment: pytest.MonkeyPatch, values: dict[str, str], page: bool, kept: str
) -> None:
    said = welcome(given(environment, {name: value for name, value in values.items() if value}), "http://[::1]:8000")
    assert ("in a browser" in said, kept in said) == (page, True), said


def test_without_any_setting_the_demo_runs(environment: pytest.MonkeyPatch) -> None:
    settings = given(environment, {})
    assert settings.demo
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8000, Path("var"))


def test_real_organizations_are_set_up_by_the_environment(environment: pytest.MonkeyPatch) -> None:
    settings = given(environment, REAL | {"GATEWAY_PORT": "9999", "GATEWAY_HTTP__DEADLINE_SECONDS": "5"})
    assert (settings.demo, settings.port) == (False, 9999)
    assert settings.http.deadline_seconds == 5
    assert settings.keys == (b"k" * 32,)
    assert settings.openid is not None
    assert settings.openid.issuers == ("https://login.example",)


def test_several_keys_and_issuers_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    lists = {"GATEWAY_SEALING_KEYS": f"{KEY}, {KEY}", "GATEWAY_OPENID__ISSUERS": "https://a.example,https://b.example"}
    settings = given(environment, REAL | lists)
    assert len(settings.keys) == 2
    assert settings.openid is not None
    assert settings.openid.issuers == ("https://a.example", "https://b.example")


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    shown = repr(given(environment, REAL))
    assert not any(secret in shown for secret in ("the-secret", "the-password", KEY))


def test_settings_do_not_change_while_the_gateway_runs(environment: pytest.MonkeyPatch) -> None:
    settings: Any = given(environment, {})
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize("missing", ["GATEWAY_SEALING_KEYS", "DATABASE_URL", "GATEWAY_OPENID__ISSUERS"])
def test_real_organizations_need_every_real_setting(environment: pytest.MonkeyPatch, missing: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        given(environment, {name: value for name, value in REAL.items() if name != missing})
    assert "issuers" in str(refusal.value) or f"GATEWAY_{missing.removeprefix('GATEWAY_')}" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_PORT", "eighty"),
        ("GATEWAY_PORT", "70000"),
        ("GATEWAY_HTTP__BODY_BYTES", "0"),
        ("GATEWAY_HTTP__BODY_LIMIT", "7"),
        ("GATEWAY_HTTP__DEADLINE_SECONDS", "101"),
        ("GATEWAY_SEALING_KEYS", "c2hvcnQ="),
        ("GATEWAY_SEALING_KEYS", "not base64!"),
        ("GATEWAY_OPENID__ALGORITHMS", "none"),
        ("GATEWAY_OPENID__ALGORITHMS", "HS256"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_at_start(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ValidationError):
        given(environment, REAL | {name: value})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("GATEWAY_HOTS", "GATEWAY_HOST"),
        ("GATEWAY_HTTPS__GET", "GATEWAY_HTTP__GET"),
        ("GATEWAY_LIMITS__TOKEN", "GATEWAY_LIMITS__TOKENS"),
        ("gateway_limits__depht", "GATEWAY_LIMITS__DEPTH"),
        ("GATEWAY_FOO", "GATEWAY_"),
    ],
)
def test_a_name_that_is_no_setting_ends_the_start_and_the_nearest_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, nearest: str
) -> None:
    environment.setenv(name, "1")
    with pytest.raises(typer.Exit) as ended:
        read_settings()
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert f"{name}: there is no such setting; the nearest is {nearest}" in said


def test_every_setting_of_the_reference_is_known_in_any_case_and_a_group_as_json(
    environment: pytest.MonkeyPatch,
) -> None:
    assert set(names()) == set(re.findall(r"`((?:GATEWAY|DATABASE)_[A-Z_]+)`", reference()))
    environment.setenv("gateway_port", "9999")
    environment.setenv("GATEWAY_LIMITS", '{"tokens": 7}')
    settings = read_settings(quiet=True)
    assert (settings.port, settings.limits.tokens) == (9999, 7)


def test_what_is_copied_can_be_named_in_any_order_with_what_it_refers_to() -> None:
    assert set(get_args(Copied)) == set(SOURCES)
    assert Records.model_validate({"modules": "subscriptions, plans"}).modules == ("subscriptions", "plans")
    for wrong in ("bills", "subscriptions"):
        with pytest.raises(ValidationError):
            Records.model_validate({"modules": wrong})
