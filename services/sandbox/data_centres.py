"""Zoho's data centres and the addresses they are reached at."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DataCentre:
    """`location` is how the redirect after consent names it."""

    name: str
    location: str
    api_host: str
    accounts_host: str


DATA_CENTRES: Mapping[str, DataCentre] = {
    centre.name: centre
    for centre in (
        DataCentre("com", "us", "www.zohoapis.com", "accounts.zoho.com"),
        DataCentre("eu", "eu", "www.zohoapis.eu", "accounts.zoho.eu"),
        DataCentre("in", "in", "www.zohoapis.in", "accounts.zoho.in"),
        DataCentre("com.au", "au", "www.zohoapis.com.au", "accounts.zoho.com.au"),
        DataCentre("jp", "jp", "www.zohoapis.jp", "accounts.zoho.jp"),
        DataCentre("ca", "ca", "www.zohoapis.ca", "accounts.zohocloud.ca"),
        DataCentre("sa", "sa", "www.zohoapis.sa", "accounts.zoho.sa"),
        DataCentre("com.cn", "cn", "www.zohoapis.com.cn", "accounts.zoho.com.cn"),
        DataCentre("uk", "uk", "www.zohoapis.uk", "accounts.zoho.uk"),
    )
}

PRODUCTS: Mapping[str, str] = {"/books/v3": "books", "/billing/v1": "billing", "/crm/v8": "crm"}


@dataclass(frozen=True)
class Place:
    """Where a request arrives: a data centre's `accounts`, one of its products, or the sandbox's own `sandbox`.

    `path` is what remains below that, without a trailing slash; `api` and `accounts` are base URLs as the client
    reaches them.
    """

    centre: DataCentre
    product: str
    path: str
    full_path: str
    api: str
    accounts: str


def place(scheme: str, host: str, path: str) -> Place | None:
    """None for an address at which nothing is served."""
    path = path.rstrip("/")
    known = _BY_HOST.get(host.partition(":")[0])
    if known:
        centre, service = known
        return _placed(centre, service, path, f"https://{centre.api_host}", f"https://{centre.accounts_host}")
    _, name, service, rest = (path + "///").split("/", 3)
    origin = f"{scheme}://{host}"
    if name == "sandbox":
        return Place(DATA_CENTRES["eu"], "sandbox", path.removeprefix("/sandbox"), path, origin, origin)
    if name not in DATA_CENTRES:
        return None
    base = f"{origin}/{name}"
    return _placed(DATA_CENTRES[name], service, f"/{rest.rstrip('/')}", f"{base}/api", f"{base}/accounts")


def _placed(centre: DataCentre, service: str, path: str, api: str, accounts: str) -> Place | None:
    if service == "accounts":
        return Place(centre, "accounts", path, path, api, accounts)
    if service != "api":
        return None
    root = "/".join(path.split("/", 3)[:3])
    product = PRODUCTS.get(root)
    return Place(centre, product, path.removeprefix(root), path, api, accounts) if product else None


_BY_HOST: Mapping[str, tuple[DataCentre, str]] = {
    host: (centre, service)
    for centre in DATA_CENTRES.values()
    for host, service in ((centre.api_host, "api"), (centre.accounts_host, "accounts"))
}
