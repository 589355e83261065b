"""What is asked of a database's catalog about a table before calls are loaded; nothing is executed here.

The queries name the last parts of `schema.calls`; a table without a schema is the one that the database finds itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

# Of each column: its name, type, decimal places, and whether an insert must name it.
_COLUMNS = {
    "postgresql": (
        "SELECT c.column_name, c.data_type, c.numeric_scale, c.is_nullable = 'NO' AND c.column_default IS NULL "
        "AND c.is_identity = 'NO' AND c.is_generated = 'NEVER' FROM information_schema.columns AS c "
        "JOIN pg_namespace AS n ON n.nspname = c.table_schema "
        "JOIN pg_class AS t ON t.relname = c.table_name AND t.relnamespace = n.oid WHERE t.oid = to_regclass(%s)"
    ),
    "mysql": (
        "SELECT column_name, data_type, numeric_scale, is_nullable = 'NO' AND column_default IS NULL "
        "AND extra NOT LIKE '%%auto_increment%%' AND extra NOT LIKE '%%GENERATED%%' FROM information_schema.columns "
        "WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s"
    ),
    "sqlite": ('SELECT name, type, NULL, "notnull" = 1 AND dflt_value IS NULL AND pk = 0 FROM pragma_table_info(?)'),
}
# Of each column of a unique index: the index, the column, the length of a prefix, whether the server numbers rows
# by it. MySQL compares names of tables as the server's file system does.
MYSQL_UNIQUE = (
    "SELECT s.index_name, s.column_name, s.sub_part, c.extra LIKE '%%auto_increment%%' "
    "FROM information_schema.statistics AS s LEFT JOIN information_schema.columns AS c "
    "ON c.table_schema = s.table_schema AND c.table_name = s.table_name AND c.column_name = s.column_name "
    "WHERE s.non_unique = 0 AND s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s "
    "ORDER BY s.index_name, s.seq_in_index"
)
# Whether policies apply to this user that may hide or refuse rows: all but those that let every row pass.
POSTGRESQL_POLICIES = """
SELECT row_security_active(t.oid) AND (
    EXISTS (
        SELECT 1 FROM pg_policy AS p WHERE p.polrelid = t.oid AND NOT p.polpermissive
    ) OR EXISTS (
        SELECT 1 FROM unnest(ARRAY['r', 'a', 'w']) AS wanted WHERE NOT EXISTS (
            SELECT 1 FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polpermissive
            AND p.polcmd::text IN ('*', wanted)
            AND EXISTS (
                SELECT 1 FROM unnest(p.polroles) AS r (oid)
                WHERE CASE WHEN r.oid = 0 THEN true ELSE pg_has_role(r.oid, 'MEMBER') END
            )
            AND COALESCE(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
            AND COALESCE(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'
        )
    )
) FROM pg_class AS t WHERE t.oid = to_regclass(%s)
"""


def columns_query(dialect: str, table: str) -> tuple[str, tuple[str | None, ...]] | None:
    """Return the query for a table's columns.

    :param dialect: name of the database's dialect.
    :param table: checked name of the table.
    :return: statement and parameters; None where the catalog is not known.
    """
    statement = _COLUMNS.get(dialect)
    if statement is None:
        return None
    schema, _, name = table.rpartition(".")
    if dialect == "sqlite":
        return (statement, (name,)) if not schema else (statement.replace("(?)", "(?, ?)"), (name, schema))
    return statement, (regclass(table),) if dialect == "postgresql" else (schema or None, name)


def regclass(table: str) -> str:
    """Return a table's name as PostgreSQL's `to_regclass` reads it.

    :param table: checked name of the table.
    :return: quoted, without the name of the database.
    """
    return ".".join(f'"{part}"' for part in table.split(".")[-2:])


def other_unique_keys(found: Iterable[Sequence[object]], key: str, written: Iterable[str]) -> tuple[bool, list[str]]:
    """Judge MySQL's unique keys: its upsert acts on any of them, and would mix two calls that share one.

    A key that contains the whole call's key, or one by which the server numbers rows, is no danger.

    :param found: the rows of `MYSQL_UNIQUE`.
    :param key: name of the column that holds the call's key.
    :param written: names of the columns that are written.
    :return: whether the call's key is one by itself, and the names of the keys that are a danger.
    """
    parts: dict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
    for index, column, prefix, numbered in found:
        parts[_text(index)].append((_text(column).lower(), prefix is None, bool(numbered)))
    is_key = any(columns == [(key.lower(), True, columns[0][2])] for columns in parts.values())
    names = {name.lower() for name in written}
    others = [
        index
        for index, columns in parts.items()
        if not any(name == key.lower() and whole for name, whole, _ in columns)
        and not any(numbered and name not in names for name, _, numbered in columns)
    ]
    return is_key, others


def _text(value: object) -> str:
    # One of MySQL's drivers returns names of the catalog as bytes.
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)
