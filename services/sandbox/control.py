"""The stand-alone sandbox's own pages: log, faults, webhooks, people, ID tokens and keys, as JSON under /sandbox."""

from typing import TYPE_CHECKING, Any

import msgspec
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.answers import Answer
from services.sandbox.errors import Refusal
from services.sandbox.faults import Fault
from services.sandbox.hooks import Hook
from services.sandbox.scopes import FULL
from services.sandbox.store import Organization, Person

if TYPE_CHECKING:
    from services.sandbox.sandbox import Sandbox


async def calls(request: Request) -> Response:
    """Filters are the attributes of a call: `?product=books&email=staff@demo.example&path=*estimates*`."""
    filters: dict[str, Any] = dict(request.query_params)
    if "status" in filters:
        filters["status"] = int(filters["status"]) if filters["status"].isdecimal() else -1
    try:
        return Answer({"calls": _sandbox(request).calls(**filters)})
    except AttributeError as error:
        raise Refusal(400, 2, str(error)) from error


async def clear_calls(request: Request) -> Response:
    _sandbox(request).clear_calls()
    return Answer({"calls": []})


async def faults(request: Request) -> Response:
    return Answer({"faults": _sandbox(request).faults.listed()})


async def order_fault(request: Request) -> Response:
    """The body in the names of `Fault`."""
    try:
        fault = msgspec.json.decode(await request.body(), type=Fault)
    except msgspec.MsgspecError as error:
        raise Refusal(400, 2, str(error)) from error
    _sandbox(request).fault(fault)
    return await faults(request)


async def clear_faults(request: Request) -> Response:
    _sandbox(request).clear_faults()
    return await faults(request)


async def hook_up(request: Request) -> Response:
    """The body in the names of `Hook`: from now on changes in that product of that organization are posted there."""
    try:
        hook = msgspec.json.decode(await request.body(), type=Hook)
    except msgspec.MsgspecError as error:
        raise Refusal(400, 2, str(error)) from error
    _sandbox(request).hooks.add(hook)
    return Answer({"url": hook.url})


async def people(request: Request) -> Response:
    everybody = (
        select(Person, Organization)
        .where(col(Person.crm_id) == col(Organization.crm_id))
        .order_by(col(Organization.data_centre), col(Person.zuid))
    )
    with _sandbox(request).store.session() as session:
        rows = [_person(person, organization) for person, organization in session.exec(everybody)]
    return Answer({"people": rows})


def _person(person: Person, organization: Organization) -> dict[str, Any]:
    return {
        "email": person.email,
        "organization": organization.name,
        "data_centre": organization.data_centre,
        "crm_profile": person.profile,
        "crm_status": person.crm_status,
        "crm_confirmed": person.crm_confirmed,
        "books_role": person.books_role,
        "billing_role": person.billing_role,
    }


async def token(request: Request) -> Response:
    """`?as=staff` (of the demo organization) or a whole address; with `?connect=1` also a refresh token."""
    asked = request.query_params
    name = asked.get("as", "owner")
    email = name if "@" in name else f"{name}@demo.example"
    sandbox = _sandbox(request)
    if sandbox.find_person(email) is None:
        raise Refusal(404, 1002, f"There is no {email}.")
    issuer = f"{request.state.place.accounts}/{sandbox.data_centre_of(email)}/accounts"
    lifetime = int(asked["lifetime"]) if asked.get("lifetime", "").isdecimal() else 3600
    answer = {"email": email, "id_token": sandbox.id_token(email, lifetime=lifetime, iss=issuer)}
    if asked.get("connect"):
        answer["refresh_token"] = sandbox.refresh_token(email, asked.get("scope", FULL))
    return Answer(answer)


async def rotate_keys(request: Request) -> Response:
    _sandbox(request).rotate_keys(keep_old=request.query_params.get("keep_old") != "0")
    return Answer({"keys": len(_sandbox(request).keys.published()["keys"])})


def _sandbox(request: Request) -> "Sandbox":
    sandbox: Sandbox = request.state.sandbox
    return sandbox


ROUTES = [
    Route("/calls", calls),
    Route("/calls", clear_calls, methods=["DELETE"]),
    Route("/faults", faults),
    Route("/faults", order_fault, methods=["POST"]),
    Route("/faults", clear_faults, methods=["DELETE"]),
    Route("/webhooks", hook_up, methods=["POST"]),
    Route("/people", people),
    Route("/token", token),
    Route("/keys", rotate_keys, methods=["POST"]),
]
