"""Requests that are not executed, and the statuses of HTTP that say so."""

from collections.abc import Mapping

from strawberry.types.graphql import OperationType

from gateway.http.door import Busy
from gateway.http.introspection import Closed
from gateway.trusted.trust import Unknown, Unregistered, Untrusted
from services.errors import BadUserInput, DeadlineExceeded, Forbidden, GatewayError, LimitReached
from services.pace import TooFast


class Unacceptable(BadUserInput):
    """The answer is application/graphql-response+json or application/json; the request accepts neither."""


class Unsupported(BadUserInput):
    """The body of a request must be application/json in UTF-8."""


class NotByGet(BadUserInput):
    """Only queries can be sent by GET."""


class NoGet(BadUserInput):
    """Operations are sent by POST here."""


class LiveElsewhere(BadUserInput):
    """Live operations are not served over plain HTTP requests."""


class ForeignPage(Forbidden):
    """The page that sends this may not do so."""


class TooLarge(LimitReached):
    """The request is too large."""


class TooSlow(DeadlineExceeded):
    """The request did not arrive in time."""


NOT_HERE: Mapping[OperationType, type[GatewayError]] = {
    OperationType.MUTATION: NotByGet,
    OperationType.SUBSCRIPTION: LiveElsewhere,
}
STATUS: Mapping[type[GatewayError], int] = {
    Unsupported: 415,
    NotByGet: 405,
    NoGet: 405,
    TooLarge: 413,
    TooSlow: 408,
    ForeignPage: 403,
    Untrusted: 403,
    Closed: 403,
    Unknown: 404,
    Unregistered: 404,
    Busy: 429,
    TooFast: 429,
}
"""Of the others, `answer.status_of` tells."""
