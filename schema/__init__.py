"""The contract."""

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types import ExecutionContext

from schema.integration import IntegrationUser
from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.live import Live
from schema.mutation import Mutation
from schema.permissions import Epilogue
from schema.query import Query
from schema.scalars import SCALARS


class Names(NameConverter):
    """Connections and edges of `FinanceDocument` are called `DocumentConnection` and `DocumentEdge`."""

    def get_name_from_type(self, type_: Any) -> str:
        """The part of a generic type's name that its parameter gives."""
        return super().get_name_from_type(type_).removeprefix("Finance")


class Schema(strawberry.Schema):
    """Says nothing of errors itself: whoever executes an operation knows which of them are unexpected."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave them to the endpoint."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Live,
    types=[Estimate, Invoice, SalesOrder, PurchaseOrder, Subscription, IntegrationUser],
    extensions=[Epilogue],
    config=StrawberryConfig(scalar_map=SCALARS, name_converter=Names()),
)
