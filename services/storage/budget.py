"""The table of what organizations may spend in the products, shared by all processes."""

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.storage.models import Json, Table


class Purse(Table, table=True):
    """One organization's budget in one product. `state`: as `upstream.shares.State`.

    Not logged, since all of it is about the last two minutes: a crash of the database empties it, and the processes
    tell it again what they know.
    """

    __tablename__ = "purses"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    product: str = Field(primary_key=True)
    product_organization_id: str = Field(primary_key=True)
    state: Json = Field(default_factory=dict, sa_type=JSONB)
