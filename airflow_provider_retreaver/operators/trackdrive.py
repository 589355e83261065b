"""Operators for TrackDrive's buyer groups (TrackDrive's reference: "buyer_groups")."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.links import FileLink, TrackDriveLink, note_file, note_objects
from airflow_provider_retreaver.operators.base import publish_partial
from airflow_provider_retreaver.operators.generic.creating import CreatesOnce
from airflow_provider_retreaver.operators.generic.parameters import note_entry, read_attributes
from airflow_provider_retreaver.operators.generic.reading import limited_rows, masked_rows, row_limit
from airflow_provider_retreaver.operators.run_base import partial_failure
from airflow_provider_retreaver.operators.trackdrive_base import (
    TrackDriveOperator,
    TrackDriveWriteOperator,
    one_group_id,
)
from airflow_provider_retreaver.operators.trackdrive_delete import TrackDriveBuyerGroupDeleteOperator
from airflow_provider_retreaver.operators.trackdrive_update import TrackDriveBuyerGroupUpdateOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Listing, Row
    from airflow_provider_retreaver.domain.trackdrive.created_group import CreateResult
    from airflow_provider_retreaver.resources.entry import ObjectReference

__all__ = [
    "TrackDriveBuyerGroupCreateOperator",
    "TrackDriveBuyerGroupDeleteOperator",
    "TrackDriveBuyerGroupGetOperator",
    "TrackDriveBuyerGroupListOperator",
    "TrackDriveBuyerGroupUpdateOperator",
]

Time = datetime | date | str


class TrackDriveBuyerGroupListOperator(TrackDriveOperator):
    """List the buyer groups: return a short list, or write a long one to object storage.

    Returns the rows, or `{"resource", "path", "rows", "bytes"}`. Rows are read as JSON, page by page, and files are
    written from them as they come: TrackDrive's CSV says neither how many rows there are nor of which types they are,
    so that a list which broke off could pass for whole. TrackDrive's reference: "GET /api/v1/buyer_groups"; see
    docs/trackdrive.md.

    :param columns: names of columns, in a list or a text with commas; None for all. Fewer make it faster; `id` is
        always among them.
    :param order: name of an order, which are not those of the columns; None for `created_at`.
    :param order_dir: `asc` or `desc`.
    :param fulltext: text that a group must match.
    :param created_at_from: groups created from then on: aware datetime, RFC 3339 with an offset, a date (midnight
        UTC), or `2016-01-01 12:25:15 -0500`.
    :param created_at_to: groups created until then.
    :param time_zone: sent as it is; the times above have an offset of their own.
    :param root: False to have the list sent without its root node and metadata.
    :param per_page: rows of a page; None for the connection's.
    :param limit: rows to return at most, up to 1,000. A longer list is an error, never cut silently.
    :param truncate: return the first `limit` rows of a longer list, and log that there are more.
    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/groups.csv`; replaced when it exists.
    :param format: of the file: `jsonl` (rows as TrackDrive sends them), `csv` or `parquet` (needs pyarrow).
    :param csv_escape_formulas: for `csv`: put an apostrophe before cells that a spreadsheet would run as a formula.
    :param trackdrive_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    """

    template_fields = (
        *TrackDriveOperator.template_fields,
        *("columns", "order", "order_dir", "fulltext", "created_at_from", "created_at_to", "time_zone", "root"),
        *("per_page", "limit", "truncate", "destination", "format", "csv_escape_formulas"),
    )
    operator_extra_links = (TrackDriveLink(), FileLink())

    def __init__(
        self,
        *,
        columns: str | list[str] | None = None,
        order: str | None = None,
        order_dir: Literal["asc", "desc"] = "asc",
        fulltext: str | None = None,
        created_at_from: Time | None = None,
        created_at_to: Time | None = None,
        time_zone: str | None = None,
        root: bool | str = True,
        per_page: int | str | None = None,
        limit: int | str | None = None,
        truncate: bool | str = False,
        destination: str | None = None,
        format: Literal["jsonl", "csv", "parquet"] = "jsonl",  # noqa: A002 - the usual name
        csv_escape_formulas: bool | str = False,
        trackdrive_conn_id: str = "trackdrive_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        self.columns = columns
        self.order = order
        self.order_dir = order_dir
        self.fulltext = fulltext
        self.created_at_from = created_at_from
        self.created_at_to = created_at_to
        self.time_zone = time_zone
        self.root = root
        self.per_page = per_page
        self.limit = limit
        self.truncate = truncate
        self.destination = destination
        self.format = format
        self.csv_escape_formulas = csv_escape_formulas

    def execute(self, context: Context) -> list[Row] | dict[str, object]:
        """List the groups."""
        from airflow_provider_retreaver.resources.trackdrive.buyer_groups import check_columns
        from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS
        from airflow_provider_retreaver.resources.trackdrive.fields import COLUMNS
        from airflow_provider_retreaver.storage.csv_cells import escapes_formulas
        from airflow_provider_retreaver.storage.table_files import check_table_format, write_table

        with self.connected() as hook:
            note_objects(self, context, hook, BUYER_GROUPS.name)
            limit, format_ = row_limit(self.limit, self.destination), check_table_format(self.format)
            truncate = flag(self.truncate, "truncate")
            escape = escapes_formulas(self.csv_escape_formulas, format_)
            listing = self._listing()
            with closing(masked_rows(hook, listing)) as rows:
                if limit is not None:
                    found = limited_rows(rows, limit, "The list of buyer groups", truncate=truncate)
                    self.log.info("Listed %d buyer groups", len(found))
                    self.update_outlet_events(context, resource="buyer_groups", rows=len(found))
                    return found
                chosen = check_columns(self.columns) or list(COLUMNS)
                columns = {name: COLUMNS[name] for name in chosen}
                written = write_table(str(self.destination), rows, columns, format_, escape=escape)
            note_file(context, hook, self.destination)
            result: dict[str, object] = {"resource": "buyer_groups", **written}
            self.update_outlet_events(context, **result)
            return result

    def _listing(self) -> Listing:
        from airflow_provider_retreaver.core.parameters import is_given, number
        from airflow_provider_retreaver.resources.trackdrive.buyer_groups import list_buyer_groups

        optional = ("fulltext", "created_at_from", "created_at_to", "time_zone", "order")
        given: dict[str, Any] = {name: getattr(self, name) for name in optional if is_given(getattr(self, name))}
        return list_buyer_groups(
            columns=self.columns,
            order_dir=self.order_dir,
            root=flag(self.root, "root"),
            per_page=number(self.per_page, "per_page", 1),
            **given,
        )


class TrackDriveBuyerGroupGetOperator(TrackDriveOperator):
    """Get one buyer group; returns it as TrackDrive returns it.

    TrackDrive's reference: "GET /api/v1/buyer_groups/:id".

    :param buyer_group_id: TrackDrive's own ID.
    :param missing_ok: return None when there is no such group, instead of failing.
    :param trackdrive_conn_id: ID of the connection.
    :raises InvalidArgument: when a parameter is wrong; nothing was sent.
    :raises NotFound: when there is no such group and `missing_ok` is false.
    """

    template_fields = (*TrackDriveOperator.template_fields, "buyer_group_id", "missing_ok")

    def __init__(
        self,
        *,
        buyer_group_id: int | str,
        missing_ok: bool | str = False,
        trackdrive_conn_id: str = "trackdrive_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        self.buyer_group_id = buyer_group_id
        self.missing_ok = missing_ok

    def execute(self, context: Context) -> Row | None:
        """Get the group."""
        from airflow_provider_retreaver.domain.resources import procedures
        from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS

        with self.connected() as hook:
            reference, missing_ok = _reference(self.buyer_group_id), flag(self.missing_ok, "missing_ok")
            row: Row | None = hook.run(procedures.get(BUYER_GROUPS, reference, missing_ok=missing_ok))
            if row is not None:
                note_entry(self, context, hook, BUYER_GROUPS, row.get("id"))
            self.log.info("Found no %s" if row is None else "Read the %s", BUYER_GROUPS.describe(reference))
            return row


class TrackDriveBuyerGroupCreateOperator(CreatesOnce, TrackDriveWriteOperator):
    """Create a buyer group, once.

    Two groups may have the same name, so that the list of groups is read before; after a lost answer it is read
    again, and exactly one new group that is as requested is taken for the one that was created. Returns the rows
    `changed`, `unchanged` and `failed` of the routing operators, a row of `changed` for each attribute (a dry run has
    `would_change`), and `{"id", "customer_id", "action": "created", "not_compared", "object"}`; e-mail addresses are
    only counted. The task fails where the list shows attributes otherwise than requested (`not_taken`); the group is
    there then, and no retry creates another one. A task that sends invitations needs a state that lasts, or no
    retries. TrackDrive's reference: "POST /api/v1/buyer_groups/:id"; see docs/trackdrive.md.

    :param attributes: of the new group, e.g. `{"name": "Roofers", "buyer_ids": [100123]}`; `name` is needed.
    :param state_path: folder on object storage for the state of a run, where Airflow has no task state store.
    :param dry_run: check whether it could be created; nothing is sent.
    :param trackdrive_conn_id: ID of the connection.
    :raises InvalidArgument: naming the attribute that is unknown, wrong or missing; nothing was sent.
    :raises OutcomeUnknown: when the answer was lost, and a check did not find out either.
    :raises PartialFailure: when it was created, and some attributes are read back otherwise than requested.
    :raises RunUnderWay: when another run holds the lease below `state_path` for long, or has taken over.
    """

    template_fields = (*TrackDriveWriteOperator.template_fields, "attributes", "state_path")

    def __init__(
        self,
        *,
        attributes: Mapping[str, object] | str,
        state_path: str | None = None,
        dry_run: bool | str = False,
        trackdrive_conn_id: str = "trackdrive_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        self.attributes = attributes
        self.state_path = state_path

    def execute(self, context: Context) -> CreateResult:
        """Create the group."""
        from airflow_provider_retreaver.domain.trackdrive.created_group import with_rows
        from airflow_provider_retreaver.resources.trackdrive.buyer_groups import create_buyer_group
        from airflow_provider_retreaver.resources.trackdrive.checks import BLANK
        from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS

        with self.connected() as hook:
            body = create_buyer_group(read_attributes(self.attributes)).request.body
            # A new group has no limit that could be cleared.
            attributes = {name: value for name, value in body.items() if value != BLANK}
            self.check_retries(context, BUYER_GROUPS, attributes)
            result = with_rows(self.create_once(context, hook, BUYER_GROUPS, attributes))
            if result["failed"]:
                publish_partial(context, result)
                raise partial_failure("created as requested", dict(result), 0, result["failed"], final=True)
            return result


def _reference(buyer_group_id: object) -> ObjectReference:
    from airflow_provider_retreaver.resources.entry import ObjectReference

    return ObjectReference(one_group_id(buyer_group_id))
