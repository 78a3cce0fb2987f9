"""What the gateway's own database role may do, where the tables belong to another: everything but rewrite the audit."""

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from services.storage.chain import SETTLING

RIGHTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "REVOKE ALL ON audit_events, audit_links, audit_anchors, alembic_version FROM {role}",
    "GRANT SELECT ON audit_events, audit_links, audit_anchors, alembic_version TO {role}",
    "GRANT INSERT ON audit_events TO {role}",
    f"GRANT UPDATE ({', '.join(sorted(SETTLING))}) ON audit_events TO {{role}}",
)
"""The owner's statements; repeating them is harmless. Links are made by a function with its owner's rights."""

_UNBOUND = text("""
SELECT r.rolsuper OR pg_has_role(r.oid, c.relowner, 'MEMBER') FROM pg_roles r, pg_class c
WHERE r.rolname = :role AND c.oid = CAST('audit_links' AS regclass)
""")

_MAY_UPGRADE = text("""
SELECT coalesce(
    (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('alembic_version')),
    has_schema_privilege(current_schema(), 'CREATE'),
    false
)
""")

_NAMES = text("SELECT quote_ident(:role), quote_ident(current_schema())")


class NotBound(ValueError):
    """Rights would not bind this role."""


async def may_upgrade(session: AsyncSession) -> bool:
    """Whether the role that asks owns the tables, or may make them where there are none."""
    return bool(await (await session.connection()).scalar(_MAY_UPGRADE))


async def grant(session: AsyncSession, role: str) -> None:
    """Give a role these rights. Raises `NotBound` for one that does not exist, owns the tables or is a superuser."""
    connection = await session.connection()
    unbound = await connection.scalar(_UNBOUND, {"role": role})
    if unbound is None:
        raise NotBound(f"There is no database role {role}: CREATE ROLE … LOGIN makes one.")
    if unbound:
        raise NotBound(f"{role} owns the tables, or may act for their owner: no right can be kept from it.")
    quoted, schema = (await connection.execute(_NAMES, {"role": role})).one()
    for statement in RIGHTS:
        await connection.execute(text(statement.format(role=quoted, schema=schema)))
