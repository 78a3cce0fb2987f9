"""Everything that can be set, checked once at start. Environment variables begin with GATEWAY_."""

import base64
import binascii
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from email_validator import validate_email
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
DataCenter = Literal["com", "eu", "in", "com.au", "jp", "ca", "sa", "com.cn", "uk"]
Copied = Literal[
    "plans",
    "addons",
    "customers",
    "subscriptions",
    "contacts",
    "invoices",
    "estimates",
    "salesOrders",
    "purchaseOrders",
]
KEY_BYTES = 32


def _listed(value: Any) -> Any:
    """`a, b` in an environment variable is a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Group(BaseModel):
    """Settings of one concern; a name that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Http(Group):
    """What a request may cost before any field is resolved."""

    body_bytes: int = Field(default=1024 * 1024, gt=0)
    deadline_seconds: float = Field(default=30, gt=0)
    """All waits of one request end by then."""
    receive_seconds: float = Field(default=10, gt=0)
    """A request that has not arrived in full by then is refused."""
    origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Web origins whose pages may call from a browser."""

    _list = field_validator("origins", mode="before")(_listed)


class Live(Group):
    """Connections that stay open: WebSockets and server-sent events."""

    sockets_per_user: int = Field(default=20, ge=1)
    operations_per_user: int = Field(default=50, ge=1)
    """Over all his connections to this process."""
    initialisation_seconds: float = Field(default=10, gt=0)
    """A WebSocket that has not said who it is by then is closed."""
    pause_seconds: float = Field(default=0.2, ge=0)
    """Between two answers of one live operation; what happens meanwhile is told by the next."""
    silence_seconds: float = Field(default=15, gt=0)
    """After which an idle connection is used, so that nobody on the way takes it for dead."""


class OpenId(Group):
    """Whose ID tokens sign a user in."""

    issuers: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    audience: str
    jwks_uri: str | None = None
    """Where the keys are, when the issuer offers no discovery; for a single issuer only."""
    algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(default=("RS256", "ES256"), min_length=1)
    email_claim: str = "email"
    subject_is_zuid: bool = False
    """The issuers are Zoho's Accounts, whose `sub` is the person's number and outlives a change of address."""
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    refetch_seconds: float = Field(default=30, ge=0)
    """A token with an unknown key has the keys fetched again at most this often."""
    keys_seconds: float = Field(default=3600, gt=0)
    """Keys older than this are fetched again, so that a withdrawn key stops working."""

    _list = field_validator("issuers", "algorithms", mode="before")(_listed)

    @model_validator(mode="after")
    def _one_issuer_for_one_address(self) -> Self:
        if self.jwks_uri and len(self.issuers) > 1:
            raise ValueError("jwks_uri belongs to one issuer; several issuers are found by discovery")
        return self


class Zoho(Group):
    """The OAuth client registered at Zoho's API console. Without it the gateway runs on the sandbox."""

    client_id: str
    client_secret: SecretStr
    origin: str | None = None
    """One address under which all data centres are found, as the stand-alone sandbox serves them; the database may be
    the embedded one then."""


class Upstream(Group):
    """What one organization may spend in Books, and likewise in Billing: their documented limits."""

    calls_per_minute: int = Field(default=100, ge=1)
    calls_at_once: int = Field(default=10, ge=1)


class SandboxOptions(Group):
    """The products that stand in for Zoho while no OAuth client is set."""

    scale: int = Field(default=1, ge=1, le=100)


class Jobs(Group):
    """Who works on jobs."""

    inside: bool | None = None
    """The serving process itself; without a wish, in the demo only."""


class Migration(Group):
    """Moving users to their own access."""

    least_operations: int = Field(default=1, ge=0)
    """On finance modules within the window: who has fewer is left out when it closes."""


class Records(Group):
    """The gateway's own copy of the products' records."""

    share: float = Field(default=0.25, gt=0, le=0.5)
    """Of an organization's calls a minute in each product, what keeping the copy may spend."""
    interval_factor: float = Field(default=1, gt=0)
    """Stretches how old a module's copy becomes before its changes are asked for, one call when there are none: 30
    seconds for documents and contacts, 10 minutes for Billing's customers, plans and add-ons."""
    modules: Annotated[tuple[Copied, ...], NoDecode] = ()
    """What is copied; without a wish, everything."""
    check_hours: float = Field(default=24, gt=0)
    """How long after it was last read in full a module is compared with the product row by row, and mended."""
    directory_seconds: float = Field(default=300, ge=0)
    """How old a customer, a CRM account or contact, or the link between them may be in a live answer."""
    cache_entries: int = Field(default=10_000, ge=0)
    """Pages, full records and directory records that a process remembers, of each at most so many."""
    cache_megabytes: int = Field(default=64, ge=0)
    """What the pages, and as much again what the full records, may take of a process's memory."""

    _list = field_validator("modules", mode="before")(_listed)

    @field_validator("modules")
    @classmethod
    def _subscriptions_refer_to_plans(cls, modules: tuple[Copied, ...]) -> tuple[Copied, ...]:
        if "subscriptions" in modules and "plans" not in modules:
            raise ValueError("subscriptions refer to plans: copy these as well")
        return modules


