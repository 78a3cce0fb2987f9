"""`@permission(requires:)`: one string on every field, published in the schema and enforced from there.

The decision is made once for each field of an operation, never for each row: `Viewer.decide` remembers it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

import strawberry
from graphql import GraphQLNonNull, OperationType
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import SchemaExtension
from strawberry.schema_directive import Location
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from resolvers.context import Context, forbidden
from resolvers.relations import Attribute, Full, Reporting, Source
from services.policy import PUBLIC
from services.usage import Touch


@strawberry.schema_directive(
    locations=[Location.OBJECT, Location.FIELD_DEFINITION, Location.INPUT_FIELD_DEFINITION],
    name="permission",
    description=(
        "The permission that the viewer must hold: `module.action` or `module.action.field`. `public` needs none "
        "beyond being signed in. `*` stands for the module of the record: on an interface, each implementing type "
        "says its own."
    ),
)
class Permission:
    """The directive on every field of the schema."""

    requires: str


PERMISSIONS: set[str] = set()
"""Every permission that the schema asks for, so that a viewer can be told which of them they hold."""


def _published(requires: str) -> str:
    if requires != PUBLIC and not requires.startswith("*"):
        PERMISSIONS.add(requires)
    return requires


def UNNAMED(_record: Any, _context: Context) -> Any:  # stands where a source will
    """The source of a field whose class has not named it yet."""
    raise NotImplementedError


class Guarded(StrawberryField):
    """A field that states its permission and where its value comes from."""

    requires: str
    source: Source
    coordinate: str = ""

    def __copy__(self) -> Self:
        """Carry the statement along when Strawberry specializes a generic type."""
        copied = super().__copy__()
        copied.requires, copied.source, copied.coordinate = self.requires, self.source, self.coordinate
        return copied

    @property
    def is_basic_field(self) -> bool:
        """Never: even an attribute is read only by those who may."""
        return False

    def granted(self, context: Context) -> bool:
        """Whether the viewer may use it."""
        return context.viewer.decide(self.requires).granted

    def touch(self, context: Context) -> None:
        """Note that the viewer used it."""
        context.touched.add(self)

    def refuse(self, context: Context, info: Any) -> None:
        """Note once for a field node that it was refused."""
        context.refuse(context.viewer.decide(self.requires), info, f"{info.parent_type.name}.{info.field_name}")

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:  # noqa: ARG002
        """Give the value to those who may have it.

        Inside records a refused field is null and named once in the errors; at the root, and where null is not
        allowed, the refusal is raised with its path; of a mutation it is recorded as well.
        """
        raw = info._raw_info  # noqa: SLF001  # Strawberry's Info hides the parent type
        if self.granted(info.context):
            self.touch(info.context)
            told = {"info": raw} if isinstance(self.source, Reporting) else {}
            return self.source(source, info.context, **kwargs, **told)
        decision = info.context.viewer.decide(self.requires)
        coordinate = f"{raw.parent_type.name}.{raw.field_name}"
        if raw.operation.operation is OperationType.MUTATION and raw.path.prev is None:
            return info.context.refuse_write(decision, coordinate)
        if raw.path.prev is None or isinstance(raw.return_type, GraphQLNonNull):
            raise forbidden(decision, coordinate)
        self.refuse(info.context, raw)
        return None


def field(
    requires: str,
    source: Source | str | None = None,
    *,
    description: str = "",
    args: Mapping[str, "Argument"] | None = None,
    name: str | None = None,
    deprecation_reason: str | None = None,
    live: bool = False,
) -> Any:
    """A guarded output field.

    `source` defaults to the attribute of the field's own name; a text names another one. In a class made by
    `guarded` or `interface`, what is left out is taken from the interface's field of the same name.
    """
    made = Guarded(
        graphql_name=name,
        description=description or None,
        directives=[Permission(requires=requires)],
        deprecation_reason=deprecation_reason,
        is_subscription=live,
    )
    made.requires = _published(requires)
    made.source = Attribute(source) if isinstance(source, str) else source or UNNAMED
    made.arguments = [argument.named(key) for key, argument in (args or {}).items()]
    return made


LOOKED_UP = "In lists this takes a look-up of each record."
T = TypeVar("T")


def guarded(requires: str, *, description: str) -> Callable[[type[T]], type[T]]:
    """A GraphQL object type. What its fields leave out is taken from its interfaces; then from the field's own name."""

    def made(cls: type[T]) -> type[T]:
        for name, own in vars(cls).items():
            if isinstance(own, Guarded):
                own.coordinate = f"{cls.__name__}.{own.graphql_name or to_camel_case(name)}"
                _complete(own, name, cls.__mro__[1:])
        return strawberry.type(cls, description=description, directives=[Permission(requires=requires)])

    return made


