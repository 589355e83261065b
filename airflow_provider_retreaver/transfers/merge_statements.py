"""The statements that merge exports into a warehouse, for operators of the engine's own provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.optional_packages import require_package
from airflow_provider_retreaver.core.parameters import flag, is_given, mapping, one_of
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.domain.calls.engines import ENGINES, EngineName
from airflow_provider_retreaver.domain.calls.merge_columns import table_columns
from airflow_provider_retreaver.domain.calls.merging import Files, Merging
from airflow_provider_retreaver.domain.calls.sql_dialects import table_name
from airflow_provider_retreaver.transfers.manifests import Manifest, read_manifest


def merge_statements(
    manifest: str | Sequence[str | None] | None,
    *,
    engine: EngineName,
    table: str,
    columns: Mapping[str, str] | None = None,
    create_table: bool | str = True,
    location: str | None = None,
    stage_in: str | None = None,
    iam_role: str = "default",
    allow_incomplete: bool | str = False,
) -> list[str]:
    """Return the statements that merge manifests into a table, in the engine's SQL, to be executed one by one.

    They are those of `RetreaverMergeCallsOperator`, which checks more: that a manifest was not loaded before (here it
    is loaded again, which changes nothing) and that it is of the same company. Stages may be temporary tables, so all
    are to be executed in one session. See docs/warehouse.md.

    :param manifest: path of the manifest of an export with `format="parquet"` and `tags="map"`, or a list of several,
        merged in this order. None (an export without calls) is left out.
    :param engine: `bigquery`, `databricks`, `duckdb`, `redshift`, `snowflake` or `trino`. PostgreSQL reads no files.
    :param table: `calls`, `schema.calls` or `catalog.schema.calls`.
    :param columns: columns of the table to columns of the files; all, under their own names, by default.
    :param create_table: whether a table that does not exist is created.
    :param location: folder of the files as the engine sees it; by default the export's destination without the
        Airflow connection in it.
    :param stage_in: schema for the tables into which files are loaded first; that of `table` by default.
    :param iam_role: for Redshift, `default` or the ARN of the role that reads the files.
    :param allow_incomplete: take also an export that could not be proved complete, instead of failing.
    :return: the statements; empty where no export has calls.
    :raises InvalidArgument: for a wrong parameter, or a manifest that is gone, damaged or of another kind.
    :raises StorageFailed: when files of a manifest are gone or have another size.
    """
    if engine == "postgresql":
        raise InvalidArgument("engine: PostgreSQL reads no files; use RetreaverMergeCallsOperator, which sends them.")
    create = flag(create_table, "create_table")
    merging = merging_of(engine, table, columns, stage_in, iam_role)
    manifests = read_manifests(manifest, allow_incomplete=allow_incomplete)
    if not manifests:
        return []
    own, ledger = merging.create()
    found = [own, ledger] if create else [ledger]
    for one in manifests:
        files = files_of(one, location)
        if files.paths:
            found += [*merging.load(files), *merging.merge(files)]
        found += [merging.record(one.path, one.digest, one.account, one.calls, once=True)]
        found += merging.drop(files) if files.paths else []
    return found


def newest_view(view: str, *, table: str, engine: EngineName, columns: Mapping[str, str] | None = None) -> str:
    """Return the statement that makes a view of the newest version of each call, in the engine's SQL.

    For a table that has a row for every version, such as that of `RetreaverAddCallsToIcebergOperator`.

    :param view: `calls_newest`, `schema.calls_newest` or `catalog.schema.calls_newest`.
    :param table: that has all versions, as the engine names it.
    :param engine: `bigquery`, `databricks`, `duckdb`, `postgresql`, `redshift`, `snowflake` or `trino`.
    :param columns: columns of the table to columns of the files; all, under their own names, by default.
    :return: the statement.
    :raises InvalidArgument: for a wrong parameter.
    """
    return merging_of(engine, table, columns).newest_view(table_name(view))


def read_manifests(given: object, *, allow_incomplete: bool | str) -> list[Manifest]:
    """Read manifests and check them.

    :param given: a path, a list of paths, or a template's text of one of them; None is left out.
    :param allow_incomplete: whether exports may be ones that could not be proved complete.
    :return: the manifests, each once.
    :raises InvalidArgument: naming the path of one that cannot be merged.
    :raises StorageFailed: when files of one are gone or have another size.
    """
    incomplete = flag(allow_incomplete, "allow_incomplete")
    read = read_rendered(given, "manifest")
    paths = list(read) if isinstance(read, Iterable) and not isinstance(read, str) else [read]
    if not paths:
        raise InvalidArgument("manifest must be the path of a manifest or a list of them, not an empty list.")
    for path in paths:
        if path is not None and (not isinstance(path, str) or not is_given(path)):
            raise InvalidArgument(f"manifest must be the path of a manifest or a list of them, not {quoted(path)}.")
    return [read_manifest(path, allow_incomplete=incomplete) for path in dict.fromkeys(paths) if path is not None]


def merging_of(
    engine: EngineName, table: object, columns: object, stage_in: object = None, iam_role: object = "default"
) -> Merging:
    """Return the statements of a table, from parameters.

    :param engine: name of the engine.
    :param table: name of the table.
    :param columns: columns of the table to columns of the files, or None.
    :param stage_in: schema of the stages, or None.
    :param iam_role: for Redshift.
    :return: the statements.
    :raises InvalidArgument: naming the parameter that is wrong, or saying which package is missing.
    """
    require_package("sqlglot", "Merging")
    chosen: EngineName = one_of(engine, ENGINES, "engine")
    if chosen == "postgresql":
        # Which reads no files: their rows are sent to it.
        require_package("pyarrow", "Merging into PostgreSQL")
    where = table_name(table)
    stages = table_name(stage_in) if is_given(stage_in) else None
    named = table_columns(None if columns is None else mapping(columns, "columns"))
    return Merging(chosen, where, named, stages, str(iam_role))


def files_of(manifest: Manifest, location: object) -> Files:
    """Return the files of a manifest as the engine sees them.

    :param manifest: the manifest.
    :param location: folder of the files as the engine sees it, or None.
    :return: the files.
    :raises InvalidArgument: when `location` cannot be a folder.
    """
    folder = str(location).rstrip("/") if is_given(location) else _seen_folder(manifest)
    if not folder.isprintable() or "`" in folder:
        raise InvalidArgument("location must be a folder's URL or path without line breaks and backquotes.")
    return Files(folder, manifest.files, manifest.digest)


def _seen_folder(manifest: Manifest) -> str:
    """Return the URL of an export's folder without the Airflow connection in it."""
    path = manifest.folder
    if path.protocol in {"file", ""}:
        return str(path.path).rstrip("/")
    return f"{path.protocol}://{str(path.path).lstrip('/').rstrip('/')}"
