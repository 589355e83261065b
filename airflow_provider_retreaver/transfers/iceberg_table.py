"""An Iceberg table to which exported files are added, through pyiceberg."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, TableNotWritten
from airflow_provider_retreaver.core.optional_packages import require_package
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.core.secrets import MIN_LENGTH, Secret, register_secrets
from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.sql_dialects import table_name
from airflow_provider_retreaver.storage.paths import storage_errors
from airflow_provider_retreaver.transfers.manifests import AGAIN, Manifest

# Of a snapshot: the manifest that it added.
DIGEST = "retreaver-manifest"
# What pyiceberg calls the types of the files' columns.
TYPES: Mapping[fields.Kind, str] = {
    fields.TEXT: "string",
    fields.INTEGER: "long",
    fields.DECIMAL: f"decimal({fields.PRECISION}, {fields.SCALE})",
    fields.BOOLEAN: "boolean",
    fields.TIMESTAMP: "timestamptz",
    fields.JSON: "string",
    fields.MAP: "map<string, string>",
}


def catalog_properties(conn_id: str) -> dict[str, str]:
    """Return the properties of a catalog from an Airflow connection; its secrets are masked from then on.

    :param conn_id: ID of the connection.
    :return: the extra's properties as texts, with `uri` and `credential` where host and password are given.
    :raises InvalidArgument: when pyiceberg is missing, or the connection names no catalog, or one that needs another
        SQLAlchemy.
    """
    require_package("pyiceberg", "An Iceberg table")
    from airflow.providers.common.compat.sdk import BaseHook, mask_secret

    connection = BaseHook.get_connection(conn_id)
    given: Mapping[str, Any] = connection.extra_dejson
    properties = {str(name): value if isinstance(value, str) else str(value) for name, value in given.items()}
    if connection.host:
        properties.setdefault("uri", connection.host)
    if connection.password:
        login = f"{connection.login}:" if connection.login else ""
        properties.setdefault("credential", f"{login}{connection.password}")
    if not {"type", "uri", "py-catalog-impl"} & set(properties):
        raise InvalidArgument(
            f"iceberg_conn_id: connection {one_line(conn_id)} names no catalog; give the host of a REST catalog, or "
            f"the property type in its extra."
        )
    kind = properties.get("type", "")
    sql = kind in {"sql", "in-memory"} or (not kind and properties.get("uri", "").startswith(("sqlite", "postgres")))
    if sql and (installed := version("sqlalchemy")).startswith("1."):
        raise InvalidArgument(
            f"iceberg_conn_id: connection {one_line(conn_id)} leads to pyiceberg's catalog in SQL, which needs "
            f"SQLAlchemy 2, and this Airflow has {installed}; use a REST catalog, for example, or Airflow 3."
        )
    secrets = [connection.password or "", *(value for name, value in properties.items() if _is_secret(name))]
    long = [secret for secret in secrets if len(secret) >= MIN_LENGTH]
    register_secrets([Secret(secret) for secret in long])
    for secret in long:
        mask_secret(secret)
    return properties


def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in ("secret", "token", "credential", "password", "account-key", "sas"))


def namespaced(table: object) -> str:
    """Check the name of a table.

    :param table: `namespace.calls`, or with a namespace of two parts.
    :return: the name.
    :raises InvalidArgument: when it has no namespace or is no name.
    """
    name = table_name(table)
    if "." not in name:
        raise InvalidArgument(f"table must have a namespace, like lake.{name}.")
    return name


class IcebergTable:
    """A table that may not exist yet.

    :param properties: of its catalog.
    :param name: checked name of the table.
    """

    def __init__(self, properties: Mapping[str, str], name: str) -> None:
        self._properties = properties
        self._name = name
        self._catalog: Any = None
        self._opened: Any = None

    def close(self) -> None:
        """Close the catalog's connections, where it has any."""
        if self._catalog is not None:
            self._catalog.close()

    def add(self, manifest: Manifest, *, create: bool) -> bool:
        """Add the files of a manifest in one commit.

        :param manifest: of an export.
        :param create: whether a table that does not exist is created.
        :return: False when they were added before.
        :raises InvalidArgument: when the table does not exist or has other columns.
        :raises TableNotWritten: when catalog or storage fail; nothing of the manifest was added.
        """
        with self._errors(manifest):
            table = self._table(manifest, create=create)
            if not manifest.calls:
                return True
            self._check(table)
            # Snapshots expire, and maintenance replaces files: either says that the manifest was added.
            summaries = [snapshot.summary for snapshot in table.snapshots()]
            if any(summary is not None and summary.get(DIGEST) == manifest.digest for summary in summaries):
                return False
            there = set(table.inspect.files()["file_path"].to_pylist())
            copies = {f"{table.location()}/data/{path}": path for path in manifest.files}
            new = [copy for copy in copies if copy not in there]
            if not new:
                return False
            for copy in new:
                _copy(manifest, copies[copy], table.io.new_output(copy))
            table.add_files(new, snapshot_properties={DIGEST: manifest.digest})
        return True

    def _check(self, table: Any) -> None:
        """Check that the table has the columns of an export; files are added to it unread."""
        there = {field.name: str(field.field_type) for field in table.schema().fields}
        for name, kind in fields.columns("map").items():
            if there.get(name) != TYPES[kind]:
                raise InvalidArgument(
                    f"Table {self._name} has {there.get(name) or 'nothing'} as its column {name}, and the files have "
                    f"{TYPES[kind]}; give a table with the columns of the export, or one that does not exist."
                )

    def _table(self, manifest: Manifest, *, create: bool) -> Any:
        """Return the table as it is now."""
        from pyiceberg.catalog import load_catalog
        from pyiceberg.exceptions import NoSuchTableError

        if self._opened is not None:
            return self._opened.refresh()
        properties = dict(self._properties)
        catalog = self._catalog = self._catalog or load_catalog(properties.pop("name", "default"), **properties)
        try:
            self._opened = catalog.load_table(self._name)
        except NoSuchTableError:
            if not create:
                raise InvalidArgument(
                    f"There is no table {self._name}; create it, or set create_table=True."
                ) from None
            catalog.create_namespace_if_not_exists(self._name.rpartition(".")[0])
            self._opened = catalog.create_table_if_not_exists(self._name, schema=_schema(manifest))
        return self._opened

    @contextmanager
    def _errors(self, manifest: Manifest) -> Generator[None]:
        try:
            yield
        except RetreaverError:
            raise
        except Exception as error:  # noqa: BLE001 - each catalog and each storage has errors of its own
            message = _said(error)
        else:
            return
        raise TableNotWritten(
            f"Table {self._name} did not take the calls of {manifest.path}: {message}. Nothing of this manifest was "
            f"added; a retry adds it, and manifests that were added before it stay."
        )


def _said(error: Exception) -> str:
    return one_line(" ".join(str(error).split()) or type(error).__name__, 400).rstrip(".")


def _schema(manifest: Manifest) -> Any:
    """Return the columns of a manifest's files."""
    from pyarrow import PythonFile, parquet

    with (manifest.folder / manifest.files[0]).open("rb") as file:
        return parquet.read_schema(PythonFile(file, mode="r"))


def _copy(manifest: Manifest, path: str, output: Any) -> None:
    with (
        storage_errors(f"Reading {path} of the manifest {manifest.path}", AGAIN),
        (manifest.folder / path).open("rb") as source,
        output.create(overwrite=True) as target,
    ):
        shutil.copyfileobj(source, target, 1 << 20)
