"""Refusals of the products; app.py gives them each product's body shape."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """`code` is a number for Books and Billing, a word for CRM; `details` is used by CRM only."""

    def __init__(
        self,
        status: int,
        code: int | str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})


NUMBERED: dict[int, tuple[int, str]] = {
    2: (400, "Invalid value passed."),
    4: (400, "The value is already in use."),
    5: (404, "Invalid URL Passed"),
    6: (400, "Invalid reference to a resource."),
    11: (400, "Invalid or missing JSON body."),
    14: (401, "Invalid auth token."),
    36: (400, "The record has dependent transactions and cannot be deleted."),
    37: (405, "The HTTP method is not allowed for this URL."),
    44: (429, "The organization has exceeded its number of requests per minute. Try again after some time."),
    45: (429, "The organization has exceeded its number of requests per day."),
    57: (401, "You are not authorized to perform this operation"),
    1000: (500, "Internal error."),
    1002: (404, "The record does not exist."),
    1004: (400, "The record has transactions and cannot be deleted."),
    1070: (429, "The organization has too many requests in process."),
    4016: (400, "Add at least one line item."),
    6041: (400, "This user is not associated with the CompanyID/CompanyName."),
}
"""Code → HTTP status and message, as clients of Books and Billing have met them."""

WRONG_STATUS = 1038
"""For what the record's status does not allow: an assumption, no source names Zoho's own code."""


def refused(code: int, message: str | None = None, *, status: int | None = None) -> Refusal:
    """A Books or Billing refusal; status and message default to the code's own."""
    own_status, own_message = NUMBERED.get(code, (400, "The request was refused."))
    return Refusal(status or own_status, code, message or own_message)


class Broken(Exception):
    """The connection fails instead of answering: `refuse`, `black_hole` or `hang_up`."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how
