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
_FORBIDDEN = frozenset({"42501", "3F000"})
"""What is not allowed, and schemas of which none may be used."""


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


def words(error: BaseException) -> str:
    """What to log of an error: what it says, or what it is where it says nothing, as a time-out does."""
    return str(error) or type(error).__name__


def has_crossed(error: BaseException) -> bool:
    """Whether the transaction was given up for another's sake; the same again may succeed at once."""
    return _state(error) in _CROSSED


def is_forbidden(error: BaseException) -> bool:
    """Whether our role in the database may not do what was asked."""
    return _state(error) in _FORBIDDEN


def first_line(error: BaseException) -> str:
    """What the driver said, without the statement, its values or any password."""
    return words(_told(error) or error).splitlines()[0]


def _state(error: BaseException) -> str | None:
    found = _told(error)
    return found.sqlstate if isinstance(found, psycopg.Error) else None


def _told(error: BaseException) -> BaseException | None:
    """What the driver said, without what our libraries wrap around it."""
    if isinstance(error, DBAPIError):
        return error.orig
    return error.__cause__ if isinstance(error, ConnectorException) else error
