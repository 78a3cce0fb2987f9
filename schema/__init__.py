"""The contract."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.kinds import Estimate, Invoice, PurchaseOrder, SalesOrder, Subscription
from schema.mutation import Mutation
from schema.permissions import NodeErrors
from schema.query import Query
from schema.scalars import SCALARS

schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    types=[Estimate, Invoice, SalesOrder, PurchaseOrder, Subscription],
    extensions=[NodeErrors],
    config=StrawberryConfig(scalar_map=SCALARS),
)
