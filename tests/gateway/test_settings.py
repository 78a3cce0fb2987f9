import base64
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from gateway.settings import Copied, Records, Settings
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
    with pytest.raises(ValidationError):
        given(environment, {}).port = 1


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


def test_what_is_copied_can_be_named_in_any_order_with_what_it_refers_to() -> None:
    assert set(get_args(Copied)) == set(SOURCES)
    assert Records.model_validate({"modules": "subscriptions, plans"}).modules == ("subscriptions", "plans")
    for wrong in ("bills", "subscriptions"):
        with pytest.raises(ValidationError):
            Records.model_validate({"modules": wrong})
