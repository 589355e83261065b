"""Exported calls as files of an Iceberg table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.transfers.manifest_base import ManifestOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RetreaverAddCallsToIcebergOperator(ManifestOperator):
    """Add the Parquet files of exports to an Iceberg table, each manifest once, in one commit.

    The files are copied into the table's folder, since an export that is repeated replaces its own, and the table's
    maintenance may remove those that it has. Nothing is read or merged: a call that was updated has a row for each of
    its versions, and `newest_view` of `transfers.merge_statements` makes the view with the newest one. A task that is
    repeated, killed or cleared adds nothing twice. Needs the extra `[iceberg]`. See docs/warehouse.md.

    :param manifest: path of the manifest of an export with `format="parquet"` and `tags="map"`, or a list of several,
        such as the results of mapped exports. None (an export without calls) is left out.
    :param iceberg_conn_id: ID of an Airflow connection of any type whose extra has the properties of a catalog of
        pyiceberg, e.g. `{"type": "glue"}`, and its `name` (`default` by default); its host is the property `uri`,
        login and password are `credential`.
    :param table: `namespace.calls`; both are created when they do not exist.
    :param create_table: whether a table that does not exist is created.
    :param allow_incomplete: add also an export that could not be proved complete, instead of failing.
    :return: `{"table", "loaded", "skipped", "calls"}`: manifests that were added and that had been added before, and
        the calls of the former.
    :raises InvalidArgument: for a wrong parameter, a manifest that is gone, damaged or of another kind, or a table
        with other columns; nothing was added.
    :raises StorageFailed: when files of a manifest are gone or have another size.
    :raises TableNotWritten: naming the manifest that was not added; those before it are.
    """

    template_fields = ("manifest", "iceberg_conn_id", "table", "create_table", "allow_incomplete")

    def __init__(
        self,
        *,
        manifest: str | Sequence[str | None] | None,
        iceberg_conn_id: str,
        table: str,
        create_table: bool | str = True,
        allow_incomplete: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(manifest=manifest, allow_incomplete=allow_incomplete, **kwargs)
        self.iceberg_conn_id = iceberg_conn_id
        self.table = table
        self.create_table = create_table

    def load(self, context: Context) -> dict[str, Any]:
        """Add the manifests."""
        from airflow_provider_retreaver.core.parameters import flag
        from airflow_provider_retreaver.transfers.iceberg_table import IcebergTable, catalog_properties, namespaced

        create = flag(self.create_table, "create_table")
        table = namespaced(self.table)
        manifests = self.read_manifests(context)
        added: dict[str, Any] = {"table": table, "loaded": [], "skipped": [], "calls": 0}
        if not manifests:
            self.log.info("No export had calls; nothing was added")
            return added
        with closing(IcebergTable(catalog_properties(self.iceberg_conn_id), table)) as opened:
            for manifest in manifests:
                if not opened.add(manifest, create=create):
                    self.log.info("%s was added before; it is left out", manifest.path)
                    added["skipped"].append(manifest.path)
                    continue
                self.log.info("Added %d calls of %s to %s", manifest.calls, manifest.path, table)
                added["loaded"].append(manifest.path)
                added["calls"] += manifest.calls
        return added
