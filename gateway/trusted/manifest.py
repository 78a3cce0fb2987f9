"""The operations of a client, as its tools write them down: documents, or manifests of documents by id."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSchema, parse, validate

from services.trusted import digest

MANIFEST = "apollo-persisted-query-manifest"


class Untakable(ValueError):
    """A file that cannot be taken in."""


def read(paths: Iterable[Path], schema: GraphQLSchema) -> dict[str, str]:
    """Documents by id: the SHA-256 of each, and what a manifest calls it.

    A `.json` is Relay's, GraphQL Code Generator's (`{"id": "text"}`) or Apollo's manifest; anything else is a document.
    Raises `Untakable` for what is not valid in the schema, or stands under one id with two texts.
    """
    found: dict[str, str] = {}
    for path in paths:
        for name, text in _documents(path):
            _check(path, text, schema)
            for key in (digest(text), name or digest(text)):
                if found.setdefault(key, text) != text:
                    raise Untakable(f"{path}: {key} stands for two documents.")
    return found


def _documents(path: Path) -> Iterator[tuple[str | None, str]]:
    try:
        text = path.read_text(encoding="utf-8")
        listed = _listed(json.loads(text)) if path.suffix == ".json" else [(None, text)]
    except (OSError, ValueError) as error:
        raise Untakable(f"{path}: {error}") from error
    if not listed:
        raise Untakable(f"{path} holds no documents.")
    yield from listed


def _listed(manifest: Any) -> list[tuple[str | None, str]]:
    if isinstance(manifest, dict) and manifest.get("format") == MANIFEST:
        manifest = {one["id"]: one["body"] for one in manifest.get("operations", ()) if {"id", "body"} <= set(one)}
    if not isinstance(manifest, Mapping) or not all(isinstance(text, str) for text in manifest.values()):
        raise ValueError("neither texts by their ids nor Apollo's manifest")
    return list(manifest.items())


def _check(path: Path, text: str, schema: GraphQLSchema) -> None:
    try:
        mistakes = validate(schema, parse(text))
    except GraphQLError as error:
        mistakes = [error]
    if mistakes:
        raise Untakable("\n".join([f"{path} is not valid:", *(f"  {_placed(one)}" for one in mistakes)]))


def _placed(mistake: GraphQLError) -> str:
    place = next(iter(mistake.locations or ()), None)
    return f"{place.line}:{place.column} {mistake.message}" if place else mistake.message
