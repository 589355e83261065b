"""What drivers of databases raise, told without the rows that they quote."""

from __future__ import annotations

import sys
from typing import Any

from airflow_provider_retreaver.core.answers import excerpt
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.lists.phones import mask_numbers

# What a driver raises for a value that is too large for it, or that holds half a character.
NOT_THE_DRIVERS_OWN = (OverflowError, UnicodeError)
# What MySQL and MariaDB say against a value where a driver takes it for trouble of the server's: out of range, cut
# off, no such value, wrong value, too long, no JSON, two kinds of check that failed.
_OF_VALUES = frozenset({1264, 1265, 1292, 1366, 1406, 3140, 3819, 4025})


class Failure:
    """What a database said against a batch.

    It does not keep the driver's exception, which quotes rows.

    :param error: as the driver raised it.
    """

    def __init__(self, error: BaseException) -> None:
        kind = type(error)
        self.said = error_text(error)
        # PEP 249: these are about what was to be stored; the others about the database's own state.
        about = {"DataError", "IntegrityError", "ProgrammingError", "InterfaceError", "NotSupportedError"}
        self.about_data = (
            bool(about & {base.__name__ for base in kind.__mro__})
            or issubclass(kind, NOT_THE_DRIVERS_OWN)
            or next(iter(error.args), None) in _OF_VALUES
        )


def error_text(error: BaseException) -> str:
    """Return what a driver's error says, fit for a log."""
    # The first line: what follows quotes the row. What the row's values may be is masked.
    return excerpt(mask_numbers(next(iter(str(error).strip().splitlines()), type(error).__name__))).rstrip(".")


def driver_error(connection: Any) -> type[BaseException]:
    """Return the base of a driver's errors: PEP 249 puts it on the connection or, at least, into the module.

    :raises InvalidArgument: when the connection is no PEP 249 driver's.
    """
    found = getattr(connection, "Error", None)
    module = type(connection).__module__
    while found is None and module:
        found = getattr(sys.modules.get(module), "Error", None)
        module = module.rpartition(".")[0]
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    raise InvalidArgument(
        f"The SQL connection's driver ({type(connection).__module__}) is no PEP 249 one; use an Airflow connection "
        f"of a SQL database."
    )
