"""CRM v8: users, profiles, roles, modules, fields, related lists and the organization."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox import crm_records
from services.sandbox.access import Caller
from services.sandbox.answers import Answer
from services.sandbox.crm_paging import EMPTY, page_of, unchanged
from services.sandbox.errors import Refusal
from services.sandbox.organizations import PREFIXES
from services.sandbox.profiles import FIELDS, FINANCE, OWN, PROFILES, Profile, permissions
from services.sandbox.store import Person

SINCE = "2024-11-01T09:00:00+00:00"
"""When users, profiles and modules were made."""

Row = dict[str, Any]


async def users(request: Request) -> Response:
    asked = request.query_params
    kind = asked.get("type", "AllUsers")
    if kind not in _USER_TYPES:
        raise Refusal(400, "INVALID_DATA", "invalid data", details={"param_name": "type"})
    ids = [one for one in asked.get("ids", "").split(",") if one]
    found = [one for one in _people(request) if _USER_TYPES[kind](one, _caller(request))]
    rows = [_user(request, one) for one in found if not ids or one.crm_user_id in ids]
    return page_of(request, "users", [row for row in rows if not unchanged(request, row["Modified_Time"])])


async def user(request: Request) -> Response:
    wanted = request.path_params["user"]
    found = [one for one in _people(request) if wanted in (one.crm_user_id, one.crm_email)]
    return _listed("users", [_user(request, one) for one in found])


_USER_TYPES: Mapping[str, Callable[[Person, Caller], bool]] = {
    "AllUsers": lambda _, __: True,
    "ActiveUsers": lambda person, _: person.crm_status == "active",
    "DeactiveUsers": lambda person, _: person.crm_status != "active",
    "ConfirmedUsers": lambda person, _: person.crm_confirmed,
    "NotConfirmedUsers": lambda person, _: not person.crm_confirmed,
    "ActiveConfirmedUsers": lambda person, _: person.crm_status == "active" and person.crm_confirmed,
    "AdminUsers": lambda person, _: PROFILES[person.profile].administers,
    "CurrentUser": lambda person, caller: person.zuid == caller.zuid,
}


def _people(request: Request) -> list[Person]:
    mine = select(Person).where(Person.crm_id == _caller(request).organization_id).order_by(col(Person.crm_user_id))
    with request.state.store.session() as session:
        return list(session.exec(mine))


def _user(request: Request, person: Person) -> Row:
    caller = _caller(request)
    profile = PROFILES[person.profile]
    role = _ROLES[0] if profile.administers else _ROLES[1]
    return {
        "id": person.crm_user_id,
        "zuid": person.zuid if person.crm_confirmed else None,
        "full_name": person.name,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.crm_email,
        "status": person.crm_status,
        "confirm": person.crm_confirmed,
        "role": {"id": _id(caller, role[0]), "name": role[1]},
        "profile": {"id": profile.id_in(_prefix(caller)), "name": profile.name},
        "Reporting_To": None,
        "category": "regular_user",
        "alias": None,
        "locale": "en_GB",
        "country_locale": "en_GB",
        "time_zone": caller.organization.time_zone,
        "language": "en_GB",
        "type__s": "Regular User",
        "created_time": SINCE,
        "Modified_Time": person.crm_modified_time or SINCE,
        "created_by": None,
        "Modified_By": None,
    }


async def profiles(request: Request) -> Response:
    _administers(request)
    return Answer({"profiles": [_profile(request, profile) for profile in PROFILES.values()]})


async def profile(request: Request) -> Response:
    """Everybody may see their own."""
    caller = _caller(request)
    own = PROFILES[caller.person.profile].id_in(_prefix(caller))
    if request.path_params["id"] != own:
        _administers(request)
    found = [one for one in PROFILES.values() if one.id_in(_prefix(caller)) == request.path_params["id"]]
    return _listed("profiles", [_profile_in_full(request, one) for one in found])


def _profile(request: Request, profile: Profile) -> Row:
    return {
        "id": profile.id_in(_prefix(_caller(request))),
        "name": profile.name,
        "display_label": profile.name,
        "type": "normal_profile",
        "custom": profile.number > 12,
        "default": profile.name == "Standard",
        "category": profile.number > 12,
        "description": None,
        "permission_type": "all" if profile.administers else "custom",
        "created_by": None,
        "modified_by": None,
        "created_time": SINCE,
        "modified_time": SINCE,
    }


def _profile_in_full(request: Request, profile: Profile) -> Row:
    details = permissions(profile, _prefix(_caller(request)))
    return {**_profile(request, profile), "permissions_details": details, "sections": [_section(details)]}


def _section(details: Sequence[Row]) -> Row:
    names = dict.fromkeys(detail["module"] for detail in details if detail["module"])
    categories = [
        {
            "name": name,
            "display_label": name.replace("_", " "),
            "module": name,
            "permissions_details": [detail["id"] for detail in details if detail["module"] == name],
        }
        for name in names
    ]
    return {"name": "module_permissions", "categories": categories}


_ROLES = ((21, "Director"), (22, "Manager"))


async def roles(request: Request) -> Response:
    """All of them, or the one named in the path."""
    caller = _caller(request)
    rows = [
        {
            "id": _id(caller, number),
            "name": name,
            "display_label": name,
            "share_with_peers": number == 21,
            "reporting_to": None if number == 21 else {"id": _id(caller, 21), "name": "Director"},
            "admin_user": number == 21,
        }
        for number, name in _ROLES
    ]
    return _listed("roles", [row for row in rows if request.path_params.get("id", row["id"]) == row["id"]])


async def modules(request: Request) -> Response:
    """All of them, or the one named in the path."""
    rows = [_module(request, number, name) for number, name in enumerate((*OWN, *FINANCE), 31)]
    return _listed(
        "modules", [row for row in rows if request.path_params.get("name", row["api_name"]) == row["api_name"]]
    )


def _module(request: Request, number: int, name: str) -> Row:
    caller = _caller(request)
    mine = PROFILES[caller.person.profile]
    label = name.removeprefix("Finance_").replace("_", " ")
    return {
        "id": _id(caller, number),
        "api_name": name,
        "module_name": name,
        "singular_label": label.removesuffix("s"),
        "plural_label": label,
        "generated_type": "default" if name in OWN else "web",
        "creatable": mine.may(name, "Create"),
        "editable": mine.may(name, "Edit"),
        "deletable": False,
        "viewable": mine.may(name, "View"),
        "visible": mine.may(name, "View"),
        "api_supported": name in OWN,
        "show_as_tab": True,
        "sequence_number": number - 30,
        "status": "visible",
        "profiles": [
            {"id": profile.id_in(_prefix(caller)), "name": profile.name}
            for profile in PROFILES.values()
            if profile.may(name, "View")
        ],
        "modified_time": None,
        "modified_by": None,
    }


async def fields(request: Request) -> Response:
    """All of them, or the one named in the path."""
    module = _named_module(request)
    first = 300 + 100 * list(FIELDS).index(module)
    rows = [_field(request, module, number, name) for number, name in enumerate(FIELDS[module], first)]
    return _listed("fields", [row for row in rows if request.path_params.get("id", row["id"]) == row["id"]])


def _field(request: Request, module: str, number: int, name: str) -> Row:
    caller = _caller(request)
    mine = PROFILES[caller.person.profile].permission_type(module, name)
    writable = mine == "read_write"
    return {
        "id": _id(caller, number),
        "api_name": name,
        "field_label": name.replace("_", " ").capitalize(),
        "display_label": name.replace("_", " ").capitalize(),
        "data_type": "text",
        "json_type": "string",
        "type": "used",
        "custom_field": False,
        "read_only": not writable,
        "field_read_only": not writable,
        "visible": mine != "hidden",
        "view_type": {"view": mine != "hidden", "edit": writable, "quick_create": False, "create": writable},
        "profiles": [
            {
                "id": profile.id_in(_prefix(caller)),
                "name": profile.name,
                "permission_type": profile.permission_type(module, name),
            }
            for profile in PROFILES.values()
        ],
    }


async def related_lists(request: Request) -> Response:
    module = _named_module(request)
    names = [*(("Contacts",) if module == "Accounts" else ()), *(FINANCE if module in OWN else ())]
    return _listed("related_lists", [_related_list(request, number, name) for number, name in enumerate(names, 1)])


def _related_list(request: Request, number: int, name: str) -> Row:
    label = name.removeprefix("Finance_").replace("_", " ")
    return {
        "id": _id(_caller(request), 40 + number),
        "sequence_number": str(number),
        "display_label": label,
        "api_name": name,
        "module": {"api_name": name, "id": _id(_caller(request), 31 + (*OWN, *FINANCE).index(name))},
        "name": label,
        "action": None,
        "href": f"{request.query_params['module']}/{{ENTITYID}}/{name}" if name in OWN else None,
        "type": "default" if name in OWN else "finance_suite",
        "connectedmodule": None,
        "linkingmodule": None,
        "status": "visible",
        "fields": [],
    }


async def org(request: Request) -> Response:
    caller = _caller(request)
    organization = caller.organization
    return Answer({"org": [{**_ORG, **_described(organization.model_dump()), "license_details": _license(caller)}]})


_ORG: Row = {
    "type": "production",
    "street": None,
    "city": None,
    "zip": None,
    "state": None,
    "phone": None,
    "website": None,
    "employee_count": None,
    "created_time": SINCE,
    "max_per_page": 200,
    "oauth_presence": True,
    "translation_enabled": False,
    "gapps_enabled": False,
}


def _described(organization: Row) -> Row:
    return {
        "id": organization["crm_id"],
        "zgid": organization["crm_id"],
        "company_name": organization["name"],
        "primary_email": f"owner@{organization['key']}.example",
        "country_code": organization["country_code"],
        "currency": organization["currency_code"],
        "iso_code": organization["currency_code"],
        "currency_symbol": organization["currency_symbol"],
        "time_zone": organization["time_zone"],
    }


def _license(caller: Caller) -> Row:
    return {
        "paid": True,
        "paid_type": caller.organization.edition,
        "paid_expiry": None,
        "trial_type": None,
        "trial_expiry": None,
        "users_license_purchased": 50,
    }


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _prefix(caller: Caller) -> str:
    return PREFIXES[caller.organization.key][2]


def _id(caller: Caller, number: int) -> str:
    return f"{_prefix(caller)}{number:015d}"


def _administers(request: Request) -> None:
    if not PROFILES[_caller(request).person.profile].administers:
        wanted = {"permissions": ["Crm_Implied_Manage_Profiles"]}
        raise Refusal(403, "NO_PERMISSION", "permission denied", details=wanted)


def _named_module(request: Request) -> str:
    module = request.query_params.get("module")
    if module is None:
        raise Refusal(
            400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", details={"param": "module"}
        )
    if module not in FIELDS:
        raise Refusal(400, "INVALID_MODULE", "The module name given seems to be invalid")
    return module


def _listed(key: str, rows: Sequence[Row]) -> Response:
    return Answer({key: list(rows)}) if rows else Response(status_code=EMPTY)


ROUTES = [
    Route("/users", users),
    Route("/users/{user}", user),
    Route("/settings/profiles", profiles),
    Route("/settings/profiles/{id}", profile),
    Route("/settings/roles", roles),
    Route("/settings/roles/{id}", roles),
    Route("/settings/modules", modules),
    Route("/settings/modules/{name}", modules),
    Route("/settings/fields", fields),
    Route("/settings/fields/{id}", fields),
    Route("/settings/related_lists", related_lists),
    Route("/org", org),
    *crm_records.ROUTES,
]
