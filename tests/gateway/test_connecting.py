"""Connecting through the front door: link, redirect, page, and the first query under one's own access."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import psutil
import pytest

from services.consent import Consents
from services.sandbox import Sandbox
from tests.bench.processes import free_port
from tests.harness import SEALING_KEY, Gateway

ROOT = Path(__file__).parents[2]
SECRETS = ("state", "code")
OWNER, STAFF, SALES = "owner@demo.example", "staff@demo.example", "sales@demo.example"


async def redirected(gateway: Gateway, link: str, email: str) -> str:
    """Where Zoho sends the browser of the person who has consented: path and query."""
    async with httpx.AsyncClient(transport=gateway.sandbox.transport()) as browser:
        page = await browser.get(f"{link}&login_hint={email}")
    return httpx.URL(page.headers["location"]).raw_path.decode()


async def connect(gateway: Gateway, begin: Callable[[Consents], Awaitable[str]], email: str) -> httpx.Response:
    link = await begin(gateway.app.state.consents)
    return await gateway.client.get(await redirected(gateway, link, email))


async def test_the_page_says_who_has_connected_what(own_gateway: Gateway) -> None:
    page = await connect(own_gateway, lambda consents: consents.begin_user(STAFF), STAFF)
    assert page.status_code == 200
    assert f"{STAFF} has connected Zoho CRM and Zoho Books of Demo Trading, as user." in page.text


async def test_the_page_can_neither_load_nor_be_framed_nor_be_kept_and_shows_no_secret(own_gateway: Gateway) -> None:
    link = await own_gateway.app.state.consents.begin_user(STAFF)
    back = await redirected(own_gateway, link, STAFF)
    page = await own_gateway.client.get(back)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    asked = dict(parse_qsl(urlsplit(back).query))
    assert not [name for name in SECRETS if asked[name] in page.text]


async def test_a_link_that_was_used_is_told_so(own_gateway: Gateway) -> None:
    link = await own_gateway.app.state.consents.begin_user(STAFF)
    back = await redirected(own_gateway, link, STAFF)
    assert (await own_gateway.client.get(back)).status_code == 200
    again = await own_gateway.client.get(back)
    assert again.status_code == 400
    assert "This link was used" in again.text
    assert "Ask for a new link." in again.text


async def test_another_person_is_told_who_was_invited(own_gateway: Gateway) -> None:
    page = await connect(own_gateway, lambda consents: consents.begin_user(STAFF), SALES)
    assert page.status_code == 400
    assert f"The link was made for {STAFF}, but {SALES} has consented." in page.text


async def test_a_person_who_refuses_is_told_what_to_do(own_gateway: Gateway) -> None:
    link = await own_gateway.app.state.consents.begin_user(STAFF)
    state = dict(parse_qsl(urlsplit(link).query))["state"]
    page = await own_gateway.client.get("/oauth/callback", params={"state": state, "error": "access_denied"})
    assert "Access was not granted." in page.text


@pytest.mark.parametrize("query", ["", "?state=", "?state=%00&code=x", "?state=x&state=y&code=z", "?code=x&error=y"])
async def test_an_answer_to_no_link_of_ours_is_refused(gateway: Gateway, query: str) -> None:
    page = await gateway.client.get(f"/oauth/callback{query}")
    assert page.status_code == 400
    assert "This link is not known here." in page.text
    assert (await gateway.client.post(f"/oauth/callback{query}")).status_code == 405


async def test_what_the_redirect_says_is_shown_as_text(own_gateway: Gateway) -> None:
    link = await own_gateway.app.state.consents.begin_user(STAFF)
    state = dict(parse_qsl(urlsplit(link).query))["state"]
    page = await own_gateway.client.get("/oauth/callback", params={"state": state, "error": "<script>x</script>"})
    assert page.status_code == 502
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_a_user_who_was_not_migrated_works_under_his_own_access_once_connected(own_gateway: Gateway) -> None:
    email = "both@demo.example"
    query = "{ invoices(first: 1) { nodes { id } } }"
    own_gateway.sandbox.clear_calls()
    await own_gateway.ask(email, query)
    assert {call.email for call in own_gateway.sandbox.calls(product="books")} == {OWNER}
    page = await connect(own_gateway, lambda consents: consents.begin_user(email, migrate=True), email)
    assert "From now on this person works under their own access." in page.text
    own_gateway.sandbox.clear_calls()
    answer = await own_gateway.ask(email, query)
    assert "errors" not in answer
    assert {call.email for call in own_gateway.sandbox.calls(product="books")} == {email}


@contextmanager
def process(log: Path, environment: dict[str, str], *arguments: str) -> Iterator[None]:
    """A process of the command line until the block is left; what it says goes to the log."""
    with log.open("w") as said:
        running = psutil.Popen(
            [sys.executable, "-m", "gateway", *arguments], cwd=ROOT, env=environment, stdout=said, stderr=said
        )
        try:
            yield
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(timeout=20)


def until_it_answers(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{url} does not answer")


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "gateway", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Site:
    """The stand-alone sandbox and a gateway that knows nothing but its address."""

    def __init__(self, data: Path) -> None:
        self.sandbox, self.gateway = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.log = data / "gateway.log"
        self.plain = {
            name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "DATABASE_URL"))
        } | {"GATEWAY_DATA": str(data)}
        self.environment = self.plain | {
            "GATEWAY_PORT": self.gateway.rpartition(":")[2],
            "GATEWAY_PUBLIC_URL": self.gateway,
            "GATEWAY_SEALING_KEYS": SEALING_KEY,
            "GATEWAY_ZOHO__CLIENT_ID": "sandbox-client",
            "GATEWAY_ZOHO__CLIENT_SECRET": "sandbox-secret",
            "GATEWAY_ZOHO__ORIGIN": self.sandbox,
            "GATEWAY_OPENID__ISSUERS": f"{self.sandbox}/eu/accounts",
            "GATEWAY_OPENID__AUDIENCE": "sandbox-client",
        }

    def connect(self, email: str, *arguments: str) -> tuple[str, httpx.Response]:
        """The link of the command line, followed by a browser that consents at once."""
        done = command(self.environment, "connect", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        link = done.stdout.strip()
        return link, httpx.get(f"{link}&login_hint={email}", follow_redirects=True, timeout=60)

    def ask(self, email: str, query: str) -> dict[str, Any]:
        signed = httpx.get(f"{self.sandbox}/sandbox/token", params={"as": email}).json()["id_token"]
        headers = {"Authorization": f"Bearer {signed}"}
        answer: dict[str, Any] = httpx.post(
            f"{self.gateway}/graphql", json={"query": query}, headers=headers, timeout=60
        ).json()
        return answer

    def callers(self, product: str) -> set[str]:
        calls = httpx.get(f"{self.sandbox}/sandbox/calls", params={"product": product}).json()["calls"]
        return {call["email"] for call in calls}


@pytest.fixture
def site(room: Path) -> Iterator[Site]:
    Sandbox(room / "sandbox.db").close()
    site = Site(room)
    port = site.sandbox.rpartition(":")[2]
    with process(room / "sandbox.log", site.plain, "sandbox", "--port", port):
        until_it_answers(f"{site.sandbox}/sandbox/people")
        with process(site.log, site.environment, "serve"):
            until_it_answers(f"{site.gateway}/healthz")
            yield site


def test_an_owner_and_a_user_are_connected_and_a_query_runs_under_the_users_own_access(site: Site) -> None:
    query = "{ viewer { email } invoices(first: 2) { nodes { number } } }"
    stranger = site.ask(STAFF, query)
    assert stranger["errors"][0]["extensions"]["reason"] == "UNKNOWN_USER"
    assert command(site.environment, "connect", "user", "--email", STAFF).returncode == 1

    link, page = site.connect(OWNER, "owner", "--data-center", "eu")
    assert link.startswith(f"{site.sandbox}/eu/accounts/oauth/v2/auth?")
    assert f"{OWNER} has connected Zoho CRM, Zoho Books and Zoho Billing of Demo Trading" in page.text
    invited, page = site.connect(STAFF, "user", "--email", STAFF, "--migrate")
    assert f"{STAFF} has connected Zoho CRM and Zoho Books of Demo Trading, as user." in page.text

    httpx.delete(f"{site.sandbox}/sandbox/calls")
    answer = site.ask(STAFF, query)
    assert answer["data"]["viewer"]["email"] == STAFF
    assert len(answer["data"]["invoices"]["nodes"]) == 2
    assert site.callers("books") == {STAFF}

    said = site.log.read_text()
    for address in (link, invited, str(page.url)):
        asked = dict(parse_qsl(urlsplit(address).query))
        assert not [name for name in SECRETS if name in asked and asked[name] in said]
    assert "/oauth/callback" in said


async def test_the_command_says_what_is_wrong_with_what_it_was_given(own_gateway: Gateway) -> None:
    real = {
        "GATEWAY_ZOHO__CLIENT_ID": "sandbox-client",
        "GATEWAY_ZOHO__CLIENT_SECRET": "sandbox-secret",
        "GATEWAY_OPENID__ISSUERS": "https://login.example",
        "GATEWAY_OPENID__AUDIENCE": "finance",
    }
    environment = dict(os.environ) | own_gateway.environment()
    for arguments, told in (
        (("owner", "--data-center", "nowhere"), "com, eu, in, com.au, jp, ca, sa, com.cn, uk"),
        (("user", "--email", "nobody@demo.example"), "Nobody with this address"),
        (("user", "--email", STAFF, "--organization", "unknown"), "Nobody with this address"),
    ):
        done = await asyncio.to_thread(command, environment | real, "connect", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    demo = await asyncio.to_thread(command, environment, "connect", "owner", "--data-center", "eu")
    assert demo.returncode == 1
    assert "GATEWAY_ZOHO__ORIGIN" in demo.stderr
