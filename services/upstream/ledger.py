"""The budgets in the database: one row an organization and product, held for as long as it takes to settle."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import text

from services.policy import Product
from services.storage.engine import Database
from services.upstream.budget import Allowance, Key
from services.upstream.shares import Lent, Report, State, settle

_OPEN = text("""
    INSERT INTO purses (product, product_organization_id, state) VALUES (:product, :organization, '{}')
    ON CONFLICT DO NOTHING
""")
_HOLD = text("""
    SELECT state, CAST(extract(epoch FROM clock_timestamp()) AS float8),
           set_config('idle_in_transaction_session_timeout', '1000', true)
    FROM purses WHERE product = :product AND product_organization_id = :organization FOR UPDATE
""")
"""A process that stops while it holds the row loses it after a second (PostgreSQL ends its connection)."""
_SAVE = text("""
    UPDATE purses SET state = CAST(:state AS jsonb)
    WHERE product = :product AND product_organization_id = :organization
""")


class Ledger:
    """What all processes on a database have reported and been lent."""

    def __init__(self, database: Database, allowances: Mapping[Product, Allowance]) -> None:
        """`database` should have a pool of its own: who waits for a call may hold a connection of the common one."""
        self._database = database
        self._allowances = allowances

    async def settle(self, key: Key, report: Report) -> Lent:
        """Report, and be lent; raises `sqlalchemy.exc.DBAPIError` and the like while the database is away."""
        product, organization = key
        row = {"product": product.value, "organization": organization}
        async with self._database.session() as session:
            connection = await session.connection()
            held = (await connection.execute(_HOLD, row)).first()
            if held is None:
                await connection.execute(_OPEN, row)
                held = (await connection.execute(_HOLD, row)).one()
            state = msgspec.convert(held[0], State)
            lent = settle(state, self._allowances[product], report, held[1])
            await connection.execute(_SAVE, row | {"state": msgspec.json.encode(state).decode()})
        return lent