class Execution(Group):
    """How operations are executed."""

    plans: bool = True
    """Compiled to Python; otherwise, and what cannot be compiled, by graphql-core."""
    documents: int = Field(default=1000, ge=1)
    """How many are kept parsed, validated and compiled; those used lately."""
    variants: int = Field(default=16, ge=1)
    """How many are kept of one operation, each compiled for other grants or conditions."""


class Mail(Group):
    """How messages to users leave: over SMTP, or as files in a directory; without either they wait."""

    directory: Path | None = None
    """Where messages are kept as files instead of being sent; in the demo, without a wish, `mail` under `data`."""
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    """Without a wish, that of the kind of `tls`: 587, 465 or 25."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str | None = None
    """The address that messages come from; notices of failed delivery go there."""
    sender_name: str = "Finance integration"
    timeout_seconds: float = Field(default=30, gt=0, le=300)
    """For each step of talking to the server."""

    @field_validator("sender")
    @classmethod
    def _sender_is_an_address(cls, sender: str | None) -> str | None:
        if sender is None:
            return None
        return validate_email(sender, check_deliverability=False, allow_smtputf8=False).ascii_email

    @model_validator(mode="after")
    def _server_is_complete(self) -> Self:
        if self.host and self.directory:
            raise ValueError("messages are either sent or kept in a directory")
        if self.host and not self.sender:
            raise ValueError("with a host, the sender's address is needed as well")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password belong together")
        if self.user and self.tls == "none":
            raise ValueError("a password is not sent over an open connection: choose starttls or implicit")
        return self


class Audit(Group):
    """The audit trail."""

    keep_days: int | None = Field(default=None, ge=365)
    """What is older may be exported and removed, by `audit prune` alone; without a wish, it is kept for ever."""


class Logs(Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(BaseSettings):
    """All settings. `GATEWAY_OPENID__AUDIENCE` sets `openid.audience`; DATABASE_URL is honoured as well."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")
    """Where browsers find the gateway; Zoho sends people back to /oauth/callback below it."""
    data: Path = Path("var")
    """Where the embedded PostgreSQL and the sandbox keep their records."""
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL")
    )
    """PostgreSQL; without it an embedded one runs under `data`."""
    sealing_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """32 bytes each, base64. The first seals stored tokens, all open them."""
    zoho: Zoho | None = None
    openid: OpenId | None = None
    http: Http = Http()
    live: Live = Live()
    upstream: Upstream = Upstream()
    sandbox: SandboxOptions = SandboxOptions()
    jobs: Jobs = Jobs()
    mail: Mail = Mail()
    migration: Migration = Migration()
    records: Records = Records()
    execution: Execution = Execution()
    audit: Audit = Audit()
    logs: Logs = Logs()

    _list = field_validator("sealing_keys", mode="before")(_listed)

    @field_validator("sealing_keys")
    @classmethod
    def _keys_are_long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            if len(_decoded(key)) != KEY_BYTES:
                raise ValueError("each key must be 32 bytes in base64: make one with `openssl rand -base64 32`")
        return keys

    @model_validator(mode="after")
    def _real_products_need_real_settings(self) -> Self:
        needed = ("openid", "sealing_keys", *(() if self.zoho and self.zoho.origin else ("database_url",)))
        missing = [name for name in needed if not getattr(self, name)]
        if self.zoho and missing:
            names = ", ".join(f"GATEWAY_{name.upper()}" for name in missing)
            raise ValueError(f"with GATEWAY_ZOHO__CLIENT_ID set, these are needed as well: {names}")
        return self

    @property
    def demo(self) -> bool:
        """Whether the sandbox stands in for Zoho."""
        return self.zoho is None

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The sealing keys as bytes."""
        return tuple(_decoded(key) for key in self.sealing_keys)


def _decoded(key: SecretStr) -> bytes:
    try:
        return base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error as error:
        raise ValueError("a sealing key must be base64") from error
