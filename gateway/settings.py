"""Everything that can be set, checked once at start. Environment variables begin with GATEWAY_."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from email_validator import validate_email
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.secret import DatabaseUrl, sealing

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


def _listed(value: Any) -> Any:
    """`a, b` in an environment variable is a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Group(BaseModel):
    """Settings of one concern; a name that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Http(Group):
    """What a request may cost before any field is resolved."""

    body_bytes: int = Field(default=1024 * 1024, gt=0)
    """A larger body, or WebSocket message, is refused."""
    deadline_seconds: float = Field(default=30, gt=0, le=100)
    """All waits of one request end by then."""
    receive_seconds: float = Field(default=10, gt=0)
    """A request that has not arrived in full by then is refused."""
    origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Web origins whose pages may call from a browser."""
    get: bool = True
    """Whether queries may be sent by GET as well."""
    graphiql: bool | None = None
    """A page to try queries on, for browsers that open /graphql; without a wish, in the demo only."""
    introspection: Literal["everyone", "administrators", "nobody"] | None = None
    """Who may ask for the schema, and is helped with its names by "Did you mean" in errors; without a wish, everyone
    in the demo, and administrators of the integration otherwise."""

    _list = field_validator("origins", mode="before")(_listed)

    def has_page(self, *, demo: bool) -> bool:
        """Whether GraphiQL is there."""
        return demo if self.graphiql is None else self.graphiql


class Limits(Group):
    """What an operation may ask for, decided before anything is executed, and how much a user may ask at all."""

    characters: int = Field(default=100_000, ge=1)
    """Of a document."""
    tokens: int = Field(default=5_000, ge=1)
    """Words and signs of a document."""
    operations: int = Field(default=50, ge=1)
    """In a document, of which one is executed."""
    depth: int = Field(default=25, ge=1)
    """Fields within fields."""
    root_fields: int = Field(default=50, ge=1)
    aliases: int = Field(default=500, ge=0)
    """Fields under another name, fragments counted wherever they are used."""
    fields: int = Field(default=5_000, ge=1)
    """In all, fragments counted wherever they are used."""
    directives: int = Field(default=500, ge=0)
    name_characters: int = Field(default=200, ge=1)
    """Of a field's name or alias."""
    values: int = Field(default=1_000, ge=1)
    """Literals and variables in a document; what variables hold is not counted."""
    given: int = Field(default=20_000, ge=1)
    """Values that variables hold: lists and objects count, and each of what is in them."""
    entries: int = Field(default=100, ge=1)
    """Of one object that a document writes out."""
    repetitions: int = Field(default=10_000, ge=0)
    """Pairs of fields under one name, and of fragments, in one place, each of which validation has to compare."""
    points: int = Field(default=200_000, ge=1)
    """Of an operation, as `extensions.cost` tells them: objects, writes and reports, lists as long as they may be."""
    calls: int = Field(default=2_000, ge=1)
    """Calls to the products that this may take when nothing is known yet."""
    errors: int = Field(default=20, ge=1)
    """Mistakes in one document that are told."""
    at_once: int = Field(default=1_000, ge=1)
    """Requests that a process works on."""
    at_once_per_user: int = Field(default=200, ge=1)
    """Of these, one user's."""
    per_minute: int = Field(default=60_000, ge=1)
    """Requests of one user, over all processes."""


class Documents(Group):
    """Trusted documents: operations that were taken in by `documents add` and are sent by their ids."""

    only: bool = False
    """Whether nothing else is executed."""
    remembered: int = Field(default=1_000, ge=1)
    """How many a process keeps at hand."""
    remembered_seconds: float = Field(default=60, ge=0)
    """After which one is looked up again, so that one that was removed is no longer executed."""


class Live(Group):
    """Connections that stay open: WebSockets and server-sent events."""

    strangers: int = Field(default=200, ge=1)
    """WebSockets to this process that have not said yet who they are; further ones are told to come back later."""
    sockets_per_user: int = Field(default=20, ge=1)
    """WebSockets of one user to this process."""
    operations_per_user: int = Field(default=50, ge=1)
    """Of one user, over all connections to this process."""
    initialisation_seconds: float = Field(default=10, gt=0)
    """A WebSocket that has not said who it is by then is closed."""
    pause_seconds: float = Field(default=0.2, ge=0)
    """Between two answers of one live operation; what happens meanwhile is told by the next."""
    silence_seconds: float = Field(default=15, gt=0)
    """After which an idle connection is used, so that nobody on the way takes it for dead."""


