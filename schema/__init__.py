"""The contract."""

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.extensions.directives import DirectivesExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types import ExecutionContext

from schema.errors import declare
from schema.freshness import Freshness, fresh
from schema.integration import IntegrationUser
from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.limits import publish
from schema.live import Live
from schema.mutation import Mutation
from schema.permissions import Epilogue
from schema.query import Query
from schema.scalars import SCALARS

declare(reads=(Query, Live), writes=(Mutation,))


class Names(NameConverter):
    """Connections and edges of `FinanceDocument` are called `DocumentConnection` and `DocumentEdge`."""

    def get_name_from_type(self, type_: Any) -> str:
        """The part of a generic type's name that its parameter gives."""
        return super().get_name_from_type(type_).removeprefix("Finance")


class Schema(strawberry.Schema):
    """Says nothing of errors itself: whoever executes an operation knows which of them are unexpected."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave them to the endpoint."""

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:  # Strawberry's own
        """Without the one that would look for directives on every field: ours stand on operations only."""
        return [one for one in super().get_extensions(sync) if not isinstance(one, DirectivesExtension)]


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Live,
    types=[Estimate, Invoice, SalesOrder, PurchaseOrder, Subscription, IntegrationUser],
    directives=[fresh],
    extensions=[Freshness, Epilogue],
    config=StrawberryConfig(scalar_map=SCALARS, name_converter=Names()),
)
publish(schema._schema)  # noqa: SLF001 - Strawberry gives no other way to it
