"""A schema of everything that an executor must know: types of all kinds, fields of all kinds, null at every place."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Annotated, Any, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from resolvers.relations import Attribute, Derived, Full, MoneyOf, One, Reporting
from schema.permissions import Argument, Epilogue, field, guarded, interface, required
from services.errors import BadUserInput
from tests.fuzz.world import Later, Record

Code = NewType("Code", str)
Anything = NewType("Anything", object)
T = TypeVar("T")


class Told:
    """Objects of a world are known by the name of their kind."""

    @classmethod
    def is_type_of(cls, record: object, _info: object) -> bool:
        return getattr(record, "kind", None) == cls.__name__


def told(record: Any, name: str, /, **arguments: Any) -> T:  # type: ignore[type-var]  # only the field knows its type
    """Of the type that the field is declared to have, and wrong at times."""
    answer: T = record.world.told(record, name, arguments)
    return answer


def later(record: Any, name: str, /, **arguments: Any) -> Awaitable[T]:
    answer: Awaitable[T] = record.world.later(record, name, arguments)
    return answer


def _written(value: Any) -> str:
    if not isinstance(value, str) or value.startswith("bad"):
        raise ValueError(f"{value!r} is no code")
    return value.upper()


def _read(value: Any) -> str:
    if not isinstance(value, str):
        raise BadUserInput(f"{value!r} is no code.", hint="Write a string.")
    if value == "refused":
        raise ValueError("refused")
    return value.casefold()


SCALARS: dict[object, Any] = {
    Code: strawberry.scalar(name="Code", serialize=_written, parse_value=_read),
    Anything: strawberry.scalar(name="Anything", serialize=lambda value: value, parse_value=lambda value: value),
}


@strawberry.enum
class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"
    ODD = 3


@strawberry.input
class Range:
    least: int = 1
    most: int | None = None
    of: list[Shade] | None = strawberry.UNSET


@strawberry.input
class Search:
    text: str
    code: Code | None = None
    ranges: list[list[Range]] | None = None
    within: Range | None = strawberry.field(default_factory=Range)
    either: list["Search"] | None = strawberry.UNSET
    exact: bool = False
    weight: float | None = 0.5


@strawberry.type
class Point:
    x: float
    y: float | None
    tags: list[str]


@strawberry.interface
class Named:
    name: str
    nick: str | None

    @strawberry.field
    def label(self, upper: bool = False, times: int | None = None) -> str:
        return told(self, "label", upper=upper, times=times)


@strawberry.interface
class Placed(Named):
    place: Point | None

    @strawberry.field
    async def near(self, first: int = 2) -> list["Placed"]:
        return await later(self, "near", first=first)


@strawberry.type
class Shop(Told, Placed):
    shade: Shade | None
    shades: list[Shade | None]
    codes: list[Code] | None
    grid: list[list[int]]
    sparse: list[list[int | None] | None] | None
    open: bool
    owner: Annotated["Person | Shop", strawberry.union("Owner")]

    @strawberry.field
    async def staff(self, search: Search | None = None) -> list["Person"] | None:
        return await later(self, "staff", search=search)

    @strawberry.field
    def wares(self, ids: list[strawberry.ID] | None = None, page: int = 1) -> list["Ware | None"] | None:
        return told(self, "wares", ids=ids, page=page)


@strawberry.type
class Depot(Told, Placed):
    size: int | None
    code: Code | None
    stock: list["Kept"] | None
    shops: list[list[Shop | None]]

    @strawberry.field
    async def chief(self) -> "Person":
        return await later(self, "chief")

    @strawberry.field
    def deputy(self) -> "Person":
        return told(self, "deputy")


@strawberry.type
class Person(Told, Named):
    id: strawberry.ID
    age: int
    height: float | None
    notes: Anything | None
    home: Point
    friends: list["Person"]
    boss: "Person | None"

    @strawberry.field
    async def works(self, shade: Shade | None = Shade.DARK) -> Placed | None:
        return await later(self, "works", shade=shade)

    @strawberry.field
    async def salary(self, code: Code) -> int:
        return await later(self, "salary", code=code)

    @strawberry.field
    def seen(self, ranges: list[Range | None] | None = None, by: strawberry.ID | None = None) -> list[Named | None]:
        return told(self, "seen", ranges=ranges, by=by)


@guarded("public", description="An amount.")
class Money:
    amount: str = field("public")
    currency: str | None = field("public")
    formatted: str = field(
        "public",
        Derived(lambda money, _, locale=None: f"{money.amount} {money.currency} {locale}"),
        args={"locale": Argument(str | None, "A locale.")},
    )

    @classmethod
    def is_type_of(cls, record: object, _info: object) -> bool:
        return hasattr(record, "currency")


@interface("What is kept in a depot.")
class Kept:
    id: strawberry.ID = field("*.view")
    number: str | None = field("*.view.number")
    price: Money | None = field("*.view.total", MoneyOf("amount"))
    maker: "Person | None" = field("*.view.customer", One("people", "maker_id"))
    parts: list["Ware"] | None = field("*.view.lineItems", Full(Attribute("parts")))


def _derived(name: str) -> Derived:
    """Computed, and so computed again at will: no call that counts."""
    return Derived(lambda record, _context, **arguments: record.world.derived(record, name, arguments))


def _sync(name: str) -> Callable[..., Any]:
    return lambda record, _context, **arguments: told(record, name, **arguments)


def _async(name: str) -> Callable[..., Awaitable[Any]]:
    return lambda record, _context, **arguments: later(record, name, **arguments)


def _same(record: Record, _context: Any) -> Record:
    """The record once more, as another object each time."""
    return Record(record.kind, record.key, record.world)


def _partial(record: Record, context: Any, *, info: Any, first: int = 1) -> Any:
    if record.world.turns(record.key) == 0:
        context.report(BadUserInput("Some are missing."), info, f"{info.parent_type.name}.{info.field_name}")
    return later(record, "sold", first=first)


@guarded("invoices.view", description="A ware.")
class Ware(Told, Kept):
    id: strawberry.ID = field("invoices.view")
    number: str | None = field("invoices.view.number")
    price: Money | None = field("invoices.view.total")
    maker: "Person | None" = field("invoices.view.customer")
    parts: list["Ware"] | None = field("invoices.view.lineItems")
    shade: Shade | None = field("invoices.view.status")
    terms: str = field("invoices.view.terms", Full(Derived(lambda record, _: record.notes)))
    notes: str | None = field("invoices.view.notes", Full(Attribute("notes")))
    self: "Ware" = field("public", Derived(_same))
    depot: Depot | None = field("invoices.view.account", _async("depot"), args={"first": Argument(int | None, "Of.")})
    tax: int | None = field(
        "invoices.view.taxTotal",
        _derived("tax"),
        args={"search": Argument(Search | None, "Which."), "by": Argument(int, "", 3)},
    )
    sold: list[Shop | None] = field("public", Reporting(_partial), args={"first": Argument(int, "How many.", 1)})


@guarded("estimates.view", description="Wares together.")
class Bundle(Told, Kept):
    id: strawberry.ID = field("estimates.view")
    number: str | None = field("estimates.view.number")
    price: Money | None = field("estimates.view.total")
    maker: "Person | None" = field("estimates.view.customer")
    parts: list["Ware"] | None = field("estimates.view.lineItems")
    rows: list[list[Ware] | None] | None = field("estimates.view.notes", _async("rows"))
    like: Kept | None = field("estimates.view.terms", _derived("like"))


Found = Annotated[Depot | Point | Ware | Person, strawberry.union("Found")]


def _standalone(root: Record, x: int = 5) -> int | None:
    return told(root, "standalone", x=x)


@guarded("public", description="What can be asked.")
class Query:
    title: str
    shop: Shop | None
    shops: list[Shop]
    point: Point | None
    standalone: int | None = strawberry.field(resolver=_standalone)

    @strawberry.field
    async def named(self, name: str = "x", shade: Shade | None = None) -> Named | None:
        return await later(self, "named", name=name, shade=shade)

    @strawberry.field
    async def found(self, search: Search, codes: list[Code] | None = None) -> list[Found | None]:
        return await later(self, "found", search=search, codes=codes)

    @strawberry.field
    def depots(self, first: int | None = None, range: Range | None = None) -> list[Depot] | None:  # noqa: A002
        return told(self, "depots", first=first, range=range)

    @strawberry.field
    async def people(self, weights: list[list[float]] | None = None) -> list["Person | None"] | None:
        return await later(self, "people", weights=weights)

    @strawberry.field
    async def must(self, id: strawberry.ID = strawberry.ID("7")) -> Person:  # noqa: A002, B008
        return await later(self, "must", id=id)

    @strawberry.field
    def informed(self, info: strawberry.Info) -> str:
        return info.field_name

    wares: list[Ware] | None = field("invoices.view", _async("wares"), args={"first": Argument(int | None, "Of.")})
    kept: list[Kept | None] | None = field("public", _async("kept"), args={"where": Argument(Search | None, "Which.")})
    ware: Ware | None = field("invoices.view", _sync("ware"), args={"id": required(strawberry.ID, "Its id.")})
    bundle: Bundle = field("estimates.view", _async("bundle"))


@guarded("public", description="What can be done.")
class Mutation:
    @strawberry.mutation
    async def build(self, search: Search, code: Code | None = None) -> Depot | None:
        return await later(self, "build", search=search, code=code)

    @strawberry.mutation
    def hire(self, shade: Shade = Shade.LIGHT) -> Person:
        return told(self, "hire", shade=shade)

    @strawberry.mutation
    async def count(self, by: int = 1) -> int:
        return await later(self, "count", by=by)

    sell: Ware | None = field("invoices.edit", _async("sell"), args={"id": required(strawberry.ID, "Which.")})
    pack: Bundle = field("estimates.create", _sync("pack"), args={"first": Argument(int | None, "How many.")})


class Quiet(strawberry.Schema):
    """Logs no errors: they are what this is about."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave them to the comparison."""


schema = Quiet(
    query=Query,
    mutation=Mutation,
    types=[Shop, Depot, Person, Ware, Bundle],
    extensions=[Epilogue],
    config=StrawberryConfig(scalar_map=SCALARS),
)
PLAIN = {"Point": Point}
OUTPUTS: dict[str, tuple[Any, ...]] = {
    "Code": ("a", "ß", "code", "x"),
    "Anything": (None, 1, {"b": [1, {"a": None}], "a": 2}, [1, "x"], "text", False),
}
HIDDEN: dict[str, tuple[Any, ...]] = {
    "complete": (True, False),
    "amount": ("1.50", "0", "12", None, Later("3", 1)),
    "currency_code": ("EUR", "USD", None),
    "maker_id": ("0", "1", "2", "3", None),
}
