"""Which columns a table of a warehouse has, and the columns of exported files that they get."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.sql_columns import IDENTIFIER

KEY, VERSION = "uuid", "updated_at"


def table_columns(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns of a table and the fields that they get.

    :param given: column names to columns of the export's files; None for all, under their own names.
    :return: the columns in order.
    :raises InvalidArgument: when a field is unknown, or `uuid` or `updated_at` is missing.
    """
    known = fields.columns("map")
    if given is None:
        return {name: name for name in known}
    for name in given:
        if not IDENTIFIER.fullmatch(str(name)):
            raise InvalidArgument(f"columns: {quoted(name)} is no name of a column like call_id.")
    wrong = [name for name in given.values() if name not in known]
    if wrong:
        raise InvalidArgument(
            f"columns: {quoted(wrong[0])} is no column of an exported file; use one of {', '.join(known)}."
        )
    for name in (KEY, VERSION):
        if list(given.values()).count(name) != 1:
            raise InvalidArgument(f"columns must have one column that gets {name}, which merging needs.")
    return dict(given)
