"""What the parts of an operation count when its cost is told, as `@cost` and `@listSize` publish it.

The directives are those of IBM's GraphQL Cost Directives specification. Without them an object counts one point, a
scalar none.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_composite_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema_directive import Location

from resolvers.pagination import DEFAULT_FIRST
from schema.lookups import Lookup
from schema.permissions import Guarded

FIRST = "first"
"""The argument that says how many rows a page has."""
ROWS = ("nodes", "edges")
"""The fields of a page that are as long as it says."""
PAGE = DEFAULT_FIRST
"""Rows of a page where it is left out."""
UNPAGED: Mapping[str, int] = {
    "access": 2,
    "activities": 20,
    "availableActions": 8,
    "columns": 10,
    "components": 6,
    "customViews": 10,
    "dashboards": 2,
    "lineItems": 10,
    "permissions": 100,
    "products": 3,
    "reports": 20,
    "subscriptionAddons": 50,
    "subscriptionPlans": 50,
}
"""How long the lists without pages are taken to be, by the name of the field."""
OTHERWISE = 5
"""As long are the others."""
WRITE = 10
"""What a field of Mutation counts instead of one: a product is asked several times, and the audit kept."""
REPORT = 20
"""What running a report counts: it is reckoned from the whole copy."""
WEIGHTS: Mapping[str, int] = {"Report.run": REPORT, "DashboardComponent.result": REPORT}
"""What fields count instead of one, by coordinate."""


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
    description=(
        "What an object that this field gives counts towards `points` of `extensions.cost`, in place of one. Without "
        "it an object counts 1 and a scalar 0. What is selected below it is added. (GraphQL Cost Directives, IBM)"
    ),
)
class Cost:
    """The directive on the fields that count more than others."""

    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description=(
        "How many objects a list is taken to have when an operation's cost is told before it is executed: as many as a "
        "slicing argument says, which is a number or a list; otherwise as many as are assumed. With `sizedFields` it "
        "is these fields of the object that are so long. (GraphQL Cost Directives, IBM)"
    ),
)
class ListSize:
    """The directive on every list of objects, and on every page."""

    assumed_size: int | None
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = strawberry.UNSET


def weights(schema: GraphQLSchema) -> Mapping[str, Lookup]:
    """What fields count beside the objects that they give, by coordinate."""
    return {coordinate: Lookup(coordinate, weight - 1, each=True) for coordinate, weight in _weights(schema).items()}


def publish(schema: GraphQLSchema) -> None:
    """Have each field say what it counts, where that is not plain."""
    weighed = _weights(schema)
    for coordinate, declared in _fields(schema):
        own: Any = (declared.extensions or {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if isinstance(own, Guarded) and not any(isinstance(one, Cost | ListSize) for one in own.directives):
            cost = [Cost(weight=str(weighed[coordinate]))] if coordinate in weighed else []
            size = _size(coordinate, declared)
            own.directives = [*own.directives, *cost, *([size] if size else [])]


def _weights(schema: GraphQLSchema) -> Mapping[str, int]:
    written = schema.mutation_type.fields if schema.mutation_type else ()
    return {**WEIGHTS, **{f"Mutation.{name}": WRITE for name in written}}


def _fields(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    for parent in schema.type_map.values():
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((f"{parent.name}.{name}", declared) for name, declared in parent.fields.items())


def _size(coordinate: str, declared: GraphQLField) -> ListSize | None:
    """What a field says of its length; None for one that is no list, and for the rows of a page, which it knows."""
    parent, _, name = coordinate.partition(".")
    if FIRST in declared.args:
        return ListSize(
            assumed_size=PAGE, slicing_arguments=[FIRST], sized_fields=[*ROWS], require_one_slicing_argument=False
        )
    if not _is_list(declared.type) or not is_composite_type(get_named_type(declared.type)):
        return None
    if name in ROWS and parent.endswith("Connection"):
        return None
    told = [key for key, argument in declared.args.items() if _is_list(argument.type)]
    assumed = UNPAGED.get(name, OTHERWISE)
    return (
        ListSize(assumed_size=assumed, slicing_arguments=told, require_one_slicing_argument=False)
        if told
        else ListSize(assumed_size=assumed)
    )


def _is_list(type_: Any) -> bool:
    return isinstance(get_nullable_type(type_), GraphQLList)
