"""The SQL that merges exported Parquet files into a table of a warehouse; nothing is executed here.

The merge is written once and rendered by sqlglot for each engine. How files become rows differs: some engines query
them where they are, others copy them into a table first (the stage). The newest `updated_at` of a call wins, and of
two versions with the same one the one that was loaded later; so a manifest that is loaded again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_retreaver.domain.calls import fields
from airflow_provider_retreaver.domain.calls.engines import BY_NAME, TYPES, Engine, EngineName
from airflow_provider_retreaver.domain.calls.merge_columns import KEY, VERSION

if TYPE_CHECKING:
    from sqlglot import exp

# Tables of this package in a warehouse are named after the table that is merged into.
LEDGER, STAGE = "_manifests", "_stage"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one manifest as an engine sees them.

    :param folder: URL or path of their folder, without a slash at its end.
    :param paths: of the files below it, checked.
    :param digest: of the manifest, which names its stage.
    """

    folder: str
    paths: Sequence[str]
    digest: str

    @property
    def urls(self) -> list[str]:
        """URLs or paths of the files."""
        return [f"{self.folder}/{path}" for path in self.paths]


@dataclass(frozen=True, slots=True)
class Merging:
    """The statements of one table.

    :param engine: name of the engine.
    :param table: checked name of the table, of up to three parts.
    :param columns: columns of the table and the fields of a call that they get.
    :param stage_in: schema of the stage, None for the table's own.
    :param iam_role: for Redshift, the role that reads the files: `default`, or its ARN.
    """

    engine: EngineName
    table: str
    columns: Mapping[str, str]
    stage_in: str | None = None
    iam_role: str = "default"

    @property
    def traits(self) -> Engine:
        """What is particular to the engine."""
        return BY_NAME[self.engine]

    @property
    def ledger(self) -> str:
        """Name of the table that lists the manifests that were loaded."""
        return f"{self.table}{LEDGER}"

    def stage(self, files: Files) -> str:
        """Return the name of the stage of a manifest's files.

        :param files: of the manifest.
        :return: a name that attempts of the same manifest share, and others do not.
        """
        name = f"{self.table.rpartition('.')[2]}{STAGE}_{files.digest[:16]}"
        if self.engine in {"postgresql", "redshift"}:
            return name  # temporary tables have no schema
        schema = self.stage_in or self.table.rpartition(".")[0]
        return f"{schema}.{name}" if schema else name

    def kind(self, column: str) -> fields.Kind:
        """Return the kind of a column of the table.

        :param column: its name.
        :return: the kind.
        """
        return fields.columns("map")[self.columns[column]]

    def create(self) -> list[str]:
        """Return the statements that create table and ledger where they do not exist.

        :return: the statements.
        """
        key = self._column_of(KEY)
        rows = [f"{name} {'TEXT NOT NULL' if name == key else self._type(name)}" for name in self.columns]
        if self.engine in {"duckdb", "postgresql"}:
            rows.append(f"PRIMARY KEY ({key})")
        ledger = "manifest TEXT, digest TEXT, account TEXT, calls BIGINT, loaded_at TIMESTAMPTZ"
        return [
            self._render(f"CREATE TABLE IF NOT EXISTS {self.table} ({', '.join(rows)})", tags=True),
            self._render(f"CREATE TABLE IF NOT EXISTS {self.ledger} ({ledger})"),
        ]

    def nothing(self) -> str:
        """Return a query without rows, whose result has the table's columns.

        :return: the statement.
        """
        return self._render(f"SELECT * FROM {self.table} WHERE 1 = 0")

    def loaded(self) -> str:
        """Return the query for digest and account of the manifests that were loaded.

        :return: the statement.
        """
        return self._render(f"SELECT digest, account FROM {self.ledger}")

    def record(self, manifest: str, digest: str, account: str | None, calls: int, *, once: bool = False) -> str:
        """Return the statement that records a manifest as loaded.

        :param manifest: its path.
        :param digest: of its content.
        :param account: host and company of its calls, None where it does not have them.
        :param calls: number of its calls.
        :param once: whether nothing is recorded where the digest is there already.
        :return: the statement.
        """
        from sqlglot import exp

        given = "NULL" if account is None else self._literal(account)
        texts = f"{self._literal(manifest)}, {self._literal(digest)}, {given}"
        names = "manifest, digest, account, calls, loaded_at"
        now = exp.CurrentTimestamp().sql(dialect=self.traits.dialect)
        known = f"SELECT 1 FROM {self.ledger} WHERE digest = {self._literal(digest)}"
        new = f" FROM (SELECT 1 AS one) AS only_one WHERE NOT EXISTS ({known})" if once else ""
        return f"INSERT INTO {self.ledger} ({names}) SELECT {texts}, {calls}, {now}{new}"

    def load(self, files: Files) -> list[str]:
        """Return the statements that load files into the stage; empty where the engine queries files.

        PostgreSQL reads no files: the rows follow by COPY.

        :param files: of a manifest.
        :return: the statements.
        """
        stage, columns = self.stage(files), fields.columns("map")
        match self.engine:
            case "bigquery":
                expires = "expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)"
                chosen = f"format = 'PARQUET', uris = [{', '.join(map(self._literal, files.urls))}]"
                return [f"LOAD DATA OVERWRITE {stage} OPTIONS ({expires}) FROM FILES ({chosen})"]
            case "snowflake":
                return [
                    f"CREATE OR REPLACE TEMPORARY TABLE {stage} ({self._staged(columns)})",
                    # At most a thousand names in one statement.
                    *(
                        f"COPY INTO {stage} FROM {self._literal(files.folder + '/')} "
                        f"FILES = ({', '.join(map(self._literal, part))}) FILE_FORMAT = (TYPE = PARQUET "
                        f"USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
                        for part in _parts(files.paths, 1_000)
                    ),
                ]
            case "redshift":
                return [
                    f"CREATE TEMPORARY TABLE {stage} ({self._staged(columns)})",
                    *(f"COPY {stage} FROM {self._literal(url)} {self._options()}" for url in files.urls),
                ]
            case "trino":
                place = f"external_location = {self._literal(files.folder + '/')}, format = 'PARQUET'"
                create = f"CREATE TABLE {stage} ({self._staged(columns)}) WITH ({place})"
                return [f"DROP TABLE IF EXISTS {stage}", create]
            case "postgresql":
                return [f"CREATE TEMPORARY TABLE {stage} ({self._staged(columns)}) ON COMMIT DROP"]
        return []

    def copy(self, files: Files) -> str:
        """Return PostgreSQL's statement that takes the rows of files.

        :param files: of a manifest.
        :return: the statement.
        """
        return f"COPY {self.stage(files)} FROM STDIN WITH (FORMAT csv)"

    def merge(self, files: Files) -> list[str]:
        """Return the statements that merge the files' calls into the table.

        :param files: of a manifest.
        :return: the statements; the last but none of them reports the rows changed.
        """
        key, version = self._column_of(KEY), self._column_of(VERSION)
        names = ", ".join(self.columns)
        newest = (
            f"SELECT {', '.join(map(self._selected, self.columns))} FROM (SELECT *, ROW_NUMBER() OVER "
            f"(PARTITION BY {KEY} ORDER BY {VERSION} DESC) AS retreaver_version FROM retreaver_source) AS numbered "
            f"WHERE retreaver_version = 1"
        )
        if not self.traits.merges:
            return self._replace(key, version, files)
        changes = ", ".join(f"{name} = s.{name}" for name in self.columns if name != key)
        statement = (
            f"MERGE INTO {self.table} AS t USING ({newest}) AS s ON t.{key} = s.{key} "
            f"WHEN MATCHED AND (t.{version} IS NULL OR s.{version} >= t.{version}) THEN UPDATE SET {changes} "
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({', '.join(f's.{name}' for name in self.columns)})"
        )
        return [self._from(statement, files)]

    def _replace(self, key: str, version: str, files: Files) -> list[str]:
        """Return the statements of an engine without a conditional MERGE; an export has each call once."""
        stage, read = self.stage(files), self.traits.read.get(fields.TIMESTAMP, "{}")
        newer = f"{read.format(f'{stage}.{VERSION}')} >= {self.table}.{version}"
        chosen = ", ".join(map(self._selected, self.columns))
        return [
            self._render(
                f"DELETE FROM {self.table} USING {stage} WHERE {self.table}.{key} = {stage}.{KEY} "
                f"AND ({self.table}.{version} IS NULL OR {newer})"
            ),
            self._render(
                f"INSERT INTO {self.table} ({', '.join(self.columns)}) SELECT {chosen} FROM {stage} "
                f"WHERE {KEY} NOT IN (SELECT {key} FROM {self.table})"
            ),
        ]

    def newest_view(self, view: str) -> str:
        """Return the statement that makes a view of the newest version of each call, of a table with all versions.

        :param view: checked name of the view.
        :return: the statement.
        """
        key, version = self._column_of(KEY), self._column_of(VERSION)
        return self._render(
            f"CREATE OR REPLACE VIEW {view} AS SELECT {', '.join(self.columns)} FROM (SELECT *, ROW_NUMBER() OVER "
            f"(PARTITION BY {key} ORDER BY {version} DESC NULLS LAST) AS retreaver_version FROM {self.table}) "
            f"AS numbered WHERE retreaver_version = 1"
        )

    def drop(self, files: Files) -> list[str]:
        """Return the statements that remove the stage.

        :param files: of a manifest.
        :return: the statements; empty where it is gone with the transaction, or where there is none.
        """
        if self.engine in {"duckdb", "databricks", "postgresql"}:
            return []
        return [f"DROP TABLE IF EXISTS {self.stage(files)}"]

    def _column_of(self, name: str) -> str:
        return next(column for column, field_ in self.columns.items() if field_ == name)

    def _type(self, column: str) -> str:
        kind = self.kind(column)
        return "MAP(VARCHAR, VARCHAR)" if kind == fields.MAP else TYPES[kind]

    def _selected(self, column: str) -> str:
        name = self.columns[column]
        return f"{self.traits.read.get(self.kind(column), '{}').format(name)} AS {column}"

    def _staged(self, columns: Mapping[str, fields.Kind]) -> str:
        from sqlglot import exp

        parts = []
        for name, kind in columns.items():
            type_ = self.traits.tags if kind == fields.MAP else self.traits.staged.get(kind)
            if type_ is None:
                type_ = exp.DataType.build(TYPES[kind], dialect="postgres").sql(dialect=self.traits.dialect)
            parts.append(f"{name} {type_}")
        return ", ".join(parts)

    def _render(self, statement: str, *, tags: bool = False) -> str:
        """Return a statement in the engine's SQL; it is written in that of DuckDB."""
        from sqlglot import exp, parse_one

        tree = parse_one(statement, read="duckdb")
        if tags:
            own = exp.DataType.build(self.traits.tags, dialect=self.traits.dialect, udt=True)
            for definition in tree.find_all(exp.ColumnDef):
                if definition.kind is not None and definition.kind.this == exp.DataType.Type.MAP:
                    definition.set("kind", own.copy())
        return tree.sql(dialect=self.traits.dialect)

    def _from(self, statement: str, files: Files) -> str:
        """Return a statement in the engine's SQL, with the source of a manifest's rows in it."""
        from sqlglot import exp, parse_one

        tree = parse_one(statement, read="duckdb")
        for table in list(tree.find_all(exp.Table)):
            if table.name == "retreaver_source":
                table.replace(self._source(files))
        return tree.sql(dialect=self.traits.dialect)

    def _source(self, files: Files) -> exp.Expression:
        from sqlglot import exp, parse_one

        listed = ", ".join(map(self._literal, files.urls))
        if self.engine == "duckdb":
            text = f"(SELECT * FROM READ_PARQUET([{listed}]))"
        elif self.engine == "databricks":
            each = " UNION ALL ".join(f"SELECT * FROM PARQUET.`{url}`" for url in files.urls)
            text = f"({each})"
        elif self.engine == "trino":
            # The table is the whole folder.
            text = f'(SELECT * FROM {self.stage(files)} WHERE "$path" IN ({listed}))'
        else:
            text = f"(SELECT * FROM {self.stage(files)})"
        return next(parse_one(f"SELECT * FROM {text} AS files", read=self.traits.dialect).find_all(exp.Subquery))

    def _options(self) -> str:
        role = "default" if self.iam_role == "default" else self._literal(self.iam_role)
        return f"IAM_ROLE {role} FORMAT AS PARQUET SERIALIZETOJSON"

    def _literal(self, text: str) -> str:
        from sqlglot import exp

        return exp.Literal.string(text).sql(dialect=self.traits.dialect)


def _parts(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
