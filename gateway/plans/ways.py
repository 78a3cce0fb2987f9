"""How a field's value is had, as text for the compiler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from inspect import iscoroutinefunction
from keyword import iskeyword
from typing import Any, Protocol, runtime_checkable

from strawberry import Schema
from strawberry.types.field import StrawberryField

from gateway.plans.shape import Field, Uncompiled


class Kind(Enum):
    """What the compiler has to reckon with."""

    INLINE = "a pure expression"
    CALL = "may have effects, and may be awaitable"
    WAIT = "a coroutine"


@dataclass(frozen=True, slots=True)
class Way:
    """An expression over `{record}`, `{context}`, `{arguments}`, `{info}`, `{place}` and `names`."""

    kind: Kind
    template: str
    names: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    """Of a value that is put together: an expression for each of its attributes; it is null where one of them is."""


@runtime_checkable
class Link(Protocol):
    """From a record to another one, which may be at hand or is loaded in a batch."""

    def at_hand(self, record: Any) -> Any:
        """The other record where the record already has it, else None."""

    def key(self, record: Any) -> Any:
        """What to ask the loader for; None where there is no other record."""

    def loader(self, record: Any, context: Any) -> Any:
        """The loader (aiodataloader) that knows it."""


@runtime_checkable
class ByClass(Protocol):
    """An `is_type_of` that is true of the instances of a class, and of nothing else."""

    record_class: type


@dataclass(frozen=True, slots=True)
class Through:
    """A value that is read off a linked record."""

    link: Link
    way: "Way | Through"


@runtime_checkable
class Gated(Protocol):
    """A field that says where its value comes from and takes a permission, decided once a request."""

    requires: str
    source: Callable[..., Any]

    def granted(self, context: Any) -> bool:
        """Whether the field may be used."""

    def touch(self, context: Any) -> None:
        """Note that the field was used."""

    def refuse(self, context: Any, place: Any) -> None:
        """Note once that a field inside records was refused; its value is null."""


def way(asked: Field, schema: Schema, *, at_root: bool) -> Way | Through:
    """How a field gets its value; raises `Uncompiled` for what only graphql-core can do."""
    own = asked.own
    if own.extensions:
        raise Uncompiled(f"{asked.coordinate} has extensions")
    if isinstance(own, Gated):
        return of_source(own.source)
    if type(own).get_result is not StrawberryField.get_result:
        raise Uncompiled(f"{asked.coordinate} has a way of its own")
    if own.base_resolver is None:
        return _attribute(own.python_name, schema)
    return _resolver(asked, schema, at_root=at_root)


def of_source(source: Any) -> Way | Through:
    """How a source gives its value: what it declares, else by a call."""
    if isinstance(getattr(source, "link", None), Link):
        return Through(source.link, of_source(source.source))
    if hasattr(source, "template"):
        return Way(Kind.INLINE, source.template, source.names, getattr(source, "parts", {}))
    reports = ", info={place}" if getattr(source, "reports", False) else ""
    called = f"{{source}}({{record}}, {{context}}{{arguments}}{reports})"
    return Way(_kind(getattr(source, "function", source)), called, {"source": source})


def _kind(function: Any) -> Kind:
    return Kind.WAIT if iscoroutinefunction(function) else Kind.CALL


def _attribute(name: str, schema: Schema) -> Way:
    read = schema.config.default_resolver
    if read is getattr and name.isidentifier() and not iskeyword(name):
        return Way(Kind.INLINE, f"{{record}}.{name}")
    return Way(Kind.INLINE, f"{{read}}({{record}}, {name!r})", {"read": read})


def _resolver(asked: Field, schema: Schema, *, at_root: bool) -> Way:
    own = asked.own
    resolver = own.base_resolver
    if resolver is None or not callable(resolver.wrapped_func):
        raise Uncompiled(f"{asked.coordinate} cannot be called")
    names: dict[str, Any] = {"resolve": resolver}
    given = ["{record}"] if resolver.self_parameter else []
    records = filter(None, (resolver.parent_parameter, resolver.root_parameter))
    given += [f"{parameter.name}={{record}}" for parameter in records]
    if resolver.info_parameter:
        if not at_root:
            raise Uncompiled(f"{asked.coordinate} asks for the path to it")
        names |= {"info_class": schema.config.info_class, "field": own}
        given.append(f"{resolver.info_parameter.name}={{info_class}}(_raw_info={{info}}, _field={{field}})")
    given.append("{arguments}")
    kind = Kind.WAIT if own.is_async else Kind.CALL
    return Way(kind, f"{{resolve}}({', '.join(given)})".replace(", {arguments}", "{arguments}"), names)
