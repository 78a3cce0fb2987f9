"""Who is told of the schema, and what is kept from the others."""

import re
from typing import Literal

from graphql import GraphQLError

from services.errors import Forbidden
from services.policy import MANAGE, Viewer

Audience = Literal["everyone", "administrators", "nobody"]
LONGEST = 1000
"""Characters of a message."""
SUGGESTION = re.compile(r" ?Did you mean [^?]*\?")


class Closed(Forbidden):
    """You may not ask for the schema here."""


def is_open(audience: Audience | None, viewer: Viewer) -> bool:
    """Whether a viewer may ask for the schema; unless somebody has said otherwise, administrators may."""
    return audience == "everyone" or (audience != "nobody" and viewer.decide(MANAGE).granted)


def worded(error: GraphQLError, *, explained: bool) -> GraphQLError:
    """As it is told: what quotes the request at length is cut; `explained`: with names that the client has not said."""
    inner = error.original_error
    message = error.message if explained else SUGGESTION.sub("", error.message)
    ours = inner is not None and not isinstance(inner, GraphQLError)
    if ours or (message == error.message and len(message) <= LONGEST):
        return error
    message = message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, extensions=error.extensions)
