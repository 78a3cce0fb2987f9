"""The reference of all settings, written from their declaration."""

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import BaseMetadata
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.settings import Settings

PREFIX = "GATEWAY_"
COMMITTED = Path("docs/configuration.md")
INTRODUCTION = """# Configuration

<!-- Written by `python -m gateway configuration`; change gateway/settings.py instead. -->

All settings are environment variables, checked once at start; `python -m gateway doctor` tries them. A list is written
as `a, b`. A bad value, and a name that begins with GATEWAY_ and is not here, end the start and are named. *Needed*
settings are needed where anything of their group is set."""
HEAD = "| Variable | Default | Meaning |\n|---|---|---|"


def reference() -> str:
    """Markdown: a table a concern, a line a variable."""
    own = [*_lines(Settings, PREFIX)]
    parts = [
        INTRODUCTION,
        _section("The process", "Where it listens, where it keeps its data, and how it seals secrets.", own),
    ]
    for name, field in Settings.model_fields.items():
        if (group := _group(field)) is not None:
            told = cleandoc(group.__doc__ or "")
            parts.append(_section(name, told, [*_lines(group, f"{PREFIX}{name.upper()}__")]))
    return "\n\n".join(parts) + "\n"


def names() -> Iterator[str]:
    """Every environment variable that sets something."""
    for name, field in Settings.model_fields.items():
        variable = _variable(PREFIX, name, field)
        inner = getattr(_group(field), "model_fields", None)
        yield from (f"{variable}__{one.upper()}" for one in inner) if inner else variable.split("` or `")


def _section(name: str, told: str, lines: list[str]) -> str:
    return "\n".join([f"## {name}", "", told, "", HEAD, *lines])


def _lines(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if _group(field) is None:
            yield f"| `{_variable(prefix, name, field)}` | {_default(field)} | {_meaning(field)} |"


def _group(field: FieldInfo) -> type[BaseModel] | None:
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _variable(prefix: str, name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return "` or `".join(str(choice) for choice in field.validation_alias.choices)
    return f"{prefix}{name.upper()}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*needed*"
    value: Any = None if field.default is PydanticUndefined else field.default
    if value in (None, ()) or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def _meaning(field: FieldInfo) -> str:
    told = " ".join((field.description or "").split())
    choices = ", ".join(f"`{choice}`" for choice in _choices(field.annotation))
    bounds = [_bound(one) for one in field.metadata if isinstance(one, BaseMetadata)]
    facts = [choices and f"{'Any' if get_origin(field.annotation) is tuple else 'One'} of {choices}"]
    facts += [", ".join(filter(None, bounds))]
    return " ".join(_sentence(part) for part in (told, *facts) if part).replace("|", "\\|")


def _choices(kind: Any) -> list[str]:
    """What the literals in an annotation name."""
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)]


def _sentence(part: str) -> str:
    return f"{part[0].upper()}{part[1:].removesuffix('.')}."


def _bound(limit: BaseMetadata) -> str:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most", "min_length": "at least"}
    return next((f"{word} {getattr(limit, name)}" for name, word in words.items() if hasattr(limit, name)), "")
