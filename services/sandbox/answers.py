"""Answers whose JSON keeps every digit, and the shape of a refusal in each product."""

from typing import Any

from starlette.responses import JSONResponse

from services.sandbox import exact
from services.sandbox.errors import Refusal


class Answer(JSONResponse):
    """A JSON answer; its content may hold Decimals, which become numbers."""

    def render(self, content: Any) -> bytes:
        return exact.encode(content).encode()


def refusal(product: str, refused: Refusal) -> Answer:
    return Answer(_body(product, refused), refused.status, refused.headers)


def _body(product: str, refused: Refusal) -> dict[str, Any]:
    if product == "crm":
        code, details = refused.code, refused.details
        return {"code": code, "details": details, "message": refused.message, "status": "error"}
    if product == "accounts":
        return {"error": refused.code, "error_description": refused.message, "status": "failure"}
    return {"code": refused.code, "message": refused.message}
