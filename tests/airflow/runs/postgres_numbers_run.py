"""Reads phone numbers from columns of every type of a temporary PostgreSQL server: run by `make test-postgres`.

Not part of the test suite, because a machine may have no PostgreSQL.
"""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import ChangeRefused
from tests.airflow.support.postgres import private_cluster
from tests.airflow.support.suppression import nonzero_counts, phone_numbers, suppressed, sync

pytestmark = pytest.mark.airflow

FIVE = phone_numbers(5)


@pytest.fixture(scope="module")
def cluster():
    """Start one server for all tests."""
    with private_cluster() as running:
        values = ", ".join(f"('{number}')" for number in FIVE)
        running.query(f"CREATE TABLE do_not_call (phone text); INSERT INTO do_not_call VALUES {values}")
        yield running


@pytest.fixture
def warehouse(cluster, monkeypatch):
    """Return the server, with the connection `warehouse` to it."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(cluster.connection()))
    return cluster


@pytest.mark.parametrize(
    "expression",
    [
        "phone", "phone::varchar(20)", "phone::char(20)", "substr(phone, 3)::bigint", "substr(phone, 3)::numeric",
        "substr(phone, 3)::numeric(12, 2)", "substr(phone, 2)::numeric(20, 0)", "chr(8234) || phone || chr(8236)",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("warehouse")
def test_exact_columns_are_read(account, expression):
    """Texts, whole numbers and NUMERIC keep all digits."""
    query = f"SELECT {expression} AS phone FROM do_not_call"
    assert nonzero_counts(sync(sql=query, sql_conn_id="warehouse")) == {"added": 5}
    assert set(suppressed(account)) == set(FIVE)


@pytest.mark.parametrize(
    "expression",
    ["substr(phone, 3)::real", "substr(phone, 3)::float8", "'NaN'::numeric", "'NaN'::float8", "1.5::numeric"],
)
@pytest.mark.usefixtures("warehouse")
def test_columns_that_may_be_rounded_are_not_read(account, expression):
    """REAL keeps six digits of ten: whoever has the rounded number is a stranger."""
    query = f"SELECT {expression} AS phone FROM do_not_call"
    with pytest.raises(ChangeRefused, match="5 of 5 values of The query on connection 'warehouse' are not phone n"):
        sync(sql=query, sql_conn_id="warehouse")
    assert account.sent() == []


@pytest.mark.usefixtures("warehouse")
def test_two_columns_of_one_query(account):
    """Area code and number are joined, whatever their types are."""
    query = "SELECT 919 AS area, substr(phone, 6)::numeric AS number FROM do_not_call"
    assert nonzero_counts(sync(sql=query, sql_conn_id="warehouse", column=["area", "number"])) == {"added": 5}
    assert set(suppressed(account)) == set(FIVE)
