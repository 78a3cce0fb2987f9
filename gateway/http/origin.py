"""Pages of which sites may have a browser send something here.

Nothing here is done on the strength of a cookie: who calls is told by an Authorization header, which a page cannot
have sent to another site unless that site agrees beforehand. Should something on the way add the header by itself (a
proxy that signs people in, client certificates), what browsers say of a request's origin still stops foreign pages.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

ANY = "*"
OWN = frozenset({"same-origin", "none"})
"""What browsers say in Sec-Fetch-Site of a request from our own page, and from nobody's page."""


def is_foreign(headers: Headers, origins: Collection[str]) -> bool:
    """Whether the page that has this sent is neither our own nor of one of these origins."""
    origin = headers.get("origin")
    if origin is not None:
        return not ({origin, ANY} & set(origins) or _host(origin) == headers.get("host"))
    return headers.get("sec-fetch-site", "none") not in OWN


def origin_of(url: str) -> str:
    """The origin of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
