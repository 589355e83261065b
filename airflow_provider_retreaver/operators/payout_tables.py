"""The operator for payout bid modification tables: upload, activate, and put the former one back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.change_base import RetreaverResumableOperator
from airflow_provider_retreaver.operators.run_base import Result, Run, save_record
from airflow_provider_retreaver.operators.target_choice import object_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.payout_tables.change import TableRun
    from airflow_provider_retreaver.domain.payout_tables.rules import RuleTable
    from airflow_provider_retreaver.domain.payout_tables.upload import Upload
    from airflow_provider_retreaver.hooks.client_hook import ClientHook

Cell = str | int | float | Decimal
SOURCES = ("csv", "source", "rows", "restore")
# Parameters of an upload, which have no meaning for `restore`.
OF_AN_UPLOAD = ("table_version", "salt")
MOST_PAYOUT = 1000


class RetreaverPayoutTableOperator(RetreaverResumableOperator):
    """Upload a payout bid modification table of a campaign, activate it, or put the former one back.

    Give the rules by `csv`, `source` or `rows`; they are checked completely before anything is sent. A table with the
    same rules (and the same `table_version` and `salt`, where given) is not uploaded again, so that retries and later
    runs are safe. It becomes active only with `activate` and `confirm`: **that changes the payouts of live traffic at
    once**, and deactivates the campaign's other table. When others have changed which table is active since the run
    began, nothing is activated. `restore` takes the result of an earlier task and activates the table that was active
    before it. Returns::

        {"changed": [{"kind", "id", "name", "field", "before", "after"}, …],
         "unchanged": [{"kind", "id", "name"}, …],
         "failed": [{"kind", "id", "error"}, …],
         "changed_by_others": 0, "warnings": […],
         "table": {"campaign_id", "id", "table_version", "rules", "active_before", "active"},
         "difference": {"added", "removed", "changed", "reordered", "added_ids", …}}

    (`kind` is campaign or payout_table; the difference is that to the active table, by `rule_id`; a dry run has
    `would_change`). A column `affiliate_id` is held against the customer's ID and `system_affiliate_id` against
    Retreaver's own, as for campaigns and targets: the wrong one matches silently. Retreaver's reference: "Payout bid
    modification tables"; see docs/payout-tables.md.

    :param campaign_id: Retreaver's own ID of the campaign; its `cid` is refused. Exactly one of this and
        `campaign_name`.
    :param csv: the rules as text. Give exactly one of `csv`, `source`, `rows` and `restore`.
    :param source: file on object storage with the rules as CSV, compressed with gzip, bzip2, xz or zip or not.
    :param encoding: of the file; a byte order mark is handled.
    :param rows: the rules as a list of mappings, such as another task's result, in which a list of values means that
        all of them must hold; or a list of lists that begins with the header.
    :param restore: the result of an earlier task of this operator, whose `active_before` becomes active again; or the
        ID of a table to activate.
    :param table_version: label of the upload, unique within the campaign; by default the table's ID.
    :param salt: of the assignment of calls to buckets; by default Retreaver makes one.
    :param activate: make the uploaded table the active one.
    :param confirm: needed for `activate` and for `restore`, except in a dry run.
    :param overwrite: restore although others have changed which table is active since.
    :param max_payout_pct: the largest percentage that a rule may have; more than 100 pays more than the revenue.
    :param check_ids: look up the IDs in rules on affiliates, campaigns and targets, and warn of those that no object
        has; reads the lists of the kinds that the rules name.
    :param campaign_name: name of the campaign, as written at Retreaver; one that is missing or not unique is refused.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter, or the lines of the rules that cannot be used; nothing was sent.
    :raises ChangeRefused: when `table_version` has other rules already, or others have changed the active table.
    :raises PartialFailure: when another table is active after the change than was meant.
    """

    template_fields = (
        *RetreaverResumableOperator.template_fields,
        *("campaign_id", "csv", "source", "encoding", "rows", "restore", "table_version", "salt", "activate"),
        *("confirm", "overwrite", "max_payout_pct", "check_ids", "campaign_name"),
    )

    action = "active as requested"
    summary = "Fields changed, objects unchanged and failed, and warnings"

    def __init__(
        self,
        *,
        campaign_id: int | str | None = None,
        csv: str | None = None,
        source: str | None = None,
        encoding: str = "utf-8",
        rows: Iterable[Mapping[str, Cell | Sequence[Cell]]] | Iterable[Sequence[Cell]] | str | None = None,
        restore: Mapping[str, object] | int | str | None = None,
        table_version: str | None = None,
        salt: str | None = None,
        activate: bool | str = False,
        confirm: bool | str = False,
        overwrite: bool | str = False,
        max_payout_pct: int | str = 100,
        check_ids: bool | str = True,
        campaign_name: str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(state_path=state_path, dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.campaign_id = campaign_id
        self.csv = csv
        self.source = source
        self.encoding = encoding
        self.rows = rows
        self.restore = restore
        self.table_version = table_version
        self.salt = salt
        self.activate = activate
        self.confirm = confirm
        self.overwrite = overwrite
        self.max_payout_pct = max_payout_pct
        self.check_ids = check_ids
        self.campaign_name = campaign_name

    def create_run(self, context: Context) -> Run:
        """Return the run, after all parameters and rules were checked."""
        from airflow_provider_retreaver.domain.changes.record import Record
        from airflow_provider_retreaver.domain.payout_tables.by_name import RunOfNamedCampaign
        from airflow_provider_retreaver.domain.payout_tables.restoring import Restoration, RestoreTable
        from airflow_provider_retreaver.domain.payout_tables.upload import UploadTable
        from airflow_provider_retreaver.resources.payout_tables import own_id

        name = object_name(self, "campaign_id", "campaign_name")
        campaign_id = own_id(self.campaign_id, "campaign_id") if name is None else None
        dry_run = self.is_dry_run()
        (given,) = self._given_source()
        activate, overwrite = flag(self.activate, "activate"), flag(self.overwrite, "overwrite")
        if (activate or given == "restore") and not (dry_run or flag(self.confirm, "confirm")):
            raise InvalidArgument(
                "Another active payout table changes the payouts of live traffic at once. Set confirm=True if that "
                "is meant, or dry_run=True to see the difference; nothing was sent."
            )
        warning = "a retry would not know which table was active before; set state_path."
        state = self.run_state(context, "payout_table", warning=warning if activate or given == "restore" else None)
        record, save = Record.load(state.load()), save_record(state)
        if given == "restore":
            Restoration.parse(self.restore, campaign_id, overwrite=overwrite)

            def create(id_: int) -> TableRun:
                restoration = Restoration.parse(self.restore, id_, overwrite=overwrite)
                return RestoreTable(id_, restoration, record=record, save=save, dry_run=dry_run)
        else:
            upload = self._upload(given, activate=activate)

            def create(id_: int) -> TableRun:
                return UploadTable(id_, upload, record=record, save=save, dry_run=dry_run)

        return create(campaign_id) if campaign_id is not None else RunOfNamedCampaign(str(name), record, create)

    def _upload(self, given: str, *, activate: bool) -> Upload:
        from airflow_provider_retreaver.domain.payout_tables.upload import Upload

        labels = {
            name: parameters.text(getattr(self, name), name) if parameters.is_given(getattr(self, name)) else None
            for name in OF_AN_UPLOAD
        }
        check_ids = flag(self.check_ids, "check_ids")
        return Upload(self._read_rules(given), **labels, activate=activate, check_ids=check_ids)

    def note_result(self, context: Context, hook: ClientHook[Any], result: Result) -> None:
        """Note for the task's link where the campaign is shown."""
        # A campaign that could not be found by its name has no page.
        if "table" in result:
            note_objects(self, context, hook, "campaigns", (result["table"]["campaign_id"],))

    def done_objects(self, result: Result) -> int:
        """Return how many of campaign and table are as they should be."""
        return len({(row["kind"], row["id"]) for row in (*result["changed"], *result["unchanged"])})

    def event_extra(self, result: Result) -> dict[str, object]:
        """Return the IDs of campaign and tables, and how much was changed."""
        table: Mapping[str, object] = result["table"]
        names = ("campaign_id", "id", "active_before", "active")
        return {"changed": len(result["changed"]), **{name: table[name] for name in names}}

    def _given_source(self) -> list[str]:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidArgument(
                f"Give exactly one of {', '.join(SOURCES)}, not {' and '.join(given) or 'none'}; nothing was sent."
            )
        if given == ["restore"]:
            named = [name for name in OF_AN_UPLOAD if getattr(self, name) is not None]
            named += ["activate"] if flag(self.activate, "activate") else []
            if named:
                raise InvalidArgument(f"{named[0]} goes with an upload, and restore uploads nothing: leave it out.")
        elif flag(self.overwrite, "overwrite"):
            raise InvalidArgument("overwrite goes with restore, and not with an upload: leave it out.")
        return given

    def _read_rules(self, given: str) -> RuleTable:
        from airflow_provider_retreaver.domain.payout_tables.rules import read_table
        from airflow_provider_retreaver.domain.payout_tables.sources import csv_cells, given_cells

        most = Decimal(parameters.whole(self.max_payout_pct, "max_payout_pct", 1, MOST_PAYOUT))
        if given == "rows":
            return read_table(given_cells(self.rows), "rows", most)
        where = "csv" if given == "csv" else str(self.source)
        content = self.csv if given == "csv" else self._read_file()
        if not isinstance(content, str):
            raise InvalidArgument(f"csv must be a text, not {type(content).__name__}.")
        return read_table(csv_cells(content, where), where, most)

    def _read_file(self) -> str:
        from airflow_provider_retreaver.core.quoting import one_line
        from airflow_provider_retreaver.domain.payout_tables.sources import read_file
        from airflow_provider_retreaver.storage.paths import destination_errors, storage_path

        file = storage_path(self.source, "source")
        with destination_errors(f"source: {one_line(file)} cannot be read"):
            if not file.is_file():
                raise InvalidArgument(f"There is no file {self.source} (source); nothing was sent.")
            with file.open("rb") as stream:
                return read_file(stream, str(self.source), self.encoding)
