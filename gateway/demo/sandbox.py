"""The demo: the sandbox stands in for Zoho, and its people are set up in every way a person can work."""

import fcntl
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from gateway.secret import KEY_BYTES
from gateway.settings import Jobs, Mail, OpenId, Settings, Zoho
from services.sandbox import Sandbox

CLIENT_ID = "sandbox-client"
ZOHO = Zoho(client_id=CLIENT_ID, client_secret=SecretStr("sandbox-secret"))
OPENID = OpenId(
    issuers=("https://accounts.zoho.eu", "https://accounts.zoho.com", "https://accounts.zoho.in"),
    audience=CLIENT_ID,
    subject_is_zuid=True,
)
"""The sandbox's own Accounts, in the data centres of its organizations."""
PEOPLE: Mapping[str, str] = {
    "owner": "CRM administrator, Books and Billing administrator, owner of the integration",
    "staff": "Books staff",
    "assigned": "Books staff, assigned customers only",
    "approver": "Books role that may approve",
    "billing": "Billing user without Books",
    "sales": "integration user on all finance modules",
    "estimator": "integration user on estimates only",
    "legacy": "not migrated yet, works under the owner's access",
    "readonly": "CRM profile that only views, some fields hidden",
    "outsider": "CRM user without finance access",
}


class UnknownPerson(LookupError):
    """The sandbox has nobody of this name."""


def completed(settings: Settings) -> Settings:
    """What is missing from the settings, from the demo."""
    if not settings.demo:
        return settings
    settings.data.mkdir(parents=True, exist_ok=True)
    missing = {
        "zoho": ZOHO,
        "openid": settings.openid or OPENID,
        "sealing_keys": settings.sealing_keys or (_sealing_key(settings.data),),
        "jobs": Jobs(inside=settings.jobs.inside is not False),
        "mail": _mail(settings),
    }
    return settings.model_copy(update=missing)


def open_sandbox(settings: Settings) -> Sandbox:
    """The sandbox of the data directory; filled first when it is new."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with _alone(settings.data / "sandbox.lock"):
        return Sandbox(settings.data / "sandbox.db", scale=settings.sandbox.scale)


def id_token(settings: Settings, person: str, *, lifetime: int) -> str:
    """A token of a demo person, or of anybody in the sandbox by address; `lifetime` in seconds."""
    email = person if "@" in person else f"{person}@demo.example"
    sandbox = open_sandbox(settings)
    if sandbox.find_person(email) is None:
        raise UnknownPerson(f"There is no {email}. The demo people are: {', '.join(PEOPLE)}.")
    return sandbox.id_token(email, lifetime=lifetime)


def _mail(settings: Settings) -> Mail:
    """Messages stay here, unless the settings say where they go."""
    mail = settings.mail
    return mail if mail.host or mail.directory else mail.model_copy(update={"directory": settings.data / "mail"})


def _sealing_key(data: Path) -> SecretStr:
    """The data directory's own key, made at the first start."""
    path = data / "sealing.key"
    with _alone(data / "sealing.lock"):
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(b64encode(os.urandom(KEY_BYTES)))
    return SecretStr(path.read_text())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