def interface(description: str) -> Callable[[type[T]], type[T]]:
    """A GraphQL interface; its fields' permissions begin with `*`, each implementing type says its own."""

    def made(cls: type[T]) -> type[T]:
        for name, own in vars(cls).items():
            if isinstance(own, Guarded):
                _complete(own, name, cls.__mro__[1:])
        return strawberry.interface(cls, description=description)

    return made


def _complete(own: Guarded, name: str, bases: Iterable[type]) -> None:
    inherited = next((f for base in bases for f in _fields(base) if f.python_name == name), None)
    if own.source is UNNAMED:
        own.source = inherited.source if inherited else Attribute(name)
    own.description = own.description or (inherited.description if inherited else None)
    if isinstance(own.source, Full) and own.description and LOOKED_UP not in own.description:
        own.description = f"{own.description} {LOOKED_UP}"
    if inherited and not own.arguments:
        own.arguments = inherited.arguments


def _fields(base: type) -> list[Guarded]:
    definition = getattr(base, "__strawberry_definition__", None)
    return [f for f in definition.fields if isinstance(f, Guarded)] if definition else []


class Argument:
    """An argument of a field: its type, description and default."""

    def __init__(self, annotation: Any, description: str, default: Any = None) -> None:
        self.annotation = annotation
        self.description = description
        self.default = default

    def named(self, python_name: str) -> StrawberryArgument:
        """Strawberry's own form of it."""
        return StrawberryArgument(
            python_name=python_name,
            graphql_name=None,
            type_annotation=StrawberryAnnotation(self.annotation),
            description=self.description,
            default=self.default,
        )


def required(annotation: Any, description: str) -> Argument:
    """An argument that must be given."""
    return Argument(annotation, description, default=strawberry.UNSET)


def given(requires: str, *, description: str, optional: bool = True, name: str | None = None) -> Any:
    """An input field: who may set it. Left out means unchanged, null means cleared."""
    return strawberry.field(
        name=name,
        description=description,
        directives=[Permission(requires=_published(requires))],
        **({"default": strawberry.UNSET} if optional else {}),
    )


def requirement(of: StrawberryField) -> str | None:
    """The permission that a field states; None where it states none."""
    return next((directive.requires for directive in of.directives if isinstance(directive, Permission)), None)


class Epilogue(SchemaExtension):
    """After an operation: adds the errors that were noted for field nodes, and notes what the viewer used."""

    def on_operation(self) -> Iterator[None]:
        """After execution by graphql-core."""
        yield
        context = self.execution_context.context
        self.conclude(context, self.execution_context.result, self.noted(context.touched))

    @staticmethod
    def begin(_context: Context, _operation: Any, _variables: Any) -> None:
        """Nothing comes before."""

    @staticmethod
    def noted(touched: Iterable[Guarded]) -> Touch:
        """What is kept of the fields that an operation touched."""
        return frozenset((field.coordinate, field.requires) for field in touched)

    @staticmethod
    def conclude(context: Context, result: Any, noted: Touch) -> None:
        """Whatever the executor."""
        context.services.usage.note(context.viewer, noted)
        if context.errors and hasattr(result, "errors"):
            result.errors = [*(result.errors or []), *context.errors.values()]
