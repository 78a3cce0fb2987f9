"""Which of the two media types of GraphQL over HTTP an answer has."""

from collections.abc import Iterator
from functools import lru_cache

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"
EVENTS = "text/event-stream"
OFFERED = (GRAPHQL, JSON)
MOST_RANGES = 50
"""Of an Accept header; what comes after them is not read, since anybody may send it."""


@lru_cache(maxsize=256)
def chosen(accept: str | None) -> str | None:
    """The offered type that the client likes best; None when it takes neither. Without a wish it is GraphQL's own."""
    if not accept or not accept.strip():
        return GRAPHQL
    ranges = list(_ranges(accept))
    best = max(OFFERED, key=lambda media: _liking(media, ranges))
    return best if _liking(best, ranges) > (0, 0) else None


@lru_cache(maxsize=256)
def wants_page(accept: str | None) -> bool:
    """Whether a browser asks for a page to read."""
    return any(media == HTML and quality for media, quality in _ranges(accept or ""))


@lru_cache(maxsize=256)
def wants_events(accept: str | None) -> bool:
    """Whether server-sent events are wished for before an answer at once."""
    named = [(quality, media) for media, quality in _ranges(accept or "") if media in (EVENTS, *OFFERED) and quality]
    return max(named, key=lambda wish: wish[0], default=(0.0, ""))[1] == EVENTS


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for item in accept.lower().split(",", MOST_RANGES)[:MOST_RANGES]:
        media, *parameters = (part.strip() for part in item.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        yield media, _number(quality)


def _number(quality: str) -> float:
    try:
        return min(1.0, max(0.0, float(quality)))
    except ValueError:
        return 0.0


def _liking(media: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Quality, then how exactly it was named; an exact name decides over a wildcard."""
    for precision, pattern in ((2, media), (1, "application/*"), (0, "*/*")):
        for named, quality in ranges:
            if named == pattern:
                return quality, precision if quality else 0
    return 0.0, 0
