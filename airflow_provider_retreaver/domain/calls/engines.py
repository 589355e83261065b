"""The engines of warehouses into which calls are merged: how their types and their files differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from airflow_provider_retreaver.domain.calls import fields

EngineName: TypeAlias = Literal["bigquery", "databricks", "duckdb", "postgresql", "redshift", "snowflake", "trino"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
TYPES: Mapping[fields.Kind, str] = {
    fields.TEXT: "TEXT",
    fields.INTEGER: "BIGINT",
    fields.DECIMAL: f"DECIMAL({fields.PRECISION}, {fields.SCALE})",
    fields.BOOLEAN: "BOOLEAN",
    fields.TIMESTAMP: "TIMESTAMPTZ",
    fields.JSON: "TEXT",
}


@dataclass(frozen=True, slots=True)
class Engine:
    """What is particular to one engine.

    :param dialect: sqlglot's name of its SQL.
    :param tags: type of the column of tags.
    :param read: expressions that read a column of the files, by kind, with `{}` for its name.
    :param staged: types of the stage's columns by kind, where they differ from the table's.
    :param merges: whether it has a MERGE with conditions; otherwise rows are deleted and inserted.
    :param transactions: whether several statements are one transaction.
    :param begins: whether a transaction begins on request only.
    """

    dialect: str
    tags: str
    read: Mapping[fields.Kind, str] = field(default_factory=dict)
    staged: Mapping[fields.Kind, str] = field(default_factory=dict)
    merges: bool = True
    transactions: bool = True
    begins: bool = False


BY_NAME: Mapping[EngineName, Engine] = {
    # A map in Parquet is a struct with a list of keys and values there.
    "bigquery": Engine(
        "bigquery", "ARRAY<STRUCT<key STRING, value STRING>>", {fields.MAP: "{}.key_value"}, transactions=False
    ),
    "databricks": Engine("databricks", "MAP<STRING, STRING>", transactions=False),
    "duckdb": Engine("duckdb", "MAP(VARCHAR, VARCHAR)", begins=True),
    "postgresql": Engine("postgres", "JSONB"),
    # Times of Parquet are copied into columns without a zone only.
    "redshift": Engine(
        "redshift",
        "SUPER",
        {fields.TIMESTAMP: "{} AT TIME ZONE 'UTC'"},
        {fields.TIMESTAMP: "TIMESTAMP"},
        merges=False,
    ),
    "snowflake": Engine("snowflake", "VARIANT", transactions=False),
    # Hive's tables have times without a zone only.
    "trino": Engine(
        "trino",
        "MAP(VARCHAR, VARCHAR)",
        {fields.TIMESTAMP: "WITH_TIMEZONE({}, 'UTC')"},
        {fields.TIMESTAMP: "TIMESTAMP(6)"},
        transactions=False,
    ),
}
