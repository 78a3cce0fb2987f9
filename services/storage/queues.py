"""What waits on the database to be done, in numbers."""

from dataclasses import dataclass, field

from sqlalchemy import text

from services.storage.engine import Database

_JOBS = """
    SELECT CASE WHEN status::text <> 'todo' THEN status::text WHEN scheduled_at > now() THEN 'scheduled'
                ELSE 'waiting' END AS state, count(*)
    FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed') GROUP BY 1
"""
_MAILS = """
    SELECT count(*) FILTER (WHERE state = 'WAITING'), count(*) FILTER (WHERE state = 'GIVEN_UP'),
           coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'WAITING')), 0)
    FROM mails WHERE state <> 'SENT'
"""
STATES = ("waiting", "scheduled", "doing", "failed")


@dataclass(frozen=True, slots=True)
class Queues:
    """Jobs by state; messages that wait or were given up, and how long the oldest waits, in seconds."""

    jobs: dict[str, int] = field(default_factory=dict)
    mails: dict[str, int] = field(default_factory=dict)
    oldest_mail: float = 0.0

    @classmethod
    async def read(cls, database: Database) -> "Queues":
        """As they are now."""
        async with database.session() as session:
            connection = await session.connection()
            found = {state: count for state, count in await connection.execute(text(_JOBS))}  # noqa: C416 - rows
            waiting, given_up, oldest = (await connection.execute(text(_MAILS))).one()
        jobs = {state: int(found.get(state, 0)) for state in STATES}
        return cls(jobs, {"waiting": waiting, "given_up": given_up}, float(oldest))
