"""What the database's errors mean for whoever asked it something."""

import psycopg
from procrastinate.exceptions import ConnectorException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolEmpty

FAILURES = (SQLAlchemyError, psycopg.Error, OSError, TimeoutError)
"""Whatever may come of a question, for those who go on without an answer."""
_UNREACHABLE = ("08", "53", "57P", "58")
"""SQLSTATE classes: connections, room, the server's end, its disks."""
_GIVEN_UP = frozenset({"25006", "25P03", "25P04", "55P03", "57014"})
"""A server that only reads, as after a fail-over; waits and statements that took longer than they may."""
_CROSSED = frozenset({"40001", "40P01"})
"""Transactions that could not be put in a row, or waited for each other."""


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached, has no room, or has given up: nothing is wrong with what was asked."""
    found = _told(error)
    if isinstance(found, PoolEmpty):
        return True
    if not isinstance(found, psycopg.Error):
        return False
    if found.sqlstate is None:
        return isinstance(found, psycopg.OperationalError | psycopg.InterfaceError)
    return found.sqlstate.startswith(_UNREACHABLE) or found.sqlstate in _GIVEN_UP


def has_crossed(error: BaseException) -> bool:
    """Whether the transaction was given up for another's sake; the same again may succeed at once."""
    found = _told(error)
    return isinstance(found, psycopg.Error) and found.sqlstate in _CROSSED


def _told(error: BaseException) -> BaseException | None:
    """What the driver said, without what our libraries wrap around it."""
    if isinstance(error, DBAPIError):
        return error.orig
    return error.__cause__ if isinstance(error, ConnectorException) else error
