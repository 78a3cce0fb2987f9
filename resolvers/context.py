"""What one request carries through the resolvers."""

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

from graphql import GraphQLError, GraphQLResolveInfo

from resolvers import ids
from resolvers.loaders import Loaders
from services import Services
from services.audit import Action, State
from services.documents import Module
from services.errand import Errand
from services.errors import Forbidden, GatewayError
from services.policy import FINANCE, Decision, Viewer


def forbidden(decision: Decision, coordinate: str) -> Forbidden:
    """The refusal of a field: what is missing, where, and who can grant it."""
    return Forbidden(
        f"You need the permission {decision.permission} to use {coordinate}.",
        hint=f"Ask {decision.granted_by}." if decision.granted_by else None,
        coordinate=coordinate,
        required=decision.permission,
        missingFrom=[source.name for source in decision.missing_from],
        grantedBy=decision.granted_by,
    )


@dataclass
class Context:
    """The services, the viewer and their errand; and the fields that were refused on the way."""

    services: Services
    viewer: Viewer
    errand: Errand
    errors: dict[tuple[Any, ...], GraphQLError] = field(default_factory=dict)
    """Errors that belong to a field rather than to a row, by its nodes and coordinate."""

    touched: set[Any] = field(default_factory=set)
    """The fields that were resolved, as the schema declares them."""

    @property
    def fresh(self) -> float:
        """How many seconds old an answer may be; 0 asks the products."""
        return self.errand.within

    @fresh.setter
    def fresh(self, seconds: float) -> None:
        self.errand.within = seconds

    @cached_property
    def loaders(self) -> Loaders:
        """The request's batches."""
        return Loaders(self.services, self.errand)

    def close(self) -> None:
        """The operation has been executed."""
        if "loaders" in self.__dict__:
            self.loaders.close()

    async def refuse_write(self, decision: Decision, coordinate: str) -> NoReturn:
        """Refuse a mutation: nothing is left of it but an audit event."""
        error = forbidden(decision, coordinate)
        product = FINANCE.get(decision.permission.partition(".")[0])
        action = Action(name=decision.permission, permission=decision.permission, product=product)
        told: dict[str, Any] = {"field": [], "message": error.message, "code": error.code, "hint": error.hint}
        event = await self.services.audit.record(self.errand, action, State.REJECTED, user_errors=[told], calls=())
        error.details["auditEventId"] = self.global_id("audit", event)
        raise error

    def refuse(self, decision: Decision, info: GraphQLResolveInfo[Any], coordinate: str) -> None:
        """Note once that a field node was refused, however many rows it stands in."""
        self.report(forbidden(decision, coordinate), info, coordinate)

    def report(
        self, error: Exception, info: GraphQLResolveInfo[Any], coordinate: str, module: str | None = None
    ) -> None:
        """Note an error of a field once, whatever the order of rows; the answer carries it beside its data."""
        key = (*map(id, info.field_nodes), coordinate, module)
        if key not in self.errors:
            if isinstance(error, GatewayError):  # a copy, since equal reads of several requests share one failure
                error, shared = copy(error), error.details
                error.details = (
                    shared | {"coordinate": coordinate} | ({"module": Module(module).name} if module else {})
                )
            self.errors[key] = GraphQLError(str(error), nodes=info.field_nodes, original_error=error)

    def global_id(self, kind: str, record_id: str) -> str:
        """The global id of a record of the viewer's organization."""
        return ids.encode(self.viewer.organization_id, kind, record_id)

    def record_id(self, kind: str, text: Any, *path: str) -> str:
        """The record id behind a client's global id; raises `BadUserInput` at `path`."""
        return ids.decode_as(self.viewer.organization_id, kind, str(text), field=path or ("id",))

    def any_id(self, text: Any, *path: str) -> tuple[str, str]:
        """(kind, record id) behind a client's global id of any kind; raises `BadUserInput` at `path`."""
        return ids.decode(self.viewer.organization_id, str(text), field=path or ("id",))
