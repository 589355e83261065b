"""The example DAGs of warehouses, parsed with the real operators of their providers: run by `make test-warehouses`.

Not part of the test suite, since the environment of the tests has neither provider.
"""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from tests.paths import EXAMPLE_DAGS

pytestmark = pytest.mark.airflow
FILES = sorted((EXAMPLE_DAGS / "warehouses").glob("*.py"))


def parsed(name: str) -> dict[str, Any]:
    """Return what a file defines."""
    path = EXAMPLE_DAGS / "warehouses" / f"{name}.py"
    found: dict[str, Any] = {"__name__": "parsed"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), found)  # noqa: S102 - as Airflow does
    return found


def test_each_file_is_looked_at():
    """There is one for BigQuery and one for Snowflake."""
    assert [path.stem for path in FILES] == ["retreaver_calls_to_bigquery", "retreaver_calls_to_snowflake"]


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_the_dag(name):
    """It is documented, retries, runs once at a time, and its tasks follow each other."""
    found = parsed(name)
    dag: DAG = found["export"].dag
    assert (dag.dag_id, dag.catchup, dag.max_active_runs) == (name, False, 1)
    assert dag.doc_md
    assert all(task.retries == 3 for task in dag.tasks)
    merge = dag.get_task("merge")
    [statements] = merge.upstream_task_ids
    assert dag.get_task(statements).upstream_task_ids == {"export_updated"}
    assert statements in str(getattr(merge, "sql", None) or merge.configuration)


def test_the_script_for_bigquery():
    """The job gets the statements as one script."""
    merge = parsed("retreaver_calls_to_bigquery")["merge"]
    assert type(merge).__module__ == "airflow.providers.google.cloud.operators.bigquery"
    assert merge.configuration == {"query": {"query": "{{ ti.xcom_pull('script') }}", "useLegacySql": False}}
    assert "configuration" in merge.template_fields


def test_the_statements_for_snowflake():
    """The operator takes any number of statements in one session."""
    merge = parsed("retreaver_calls_to_snowflake")["merge"]
    assert type(merge).__module__ == "airflow.providers.snowflake.operators.snowflake"
    assert (merge.sql, merge.statement_count) == ("{{ ti.xcom_pull('statements') }}", 0)
    assert "sql" in merge.template_fields
