"""Exported calls into a table of a warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_retreaver.transfers.manifest_base import ManifestOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_retreaver.domain.calls.engines import EngineName
    from airflow_provider_retreaver.domain.calls.merging import Merging


class RetreaverMergeCallsOperator(ManifestOperator):
    """Merge the Parquet files of exports into a table of a warehouse: one row a call, the newest version of each.

    The engine reads the files where they are; PostgreSQL, which cannot, gets their rows by COPY. The newest
    `updated_at` of a uuid wins, and of two versions with the same one the one that is merged later, so that restated
    and late calls are as a fresh load would have them. Each manifest is loaded once: a table named like the target
    with `_manifests` lists what was loaded. A task that is repeated, killed or cleared leaves the same rows. Needs
    the extra `[warehouse]`. See docs/warehouse.md.

    :param manifest: path of the manifest of an export with `format="parquet"` and `tags="map"`, or a list of several,
        such as the results of mapped exports, merged in this order. None (an export without calls) is left out.
    :param sql_conn_id: ID of the warehouse's Airflow connection.
    :param table: `calls`, `schema.calls` or `catalog.schema.calls`.
    :param engine: `bigquery`, `databricks`, `duckdb`, `postgresql`, `redshift`, `snowflake` or `trino`; by default
        what the connection leads to.
    :param columns: columns of the table to columns of the files, e.g. `{"id": "uuid", "changed": "updated_at"}`; all,
        under their own names, by default.
    :param create_table: whether a table that does not exist is created.
    :param location: folder of the files as the engine sees it, e.g. `@calls_stage` on Snowflake; by default the
        export's destination without the Airflow connection in it.
    :param stage_in: schema for the tables into which files are loaded first; that of `table` by default. For Trino, a
        schema of a Hive catalog.
    :param iam_role: for Redshift, `default` or the ARN of the role that reads the files.
    :param allow_incomplete: merge also an export that could not be proved complete, instead of failing.
    :param hook_params: further parameters of the connection's hook.
    :return: `{"table", "loaded", "skipped", "calls", "changed"}`: manifests that were loaded and that had been loaded
        before, the calls of the former, and the rows of the table that are new or changed (None where the engine does
        not report it).
    :raises InvalidArgument: for a wrong parameter, or a manifest that is gone, damaged, of another kind or of another
        account; nothing was loaded.
    :raises StorageFailed: when files of a manifest are gone or have another size.
    :raises TableNotWritten: naming the manifest that the warehouse did not take; those before it are merged.
    """

    template_fields = (
        "manifest", "sql_conn_id", "table", "engine", "columns", "create_table", "location", "stage_in", "iam_role",
        "allow_incomplete", "hook_params",
    )  # fmt: skip

    def __init__(
        self,
        *,
        manifest: str | Sequence[str | None] | None,
        sql_conn_id: str,
        table: str,
        engine: Literal["bigquery", "databricks", "duckdb", "postgresql", "redshift", "snowflake", "trino"]
        | None = None,
        columns: Mapping[str, str] | None = None,
        create_table: bool | str = True,
        location: str | None = None,
        stage_in: str | None = None,
        iam_role: str = "default",
        allow_incomplete: bool | str = False,
        hook_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(manifest=manifest, allow_incomplete=allow_incomplete, **kwargs)
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.engine = engine
        self.columns = columns
        self.create_table = create_table
        self.location = location
        self.stage_in = stage_in
        self.iam_role = iam_role
        self.hook_params = hook_params

    def load(self, context: Context) -> dict[str, Any]:
        """Merge the manifests."""
        from airflow_provider_retreaver.core.parameters import flag
        from airflow_provider_retreaver.hooks.sql_thread import DatabaseThread
        from airflow_provider_retreaver.transfers.merge_statements import files_of
        from airflow_provider_retreaver.transfers.warehouse_load import Merged, Warehouse

        create = flag(self.create_table, "create_table")
        manifests = self.read_manifests(context)
        hook, merging = self._merging()
        files = [(manifest, files_of(manifest, self.location)) for manifest in manifests]
        if not files:
            self.log.info("No export had calls; nothing was merged")
            return dict(Merged(table=merging.table, loaded=[], skipped=[], calls=0, changed=0))
        with DatabaseThread(lambda: _connection(hook, merging)) as thread:
            warehouse = Warehouse(thread, merging)
            warehouse.prepare(create=create)
            return dict(warehouse.merge(files))

    def _merging(self) -> tuple[DbApiHook, Merging]:
        from airflow_provider_retreaver.core.parameters import is_given, mapping
        from airflow_provider_retreaver.hooks.sql import sql_hook
        from airflow_provider_retreaver.transfers.merge_statements import merging_of

        parameters = None if self.hook_params is None else mapping(self.hook_params, "hook_params")
        hook = sql_hook(self.sql_conn_id, parameters)
        engine = self.engine if self.engine is not None and is_given(self.engine) else _engine_of(hook)
        return hook, merging_of(engine, self.table, self.columns, self.stage_in, self.iam_role)


def _engine_of(hook: DbApiHook) -> EngineName:
    from airflow_provider_retreaver.core.errors import InvalidArgument
    from airflow_provider_retreaver.domain.calls.engines import ENGINES

    # The dialect of Redshift is that of PostgreSQL, so the type comes first.
    for attribute in ("conn_type", "dialect_name"):
        found = str(getattr(hook, attribute))
        name = {"postgres": "postgresql", "gcpbigquery": "bigquery"}.get(found, found)
        for engine in ENGINES:
            if name == engine:
                return engine
    raise InvalidArgument(
        f"engine: a connection of type {hook.conn_type} leads to none of {', '.join(ENGINES)}; give the engine."
    )


def _connection(hook: DbApiHook, merging: Merging) -> Any:
    from airflow_provider_retreaver.transfers.warehouse_load import WarehouseConnection

    connection = hook.get_conn()
    if hook.supports_autocommit and merging.traits.transactions:
        hook.set_autocommit(connection, autocommit=False)
    return WarehouseConnection(connection, merging.traits)
