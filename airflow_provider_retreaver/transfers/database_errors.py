"""Errors of database drivers, without the rows that their messages quote."""

from __future__ import annotations

import sys
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import excerpt


class RoundedNumber(ValueError):
    """A database that stored another number than was sent."""


# Raised by a driver for a value that is too large for it, or for half a character; and what is found by reading back.
BUILTIN_ERRORS = (OverflowError, UnicodeError, RoundedNumber)
# Errors of MySQL and MariaDB about a value that a driver reports as errors of the server: out of range, truncated,
# not a value of the column, wrong value, too long, not JSON, two kinds of failed check, longer than a packet.
_OF_VALUES = frozenset({1153, 1264, 1265, 1292, 1366, 1406, 3140, 3819, 4025})
# Of its state: too many connections, killed, waited for a lock, deadlock, ended by the server or on the way.
_OF_STATE = frozenset({1040, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055, 4031})
# Of its privileges, by table, column, database and login.
_OF_PRIVILEGES = frozenset({1044, 1045, 1142, 1143, 1227})
# Classes of SQLSTATE: bad values, constraints, checks of views, limits of sizes, refusals by triggers …
_VALUES = frozenset({"22", "23", "44", "54", "P0"})
# … and connections, conflicts of transactions, resources, cancelled or shut down, the system.
_STATE = frozenset({"08", "40", "53", "57", "58"})
_LOCKED, _DENIED = "55P03", "42501"


class Failure:
    """A database's error.

    It does not keep the driver's exception, which quotes rows.

    :param error: as the driver raised it.
    """

    def __init__(self, error: BaseException) -> None:
        kind = type(error)
        self.message = error_text(error)
        number = next(iter(error.args), None)
        found = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        self.state = state = found if isinstance(found, str) else ""
        # PEP 249: these are about the data; the others about the state of the database.
        about = {"DataError", "IntegrityError"}
        # A driver without SQLSTATE may raise these for a value, or for a connection that has ended.
        about |= set() if state else {"ProgrammingError", "InterfaceError", "NotSupportedError"}
        self.about_data = (
            bool(about & {base.__name__ for base in kind.__mro__})
            or issubclass(kind, BUILTIN_ERRORS)
            or (isinstance(number, int) and number in _OF_VALUES)
            or state[:2] in _VALUES
        )
        self.passing = not self.about_data and (
            (isinstance(number, int) and number in _OF_STATE)
            or state[:2] in _STATE
            or state == _LOCKED
            or getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        )
        self.denied = state == _DENIED or (isinstance(number, int) and number in _OF_PRIVILEGES)


def is_driver_error(error: BaseException) -> bool:
    """Tell whether an exception is a driver's, by PEP 249: before its first connection its class is not known.

    :param error: any exception.
    :return: whether one of its classes has PEP 249's name.
    """
    return any(base.__name__ == "Error" for base in type(error).__mro__)


def error_text(error: BaseException) -> str:
    """Return the message of a driver's error, for a log.

    :param error: as the driver raised it.
    :return: its first line, with phone numbers masked.
    """
    # Further lines quote the row, and the first one may quote a value.
    return excerpt(next(iter(str(error).strip().splitlines()), type(error).__name__)).rstrip(".")


def driver_error(connection: Any) -> type[BaseException]:
    """Return the base class of a driver's errors; by PEP 249 the connection or its module has it.

    :param connection: of the driver.
    :return: the class.
    :raises InvalidArgument: when the driver does not follow PEP 249.
    """
    found = getattr(connection, "Error", None)
    module = type(connection).__module__
    while found is None and module:
        found = getattr(sys.modules.get(module), "Error", None)
        module = module.rpartition(".")[0]
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    raise InvalidArgument(
        f"The SQL connection's driver ({type(connection).__module__}) does not follow PEP 249; use an Airflow "
        f"connection of a SQL database."
    )
