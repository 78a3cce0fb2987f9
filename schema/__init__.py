"""The contract."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.mutation import Mutation
from schema.permissions import NodeErrors
from schema.query import Query
from schema.scalars import SCALARS


class Schema(strawberry.Schema):
    """Says nothing of errors itself: whoever executes an operation knows which of them are unexpected."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave them to the endpoint."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Estimate, Invoice, SalesOrder, PurchaseOrder, Subscription],
    extensions=[NodeErrors],
    config=StrawberryConfig(scalar_map=SCALARS),
)
