"""The tables of a campaign as they are: which one is active, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_retreaver.core.envelopes import require
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import Each, Procedure, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.payout_tables.content import fingerprint
from airflow_provider_retreaver.resources.payout_tables import list_payout_tables


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table of a campaign; the CSV of tables that are not active is not kept.

    :param id: Retreaver's own ID.
    :param version: its label, or its ID as text.
    :param active: whether it is the campaign's active one.
    :param salt: of the assignment of calls to buckets.
    :param content: what tables with the same cells have in common.
    :param csv_data: its rules, blank for a table that is not active.
    """

    id: int
    version: str
    active: bool
    salt: str
    content: str
    csv_data: str

    @classmethod
    def of(cls, row: Mapping[str, object], request: Request) -> KnownTable:
        """Return what is known of a table.

        :param row: as Retreaver sends it.
        :param request: that it is the answer to.
        :return: the table.
        :raises ProtocolError: when it lacks a field, or one is of another kind.
        """
        values = [require(row, name, request) for name in ("id", "table_version", "active", "salt", "csv_data")]
        id_, version, active, salt, csv_data = values
        for name, value, kind in (("id", id_, int), ("active", active, bool), ("csv_data", csv_data, str)):
            if type(value) is not kind:
                raise ProtocolError(
                    f"The response to {request.label} has a table whose {name} is {quoted(value)}; check that the "
                    f"connection's host is the API.",
                    method=request.method,
                    path=request.path,
                )
        return cls(id_, str(version), active, str(salt), fingerprint(csv_data), csv_data if active else "")


@dataclass(frozen=True, slots=True)
class History:
    """The tables of a campaign, the newest first.

    :param tables: all of them.
    :param active: the active one, None when there is none.
    """

    tables: Sequence[KnownTable]
    active: KnownTable | None

    @property
    def active_id(self) -> int | None:
        """ID of the active table, None when there is none."""
        return None if self.active is None else self.active.id

    def find(self, id_: int | None) -> KnownTable | None:
        """Return a table by its ID.

        :param id_: Retreaver's own ID.
        :return: the table, None when there is none.
        """
        return next((table for table in self.tables if table.id == id_), None)


def read_history(campaign_id: int) -> Procedure[History]:
    """Read the tables of a campaign.

    :param campaign_id: Retreaver's own ID of the campaign.
    :return: the tables.
    :raises NotFound: when there is no such campaign.
    :raises ProtocolError: when several tables are active, or one cannot be read.
    """
    listing = list_payout_tables(campaign_id=campaign_id)
    tables: list[KnownTable] = []

    def visit(row: Row) -> None:
        tables.append(KnownTable.of(row, listing.request))

    yield Each(listing, visit)
    active = [table for table in tables if table.active]
    if len(active) > 1:
        ids = ", ".join(str(table.id) for table in active)
        raise ProtocolError(
            f"The response to {listing.request.label} has several active tables ({ids}), and a campaign has one; "
            f"others may be changing them: try again.",
            method=listing.request.method,
            path=listing.request.path,
        )
    return History(tables, active[0] if active else None)
