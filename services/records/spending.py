"""The copy's share of the calls that a product allows, the same for all processes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import text

from services.policy import Product
from services.storage.engine import Database
from services.storage.models import now

_SPEND = text("""
    INSERT INTO record_spending AS spent (organization_id, product, minute, calls)
    VALUES (:organization_id, :product, date_trunc('minute', CAST(:at AS timestamptz)), 1)
    ON CONFLICT (organization_id, product) DO UPDATE
    SET minute = excluded.minute, calls = CASE WHEN spent.minute = excluded.minute THEN spent.calls + 1 ELSE 1 END
    WHERE spent.minute < excluded.minute OR spent.calls < :most
    RETURNING calls
""")


class ShareSpent(Exception):
    """The share of a minute is spent; what was begun goes on with the next one, `again_at`."""

    def __init__(self, again_at: datetime) -> None:
        self.again_at = again_at
        super().__init__(f"the share of the budget is spent until {again_at:%H:%M}")


class Share:
    """So many calls in every minute of the clock, for each product of each organization.

    Two minutes' shares may fall into one sliding minute of the product, so half its budget is the most to take.
    What is read in bulk leaves `reserved` calls of the product to increments, so that one long list keeps no other
    from being up to date.
    """

    def __init__(
        self, database: Database, calls_per_minute: int, reserved: Mapping[Product, int] = MappingProxyType({})
    ) -> None:
        self._database = database
        self._most = calls_per_minute
        self._reserved = reserved

    async def spend(self, organization_id: str, product: Product, *, bulk: bool = False) -> None:
        """Count one call; raises `ShareSpent`."""
        at = now()
        most = max(1, self._most - self._reserved.get(product, 0)) if bulk else self._most
        given = {"organization_id": organization_id, "product": product.value, "at": at, "most": most}
        async with self._database.session() as session:
            connection = await session.connection()
            spent = (await connection.execute(_SPEND, given)).scalar()
        if spent is None:
            raise ShareSpent(at.replace(second=0, microsecond=0) + timedelta(minutes=1))
