"""What an operation is executed with."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from strawberry.types.graphql import OperationType


@dataclass(frozen=True, slots=True)
class Request:
    """Variables as the client sent them, the context, the root value and what may be executed."""

    variables: dict[str, Any] | None
    context: Any
    root: Any
    allowed: Iterable[OperationType]