class OpenId(Group):
    """Whose ID tokens sign a user in."""

    issuers: Annotated[tuple[str, ...], NoDecode] = Field(min_length=1)
    """As the tokens name them in `iss`; each is asked for its keys by OpenID discovery."""
    audience: str
    """What tokens have to name in `aud`: the client id for which they are made."""
    jwks_uri: str | None = None
    """Where the keys are, when the issuer offers no discovery; for a single issuer only."""
    algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(default=("RS256", "ES256"), min_length=1)
    """By which tokens may be signed."""
    email_claim: str = "email"
    """The claim with the address under which the CRM knows the user."""
    subject_is_zuid: bool = False
    """The issuers are Zoho's Accounts, whose `sub` is the person's number and outlives a change of address."""
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    """How far the provider's clock may be from ours."""
    refetch_seconds: float = Field(default=5, ge=0)
    """A token with an unknown key has the keys fetched again at most this often, and so have keys that are old while
    the provider does not answer."""
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
    """Of the server-based application; that it is set makes the gateway work on real organizations."""
    client_secret: SecretStr
    """Of the same application, in all data centres."""
    origin: str | None = None
    """One address under which all data centres are found, as the stand-alone sandbox serves them; the database may be
    the embedded one then."""


class Upstream(Group):
    """What one organization may spend in Books, and likewise in Billing: their documented limits."""

    calls_per_minute: int = Field(default=100, ge=1)
    """By all processes together; they must all be started with the same limits."""
    calls_at_once: int = Field(default=10, ge=1)
    """Under way at one moment, likewise."""


class SandboxOptions(Group):
    """The products that stand in for Zoho while no OAuth client is set."""

    scale: int = Field(default=1, ge=1, le=100)
    """How many times the records of a new sandbox."""


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
    """The mail server; with it `sender` is needed."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Without a wish, that of the kind of `tls`: 587, 465 or 25."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """How the way to the server is encrypted."""
    user: str | None = None
    """At the server, with `password`; without both, none is told."""
    password: SecretStr | None = None
    """Never sent over a way that is not encrypted."""
    sender: str | None = None
    """The address that messages come from; notices of failed delivery go there."""
    sender_name: str = "Finance integration"
    """Shown beside the address."""
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
    """The least that is written, to standard error."""
    format: Literal["console", "json"] = "console"
    """Lines to read, or one JSON object a line."""


class Metrics(Group):
    """Prometheus metrics at /metrics, on an address of their own, together with /healthz and /readyz."""

    host: str = "127.0.0.1"
    """Whoever reaches it may read them: keep it inside."""
    port: int | None = Field(default=None, ge=0, le=65535)
    """Without it nothing is counted; with 0, any port that is free. Every process needs one of its own."""


class Traces(Group):
    """OpenTelemetry traces, sent over OTLP and HTTP."""

    endpoint: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The collector's address, such as http://collector:4318/v1/traces; without it nothing is traced."""
    authorization: SecretStr | None = None
    """The Authorization header that the collector asks for."""
    share: float = Field(default=0.1, ge=0, le=1)
    """Of the requests, how many are traced: their trace ids decide, so that all who take part agree."""


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
    """The address to listen on; `0.0.0.0` is every IPv4 address of the machine."""
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any that is free."""
    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")
    """Where browsers find the gateway; Zoho sends people back to /oauth/callback below it."""
    data: Path = Path("var")
    """Where the embedded PostgreSQL and the sandbox keep their records."""
    database_url: DatabaseUrl | None = Field(
        default=None, validation_alias=AliasChoices("GATEWAY_DATABASE_URL", "DATABASE_URL")
    )
    """PostgreSQL; without it an embedded one runs under `data`."""
    sealing_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """32 bytes each, base64. The first seals stored tokens, all open them."""
    zoho: Zoho | None = None
    openid: OpenId | None = None
    http: Http = Http()
    limits: Limits = Limits()
    documents: Documents = Documents()
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
    metrics: Metrics = Metrics()
    traces: Traces = Traces()

    _list = field_validator("sealing_keys", mode="before")(_listed)

    @field_validator("sealing_keys")
    @classmethod
    def _can_seal(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            sealing(key)
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
        return tuple(sealing(key) for key in self.sealing_keys)
