"""Writes an operation as Python: a function for each level of records, a coroutine for each thing waited for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any

from graphql import get_named_type, get_nullable_type, is_abstract_type, is_list_type, is_non_null_type, is_object_type
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable
from strawberry.types.graphql import OperationType

from gateway.plans.abstract import chooser
from gateway.plans.arguments import Arguments
from gateway.plans.completion import Completion
from gateway.plans.inputs import Inputs
from gateway.plans.module import Module
from gateway.plans.plain import JSON, PLAIN, Inexact, arrival, listed, plain
from gateway.plans.shape import Field, Level, Operation, Shape, Uncompiled
from gateway.plans.variant import Refusal, Variant
from gateway.plans.ways import ByClass, Gated, Kind, Link, Through, Way, way

Ways = Sequence[tuple[Field, Way | Through]]
SETTLE = ["if any(run.rows):", "    await run.settle()"]
CHECK = ["if record.__class__ not in PLAIN:", "    plain(record)"]


class Writer:
    """Writes one variant. `granted` decides each permission that the operation asks for."""

    def __init__(
        self,
        schema: Schema,
        inputs: Inputs,
        operation: Operation,
        shape: Shape,
        granted: Mapping[str, bool],
        title: str,
    ) -> None:
        self._schema = schema
        self._inputs = inputs
        self._granted = granted
        self._variant = Variant(operation, shape)
        self._module = Module(
            title,
            JSON=JSON,
            PLAIN=PLAIN,
            plain=plain,
            listed=listed,
            Inexact=Inexact,
            is_awaitable=optimized_is_awaitable,
        )
        self._waits: list[str] = []
        self._known: dict[Any, str] = {}
        self._fetching: dict[int, bool] = {}
        self._decided: dict[int, Ways] = {}
        self._completion = Completion(self._module.bind, self._projection)

    def variant(self) -> Variant:
        """Write, compile and load it; raises `Uncompiled`."""
        made = self._variant
        self._start(made.shape.root)
        made.source = self._module.source
        made.functions = self._module.load(made)
        made.waits = [made.functions[name] for name in self._waits]
        return made

    @property
    def _writes(self) -> bool:
        return self._variant.operation.type is OperationType.MUTATION

    def _start(self, root: Level) -> None:
        body = self._in_series(root) if self._writes else [f"answer = {self._level(root)}(root, run)", *SETTLE]
        self._module.add("async def start(root, run):", "", [*body, "return answer"])

    def _in_series(self, root: Level) -> list[str]:
        ways = self._ways(root)
        rows = [f"    {key!r}: {value}" for key, value in self._rows(root, {})]
        lines = [f"run.reached[{root.index}] = True", "answer = {", *rows, "}"]
        for field, how in ways:
            lines += [f"{self._filling([(field, how)])}(root, answer, run, root)", *SETTLE]
        return lines

    def _ways(self, level: Level) -> Ways:
        """The fields that may be had and how; the others are noted as refused."""
        if level.index not in self._decided:
            self._decided[level.index] = self._decide(level)
        return self._decided[level.index]

    def _decide(self, level: Level) -> Ways:
        at_root = level is self._variant.shape.root
        fields = [field for field in level.fields if field.definition is not None]
        allowed = [field for field in fields if not self._refused(field, level, at_root=at_root)]
        ways = [(field, way(field, self._schema, at_root=at_root)) for field in allowed]
        return [(field, _effective(how)) for field, how in ways] if at_root and self._writes else ways

    def _refused(self, field: Field, level: Level, *, at_root: bool) -> bool:
        own = field.own
        if not isinstance(own, Gated) or self._granted[own.requires]:
            return False
        if at_root or is_non_null_type(field.type):
            raise Uncompiled(f"{field.coordinate} is refused")
        self._variant.refusals.append(Refusal(level, field))
        self._variant.arguments[field.index] = Arguments(field, self._schema, self._inputs)
        return True

    def _projection(self, field: Field) -> str:
        """The function that makes an answer of a record of the field's type."""
        named = get_named_type(field.type)
        if is_object_type(named):
            return self._level(field.levels[named.name], field)
        key = (named.name, *(level.index for level in field.levels.values()))
        if key not in self._known:
            self._known[key] = self._choice(field, named)
        return self._known[key]

    def _choice(self, field: Field, named: Any) -> str:
        if not is_abstract_type(named) or iscoroutinefunction(named.resolve_type):
            raise Uncompiled(f"{field.coordinate} finds out its type by waiting")
        name = self._module.name(named.name)
        choose = self._module.bind("type_of", chooser(named, self._variant.operation.schema))
        levels = {type_name: self._level(level, field) for type_name, level in field.levels.items()}
        table = self._module.bind(f"{name}_types", {})
        body = [*CHECK, f"return {table}[{choose}(record, run.place({field.index}))](record, run)"]
        self._module.add(f"def {name}(record, run):", f"{named.name} at {field.coordinate}.", body)
        rows = ", ".join(f"{type_name!r}: {function}" for type_name, function in levels.items())
        self._module.add(f"{table} = {{{rows}}}", "", [])
        return name

    def _level(self, level: Level, field: Field | None = None) -> str:
        if level.index not in self._known:
            name = self._known[level.index] = self._module.name(level.type.name)
            body = [*self._arrival(level, field), *self._answer(level)]
            if field is not None and not _lists(field) and self._links(level) and self._only_reads(level):
                body = self._once(level, body)
            about = f"{level.type.name} at {level.place}." if level.place else f"{level.type.name}."
            self._module.add(f"def {name}(record, run):", about, body)
        return self._known[level.index]

    def _once(self, level: Level, body: Sequence[str]) -> list[str]:
        """One answer for one record, wherever it stands: what only reads comes to the same."""
        key = f"{level.index}, id(record)"
        known = [f"known = run.answers.get(({key}))", "if known is not None:", "    return known[1]"]
        return [*known, *body[:-1], f"run.answers[{key}] = record, answer", body[-1]]

    def _links(self, level: Level) -> bool:
        return any(isinstance(how, Through) for _, how in self._ways(level))

    def _only_reads(self, level: Level) -> bool:
        """Whether nothing below is called or waited for, apart from linked records."""
        return all(
            _reads(how) and all(map(self._only_reads, field.levels.values())) for field, how in self._ways(level)
        )

    def _arrival(self, level: Level, field: Field | None) -> list[str]:
        """What is checked of a record before its fields are read."""
        lines = [f"run.reached[{level.index}] = True"]
        if field is None:
            return lines
        if isinstance(level.type.is_type_of, ByClass):
            known: set[type] = set()
            classes = self._module.bind("classes", known)
            arrive = self._module.bind("arrive", arrival(level.type.is_type_of.record_class, known))
            return [f"if record.__class__ not in {classes}:", f"    {arrive}(record)", *lines]
        if level.type.is_type_of is not None:
            if iscoroutinefunction(level.type.is_type_of):
                raise Uncompiled(f"{level.type.name} finds out its records by waiting")
            test = self._module.bind("is_type_of", level.type.is_type_of)
            lines = [f"if {test}(record, run.place({field.index})) is not True:", "    raise Inexact", *lines]
        return [*CHECK, *lines]

    def _answer(self, level: Level) -> list[str]:
        ways = self._ways(level)
        ready = {field.key: f"{self._inline(field, how)}," for field, how in _ready(ways)}
        rows = [f"    {key!r}: {value}" for key, value in self._rows(level, ready)]
        late = self._late(ways, "record")
        if not late:
            return ["return {", *rows, "}"]
        return ["answer = {", *rows, "}", *late, "return answer"]

    def _rows(self, level: Level, ready: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The answer's keys in their order, each with what is ready or with null until it is had."""
        refused = {refusal.field.index for refusal in self._variant.refusals}
        for field in level.fields:
            if field.definition is None:
                yield field.key, f"{level.type.name!r},"
            elif field.key in ready:
                yield field.key, ready[field.key]
            else:
                yield field.key, "None,  # refused" if field.index in refused else "None,  # later"

    def _filling(self, ways: Ways) -> str:
        """A function that sets fields of an answer to what is read off a record."""
        name = self._module.name(ways[0][0].name)
        body = [f"answer[{field.key!r}] = {self._inline(field, how)}" for field, how in _ready(ways)]
        about = f"{', '.join(field.coordinate for field, _ in ways)}."
        self._module.add(f"def {name}(record, answer, run, origin):", about, [*body, *self._late(ways, "origin")])
        return name

    def _inline(self, field: Field, how: Way) -> str:
        if how.parts and self._is_apart(field, how):
            return self._put_together(field, how.parts)
        value = self._called(field, how)
        if any(map(self._fetches, field.levels.values())):
            value = f"run.keep({field.index}, record, {value})"
        return self._completion.of(field, value)

    def _is_apart(self, field: Field, how: Way) -> bool:
        """Whether nothing is selected but parts of the value, so that the value itself need not be made."""
        named = get_nullable_type(field.type)
        if not is_object_type(named) or is_non_null_type(field.type):
            return False
        read = {f"{{record}}.{name}" for name in how.parts}
        ways = self._ways(field.levels[named.name])
        return named.is_type_of is None and all(isinstance(one, Way) and one.template in read for _, one in ways)

    def _put_together(self, field: Field, parts: Mapping[str, str]) -> str:
        """The projection of a value from its parts."""
        level = next(iter(field.levels.values()))
        function = self._module.name(level.type.name)
        ready = {
            one.key: f"{self._completion.of(one, how.template.removeprefix('{record}.'))},"
            for one, how in _ready(self._ways(level))
        }
        rows = [f"    {key!r}: {value}" for key, value in self._rows(level, ready)]
        head = f"def {function}({', '.join(parts)}, run):"
        self._module.add(
            head, f"{level.type.name} at {level.place}.", [f"run.reached[{level.index}] = True", "return {", *rows, "}"]
        )
        given = {self._module.name(name): text.format(record="record") for name, text in parts.items()}
        absent = " or ".join(f"({name} := {text}) is None" for name, text in given.items())
        return f"None if {absent} else {function}({', '.join(given)}, run)"

    def _fetches(self, level: Level) -> bool:
        """Whether anything below is found again by its record when graphql-core completes the answer."""
        if level.index not in self._fetching:
            ways = self._ways(level)
            below = (one for field, _ in ways for one in field.levels.values())
            self._fetching[level.index] = len(_ready(ways)) < len(ways) or any(map(self._fetches, below))
        return self._fetching[level.index]

    def _called(self, field: Field, how: Way) -> str:
        names = {name: self._module.bind(name, value) for name, value in how.names.items()}
        given = "" if not field.own.arguments else f", **run.arguments({field.index})"
        self._variant.arguments[field.index] = Arguments(field, self._schema, self._inputs)
        place = f"run.place({field.index})"
        text = how.template.format(
            record="record", context="run.context", arguments=given, place=place, info=place, **names
        )
        return text.replace("(, ", "(")

    def _late(self, ways: Ways, origin: str) -> list[str]:
        """What is had by calls, from linked records, or by waiting; each linked record is gone to once."""
        linked: dict[Link, list[tuple[Field, Way | Through]]] = {}
        for field, how in ways:
            if isinstance(how, Through):
                linked.setdefault(how.link, []).append((field, how.way))
        lines: list[str] = []
        for field, how in ways:
            if isinstance(how, Through):
                lines += self._linked(how.link, linked.pop(how.link, ()), origin)
            elif how.kind is not Kind.INLINE:
                lines += self._asked(field, how, origin)
        return lines

    def _linked(self, link: Link, ways: Ways, origin: str) -> list[str]:
        if not ways:
            return []
        at_hand = self._module.bind("at_hand", link.at_hand)
        fill = self._filling(ways)
        return [
            f"there = {at_hand}(record)",
            "if there is None:",
            f"    run.rows[{self._loading(link, ways, fill)}].append(({origin}, record, answer))",
            "else:",
            f"    {fill}(there, answer, run, {origin})",
        ]

    def _loading(self, link: Link, ways: Ways, fill: str) -> int:
        """The coroutine that loads linked records."""
        indexes = [field.index for field, _ in ways]
        missing = ["    if record is None:", "        raise Inexact"]
        optional = ["    if record is None:", "        continue"]
        required = any(is_non_null_type(field.type) for field, _ in ways)
        return self._wait(
            ways,
            [
                f"there = await run.linked({self._module.bind('link', link)}, rows, {indexes})",
                "for (origin, _, answer), record in zip(rows, there):",
                *(missing if required else optional),
                f"    {fill}(record, answer, run, origin)",
            ],
        )

    def _asked(self, field: Field, how: Way, origin: str) -> list[str]:
        if how.kind is Kind.WAIT:
            coroutines = f"[{self._called(field, how)} for _, record, _ in rows]"
            place = self._awaiting(field, f"run.fetched({field.index}, rows, {coroutines})")
            return [f"run.rows[{place}].append(({origin}, record, answer))"]
        value = self._module.name(field.key)
        return [
            "try:",
            f"    {value} = run.keep({field.index}, {origin}, {self._called(field, how)})",
            "except Exception as error:",
            f"    run.fail({field.index}, {origin}, error)",
            "    raise",
            f"if {value}.__class__ not in PLAIN and is_awaitable({value}):",
            f"    run.rows[{self._awaiting(field, 'run.awaited(rows)')}].append(({origin}, {value}, answer))",
            "else:",
            f"    answer[{field.key!r}] = {self._completion.of(field, value)}",
        ]

    def _awaiting(self, field: Field, values: str) -> int:
        """The coroutine that waits for values of a field."""
        value = self._module.name(field.key)
        return self._wait(
            [(field, None)],
            [
                f"for (_, _, answer), {value} in zip(rows, await {values}):",
                f"    answer[{field.key!r}] = {self._completion.of(field, value)}",
            ],
        )

    def _wait(self, fields: Sequence[tuple[Field, object]], body: Sequence[str]) -> int:
        name = self._module.name(f"wait_{fields[0][0].name}")
        about = f"{', '.join(field.coordinate for field, _ in fields)}."
        self._module.add(f"async def {name}(run, rows):", about, [*body, *SETTLE])
        self._waits.append(name)
        return len(self._waits) - 1


def _lists(field: Field) -> bool:
    return is_list_type(get_nullable_type(field.type))


def _effective(how: Way | Through) -> Way | Through:
    """A root field of a mutation has effects, whatever it says: it is never asked twice."""
    return replace(how, kind=Kind.CALL) if isinstance(how, Way) and how.kind is Kind.INLINE else how


def _reads(how: Way | Through) -> bool:
    """Whether it is an expression, of the record or of one that is linked with it."""
    return _reads(how.way) if isinstance(how, Through) else how.kind is Kind.INLINE


def _ready(ways: Ways) -> list[tuple[Field, Way]]:
    """Those that are had by an expression."""
    return [(field, how) for field, how in ways if isinstance(how, Way) and how.kind is Kind.INLINE]
