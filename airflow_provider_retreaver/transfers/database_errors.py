"""Errors of database drivers, without the rows that their messages quote."""

from __future__ import annotations

import sys
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import excerpt

# Raised by a driver for a value that is too large for it, or for half a character.
BUILTIN_ERRORS = (OverflowError, UnicodeError)
# Errors of MySQL and MariaDB about a value that a driver reports as errors of the server: out of range, truncated,
# not a value of the column, wrong value, too long, not JSON, two kinds of failed check.
_OF_VALUES = frozenset({1264, 1265, 1292, 1366, 1406, 3140, 3819, 4025})


class Failure:
    """A database's error about a batch.

    It does not keep the driver's exception, which quotes rows.

    :param error: as the driver raised it.
    """

    def __init__(self, error: BaseException) -> None:
        kind = type(error)
        self.message = error_text(error)
        # PEP 249: these are about the data; the others about the state of the database.
        about = {"DataError", "IntegrityError", "ProgrammingError", "InterfaceError", "NotSupportedError"}
        self.about_data = (
            bool(about & {base.__name__ for base in kind.__mro__})
            or issubclass(kind, BUILTIN_ERRORS)
            or next(iter(error.args), None) in _OF_VALUES
        )


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
