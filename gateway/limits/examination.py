"""Operations looked at before anything is executed: read once, measured once, weighed for each set of variables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType, parse

from gateway.http.operation import holds_more
from gateway.limits.cost import MOST_UNKNOWN, Estimate, Lookup, Sizes, TooManyUnknown, Weights, compiled
from gateway.limits.measures import Measures, TooManyWays, has_more_tokens, measured
from gateway.plans.lately import Lately
from gateway.settings import Limits
from services.errors import BadUserInput, CostExceeded

CHARACTERS = 4_000_000
"""Of all documents that are remembered together."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that an operation breaks: `value` where `allowed` is the most."""

    limit: str
    value: int
    allowed: int
    told: str
    hint: str

    def error(self) -> CostExceeded:
        """As the client is told."""
        message = f"The operation {self.told.format(self.value)}; at most {self.allowed} are allowed."
        return CostExceeded(message, hint=self.hint, limit=self.limit, value=self.value, allowed=self.allowed)


class NoSuchOperation(BadUserInput):
    """There is no such operation in the query."""


Told = tuple[str, Callable[[Measures], int], str, str]
MEASURED: tuple[Told, ...] = (
    ("depth", lambda one: one.size.depth, "is {} fields deep", "Ask for what lies deeper in an operation of its own."),
    ("root_fields", lambda one: one.root_fields, "has {} root fields", "Split it into several operations."),
    ("aliases", lambda one: one.size.aliases, "uses {} aliases", "Ask for many records by one list instead."),
    ("fields", lambda one: one.size.fields, "selects {} fields", "Split it, or use a fragment in fewer places."),
    ("directives", lambda one: one.directives, "has {} directives", "Put one on a fragment instead of on each field."),
    ("name_characters", lambda one: one.longest_name, "has a name of {} characters", "Use shorter aliases."),
    ("values", lambda one: one.values, "has {} values", "Give long lists and large inputs in variables."),
    ("entries", lambda one: one.entries, "has an object of {} entries", "Give large inputs in variables."),
    (
        "repetitions",
        lambda one: one.repetitions,
        "repeats fields and spreads fragments so that {} pairs have to be compared",
        "Name each field once in one place, and use fewer fragments there.",
    ),
    ("operations", lambda one: one.operations, "is one of {} in its document", "Send it in a document of its own."),
)
POINTS = ("points", "may take {} points", "Ask for fewer rows with `first`, or for less of each row.")
CALLS = ("calls", "may take {} calls to the products", "Ask for fewer rows, or leave out what takes a look-up of each.")


UNKNOWN = Excess(
    "unknown_fields",
    MOST_UNKNOWN + 1,
    MOST_UNKNOWN,
    "asks for {} fields or more that there are not",
    "Compare it with the schema.",
)


@dataclass(frozen=True, slots=True)
class Examined:
    """An operation of a document. Of one that cannot be read nothing is known."""

    missing: bool = False
    """Whether the document has no such operation."""
    document: DocumentNode | None = None
    """Of a live operation; of the others what was counted is enough."""
    measures: Measures | None = None
    excess: Excess | None = None
    points: Estimate | None = None
    calls: Estimate | None = None

    @property
    def introspects(self) -> bool:
        """Whether it asks for the schema."""
        return self.measures is not None and self.measures.introspects

    @property
    def operations(self) -> int:
        """How many there are in the document."""
        return self.measures.operations if self.measures else 0

    @property
    def live(self) -> bool:
        """Whether its answers go on."""
        return self.document is not None


class Examination:
    """Examines the operations of one schema; each of those used lately once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        sizes: Sizes = Sizes(),  # noqa: B008
        points: Mapping[str, Lookup] = {},
        calls: Mapping[str, Lookup] = {},
        most: int = 1000,
    ) -> None:
        """`points`: which fields count beside their objects; `calls`: which take calls to the products."""
        self._schema, self._limits, self._sizes = schema, limits, sizes
        self._weights = Weights(1, points), Weights(0, calls)
        self._known: Lately[Examined] = Lately(most, CHARACTERS)

    def examined(self, query: str, name: str | None) -> Examined:
        """An operation as far as it can be told without its variables."""
        known = self._known.get((query, name))
        if known is None:
            known = self._examined(query, name)
            if known.measures is not None:
                self._known.put((query, name), known, len(query))
        return known

    def check(self, one: Examined, variables: Mapping[str, Any] | None) -> None:
        """Raise `CostExceeded` for an operation that is, or asks for, more than it may, `NoSuchOperation` for none."""
        if one.missing:
            raise NoSuchOperation(field=["operationName"])
        if excess := one.excess or self._held(variables):
            raise excess.error()
        for (limit, told, hint), estimate in ((POINTS, one.points), (CALLS, one.calls)):
            allowed = getattr(self._limits, limit)
            if estimate and (value := estimate(variables or {}).points) > allowed:
                raise Excess(limit, value, allowed, told, hint).error()

    def _examined(self, query: str, name: str | None) -> Examined:
        if excess := self._long(query):
            return Examined(excess=excess)
        try:
            document = parse(query)
            operation = _chosen(document, name)
            return self._limited(document, operation) if operation else Examined(missing=True)
        except GraphQLError:
            return Examined()
        except RecursionError:
            return Examined(excess=_depth(self._limits.depth))
        except TooManyUnknown:
            return Examined(excess=UNKNOWN)
        except (TooManyWays, CostExceeded):
            return Examined(excess=_ways(self._limits.fields))

    def _long(self, query: str) -> Excess | None:
        """What is wrong with the text, before it is read."""
        length, most = len(query), self._limits.characters
        if length > most:
            return Excess("characters", length, most, "has {} characters", "Give large inputs in variables.")
        return _tokens(self._limits.tokens) if has_more_tokens(query, self._limits.tokens) else None

    def _held(self, variables: Mapping[str, Any] | None) -> Excess | None:
        """What is wrong with the variables' size."""
        most = self._limits.given
        return _given(most) if variables and holds_more(variables.values(), most) else None

    def _limited(self, document: DocumentNode, operation: OperationDefinitionNode) -> Examined:
        measures = measured(document, operation)
        if excess := self._excess(measures):
            return Examined(measures=measures, excess=excess)
        points, calls = (compiled(self._schema, document, operation, self._sizes, weights) for weights in self._weights)
        live = operation.operation is OperationType.SUBSCRIPTION
        return Examined(document=document if live else None, measures=measures, points=points, calls=calls)

    def _excess(self, measures: Measures) -> Excess | None:
        for limit, count, told, hint in MEASURED:
            value, allowed = count(measures), getattr(self._limits, limit)
            if value > allowed:
                return Excess(limit, value, allowed, told, hint)
        return None


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The operation of that name; without one the first."""
    operations = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return next((one for one in operations if name is None or (one.name and one.name.value == name)), None)


def _tokens(most: int) -> Excess:
    return Excess("tokens", most + 1, most, "has {} words and signs or more", "Split the document.")


def _given(most: int) -> Excess:
    return Excess("given", most + 1, most, "is given {} values in variables or more", "Send it in several parts.")


def _depth(most: int) -> Excess:
    return Excess("depth", most + 1, most, "is {} fields deep or more", MEASURED[0][3])


def _ways(most: int) -> Excess:
    return Excess("fields", most + 1, most, "selects {} fields or more", MEASURED[3][3])
