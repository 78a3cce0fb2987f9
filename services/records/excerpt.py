# ruff: noqa: S608 - the SQL is put together from our own texts; every value is bound
"""A stretch of the copy in SQL: the rows of one or several modules, narrowed, sorted, and after a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.kinds import Kind, Order
from services.listing import Cursor, Row, ranking
from services.records.criteria import ORDERS, Criteria, late

_OWN = "organization_id = %(organization)s AND module = '{module}' AND deleted_at IS NULL"
_ZONE = "zone AS (SELECT time_zone FROM record_bases WHERE organization_id = %(organization)s)"


@dataclass(frozen=True, slots=True)
class Part:
    """A module of the list: `rank` orders its rows among equals; `parties`: of these only."""

    kind: Kind
    rank: int
    criteria: Criteria
    parties: tuple[str, ...] | None = None

    def where(self) -> str:
        """The condition on its rows."""
        own = _OWN.format(module=self.kind.module.value)
        parties = "" if self.parties is None else f" AND party_id = ANY(%(parties_{self.kind.singular})s)"
        return own + parties + (f" AND {self.criteria.sql}" if self.criteria.sql else "")

    def values(self) -> dict[str, Any]:
        """What the condition is given."""
        given: dict[str, Any] = dict(self.criteria.values)
        return given if self.parties is None else {**given, f"parties_{self.kind.singular}": list(self.parties)}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The next `first` rows after a cursor, by an order; nothing in it is a viewer's own."""

    parts: tuple[Part, ...]
    order: Order
    descending: bool
    first: int
    after: Cursor | None

    @property
    def key(self) -> Any:
        """Equal for excerpts that answer the same, as long as the copy does not change."""
        after = self.after and (str(self.after.value), self.after.rank, self.after.id, *self.after.offsets.items())
        asked = tuple((part.kind.module, part.criteria, part.parties) for part in self.parts)
        return asked, self.order, self.descending, self.first, after

    def rows(self) -> tuple[str, dict[str, Any]]:
        """(module, body, whether it is a full record, whether it may have turned) of one row more than asked for."""
        given = {"many": self.first + 1, **self._values(), **self._place()}
        return (self._one() if len(self.parts) == 1 else self._merged()), given

    def count(self) -> tuple[str, dict[str, Any]]:
        """How many there are in all."""
        counts = (f"(SELECT count(*) FROM records WHERE {part.where()})" for part in self.parts)
        return f"SELECT {' + '.join(counts)}", self._values()

    def turned(self) -> tuple[str, dict[str, Any]]:
        """Whether some row may have turned that the list is narrowed to or by."""
        some = (
            f"EXISTS (SELECT FROM records WHERE {_OWN.format(module=part.kind.module.value)} AND {late(part.kind)})"
            for part in self.parts
            if part.criteria.turning
        )
        return f"WITH {_ZONE} SELECT {' OR '.join(some)}", self._values()

    @property
    def turning(self) -> bool:
        """Whether a status that the calendar may change narrows the list."""
        return any(part.criteria.turning for part in self.parts)

    def _one(self) -> str:
        part = self.parts[0]
        return (
            f"WITH {_ZONE} SELECT module, body::text, complete, {late(part.kind)} FROM records "
            f"WHERE {part.where()}{self._follows(part)} ORDER BY {self._by(ORDERS[self.order])}, id LIMIT %(many)s"
        )

    def _merged(self) -> str:
        lists = " UNION ALL ".join(self._listed(part) for part in self.parts)
        return (
            f"WITH {_ZONE}, page AS ({lists} ORDER BY {self._by('value')}, rank, id LIMIT %(many)s) "
            "SELECT records.module, body::text, complete, late FROM page "
            "JOIN records ON organization_id = %(organization)s AND records.module = page.module "
            f"AND records.id = page.id ORDER BY {self._by('value')}, rank, page.id"
        )

    def _listed(self, part: Part) -> str:
        column = ORDERS[self.order]
        return (
            f"(SELECT {part.rank} AS rank, module, id, {column} AS value, {late(part.kind)} AS late FROM records "
            f"WHERE {part.where()}{self._follows(part)} ORDER BY {self._by(column)}, id LIMIT %(many)s)"
        )

    def _by(self, column: str) -> str:
        """What has no value is the smallest."""
        return f"{column} {'DESC NULLS LAST' if self.descending else 'ASC NULLS FIRST'}"

    def _follows(self, part: Part) -> str:
        """After the cursor; equal values are in the order of ranks and ids."""
        if self.after is None:
            return ""
        column, absent = ORDERS[self.order], self.after.value is None
        equal = f"{column} IS NULL" if absent else f"{column} = %(value)s"
        if part.rank == self.after.rank:
            equal = f"({equal} AND id > %(after)s)"
        elif part.rank < self.after.rank:
            equal = "FALSE"
        if absent:
            rest = "FALSE" if self.descending else f"{column} IS NOT NULL"
        else:
            rest = f"{column} < %(value)s OR {column} IS NULL" if self.descending else f"{column} > %(value)s"
        return f" AND ({equal} OR {rest})"

    def _place(self) -> dict[str, Any]:
        return {} if self.after is None else {"value": self.after.value, "after": self.after.id}

    def _values(self) -> dict[str, Any]:
        return {name: value for part in self.parts for name, value in part.values().items()}


def placed(excerpt: Excerpt, rows: Sequence[Any], names: Sequence[str]) -> list[Row]:
    """The rows in their places; `names`: of the streams that tell the rows when the products are asked."""
    rank, ranks = ranking(excerpt.order, descending=excerpt.descending), {p.kind.type: p.rank for p in excerpt.parts}
    before = excerpt.after.offsets if excerpt.after else {}
    met, trail = dict(before), []
    for name in names:
        place = met.get(name, 0)
        trail.append((name, place))
        met[name] = place + 1
    return [Row(row, rank.value(row), ranks[type(row)], trail, index, before) for index, row in enumerate(rows)]
