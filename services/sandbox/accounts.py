"""Zoho Accounts: consent, tokens, user info, OpenID discovery and keys."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services.sandbox.answers import Answer
from services.sandbox.errors import Refusal
from services.sandbox.store import Organization, Person
from services.sandbox.tokens import CLIENTS, Issued

if TYPE_CHECKING:
    from services.sandbox.sandbox import Sandbox

PROFILE_SCOPES = frozenset({"AaaServer.profile.READ", "AaaServer.profile.Read", "openid", "email", "profile"})


async def authorize(request: Request) -> Response:
    """With `login_hint` that person consents at once; without it a page lets one choose."""
    asked = dict(request.query_params)
    mistake = _mistake(asked)
    if mistake:
        return _page("Invalid request", f"<p>{escape(mistake)}</p>", 400)
    people = _people(request)
    if "login_hint" not in asked:
        return _page("Who are you?", _choice(asked, people))
    person = next((one for one in people if one.email.lower() == asked["login_hint"].lower()), None)
    if person is None:
        return _page("Unknown account", "<p>No such account in this data centre.</p>", 400)
    return _back(request, asked, person)


def _mistake(asked: Mapping[str, str]) -> str:
    if asked.get("client_id") not in CLIENTS:
        return "Invalid client id"
    if urlsplit(asked.get("redirect_uri", "")).hostname not in ("127.0.0.1", "localhost"):
        return "Invalid redirect uri"
    if asked.get("response_type") != "code":
        return "Invalid response type"
    if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
        return "Invalid code challenge method"
    return "" if asked.get("scope") else "Invalid scope"


def _choice(asked: Mapping[str, str], people: list[Person]) -> str:
    links = (f"?{urlencode({**asked, 'login_hint': person.email})}" for person in people)
    rows = (
        f'<li><a href="{escape(link)}">{escape(person.email)}</a></li>'
        for link, person in zip(links, people, strict=True)
    )
    return f"<ul>{''.join(rows)}</ul>"


def _back(request: Request, asked: Mapping[str, str], person: Person) -> Response:
    place = request.state.place
    code = _sandbox(request).tokens.code(
        person,
        client_id=asked["client_id"],
        redirect_uri=asked["redirect_uri"],
        scopes=",".join(asked["scope"].replace(",", " ").split()),
        offline=asked.get("access_type") == "offline",
        challenge=asked.get("code_challenge", ""),
        nonce=asked.get("nonce", ""),
    )
    answer = {"code": code, "location": place.centre.location, "accounts-server": place.accounts}
    if "state" in asked:
        answer["state"] = asked["state"]
    uri = asked["redirect_uri"]
    return RedirectResponse(f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(answer)}", 302)


async def token(request: Request) -> Response:
    """Parameters in the query or in a form body; errors inside HTTP 200, the throttle's inside 400."""
    given = await _parameters(request)
    client_id = given.get("client_id", "")
    if CLIENTS.get(client_id) != given.get("client_secret"):
        raise Refusal(200, "invalid_client", "")
    grant = _GRANTS.get(given.get("grant_type", ""))
    if grant is None:
        raise Refusal(200, "unsupported_grant_type", "")
    return Answer(_token_answer(request, grant(request, given), client_id))


def _by_code(request: Request, given: Mapping[str, str]) -> Issued:
    return _sandbox(request).tokens.redeem(
        given.get("code", ""),
        client_id=given["client_id"],
        redirect_uri=given.get("redirect_uri", ""),
        verifier=given.get("code_verifier", ""),
        data_centre=request.state.place.centre.name,
    )


def _by_refresh_token(request: Request, given: Mapping[str, str]) -> Issued:
    return _sandbox(request).tokens.refresh(
        given.get("refresh_token", ""), client_id=given["client_id"], data_centre=request.state.place.centre.name
    )


_GRANTS = {"authorization_code": _by_code, "refresh_token": _by_refresh_token}


def _token_answer(request: Request, issued: Issued, client_id: str) -> dict[str, Any]:
    answer = {
        "access_token": issued.access_token,
        "scope": issued.scopes.replace(",", " "),
        "api_domain": request.state.place.api,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
    }
    if issued.refresh_token:
        answer["refresh_token"] = issued.refresh_token
    if {"openid", "email"} & set(issued.scopes.split(",")):
        nonce: dict[str, Any] = {"nonce": issued.nonce} if issued.nonce else {}
        issuer = request.state.place.accounts
        answer["id_token"] = _sandbox(request).id_token(issued.person.email, audience=client_id, iss=issuer, **nonce)
    return answer


async def revoke(request: Request) -> Response:
    given = await _parameters(request)
    if not _sandbox(request).tokens.revoke(given.get("token", "")):
        raise Refusal(400, "invalid_token", "")
    return Answer({"status": "success"})


async def user_info(request: Request) -> Response:
    _, _, value = request.headers.get("authorization", "").partition(" ")
    sandbox = _sandbox(request)
    caller = sandbox.access.caller(value, "crm", now=sandbox.now())
    if caller is None or caller.organization.data_centre != request.state.place.centre.name:
        raise Refusal(401, "invalid_token", "invalid oauth token")
    if caller.scopes.isdisjoint(PROFILE_SCOPES):
        raise Refusal(401, "invalid_scope", "invalid oauth scope to access this URL")
    person = caller.person
    return Answer(
        {
            "ZUID": int(person.zuid),
            "Email": person.email,
            "First_Name": person.first_name,
            "Last_Name": person.last_name,
            "Display_Name": person.name,
        }
    )


async def discovery(request: Request) -> Response:
    base = request.state.place.accounts
    return Answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/v2/auth",
            "token_endpoint": f"{base}/oauth/v2/token",
            "revocation_endpoint": f"{base}/oauth/v2/token/revoke",
            "userinfo_endpoint": f"{base}/oauth/user/info",
            "jwks_uri": f"{base}/oauth/v2/keys",
            "response_types_supported": ["code"],
            "grant_types_supported": list(_GRANTS),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def keys(request: Request) -> Response:
    return Answer(_sandbox(request).keys.published())


async def _parameters(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return {**dict(parse_qsl(body)), **request.query_params}


def _people(request: Request) -> list[Person]:
    here = select(Organization.crm_id).where(Organization.data_centre == request.state.place.centre.name)
    with _sandbox(request).store.session() as session:
        return list(session.exec(select(Person).where(col(Person.crm_id).in_(here))))


def person_named(session: Session, email: str) -> Person | None:
    """By the address of the Zoho account, whatever its case."""
    return session.exec(select(Person).where(func.lower(Person.email) == email.lower())).first()


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}", status)


def _sandbox(request: Request) -> "Sandbox":
    sandbox: Sandbox = request.state.sandbox
    return sandbox


ROUTES = [
    Route("/oauth/v2/auth", authorize),
    Route("/oauth/v2/token", token, methods=["POST"]),
    Route("/oauth/v2/token/revoke", revoke, methods=["POST"]),
    Route("/oauth/v2/keys", keys),
    Route("/oauth/user/info", user_info),
    Route("/.well-known/openid-configuration", discovery),
]
