"""The tags that webhooks are answered with: publishing, looking up, and a new file without a gap."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import time
import tracemalloc
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.operators.webhooks import RetreaverWebhookTagsOperator
from airflow_provider_retreaver.webhooks.answers import Answers
from airflow_provider_retreaver.webhooks.lookup import Lookup, write_lookup
from tests.airflow.support.account import KEY, TaskInstance
from tests.airflow.support.webhooks import TOKEN

pytestmark = pytest.mark.airflow
CSV = "phone,score,owner\n(919) 555-0123,85,Ann\n+1 919 555 0124,,\nno number,1,Bob\n"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Set a connection whose tags are in a folder, and return their path."""
    path = tmp_path / "published" / "tags.db"
    extra = {"webhook_token": TOKEN, "webhook_spool": f"file://{tmp_path}/spool", "webhook_lookup": f"file://{path}"}
    given = {"conn_type": "retreaver", "login": "1", "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(given))
    return path


def publish(**parameters):
    """Execute the operator."""
    operator = RetreaverWebhookTagsOperator(task_id="tags", **parameters)
    return json.loads(json.dumps(operator.execute({"ti": TaskInstance(task_id="tags")})))


def look_up(path, **fields):
    """Return the tags of a webhook with these fields."""
    lookup = Lookup(path)
    try:
        return lookup.tags(fields)
    finally:
        lookup.close()


def test_a_file_is_published(published, tmp_path):
    """Callers are found however their number is written; rows without a number or tags are left out."""
    (tmp_path / "leads.csv").write_text(CSV)
    result = publish(source=f"file://{tmp_path}/leads.csv", key_column="phone", tag_columns={"score": "lead_score"})
    assert {name: result[name] for name in ("keys", "left_out", "path")} == {
        "keys": 1,
        "left_out": 2,
        "path": f"file://{published}",
    }
    for caller in ("+19195550123", "19195550123", 19195550123, " 19195550123", "(919) 555-0123"):
        assert look_up(published, caller_number=caller) == {"lead_score": "85"}
    assert look_up(published, caller="+19195550123") == {"lead_score": "85"}
    assert look_up(published, tags={"caller_number": "9195550123"}) == {"lead_score": "85"}
    for fields in ({}, {"caller_number": "+19195550124"}, {"caller_number": "anonymous"}, {"caller_number": ["x"]}):
        assert look_up(published, **fields) == {}
    assert list(published.parent.iterdir()) == [published]


def test_other_fields_and_rows(published):
    """Keys may be the values of any field or tag; rows of a list are taken, the last one with a key counts."""
    rows = [{"zip": "27513", "area": "Cary"}, {"zip": 27514, "area": "A"}, {"zip": "27514", "area": "Chapel Hill"}]
    assert publish(rows=rows, field="zip")["keys"] == 2
    assert look_up(published, zip="27513") == {"area": "Cary"}
    assert look_up(published, tags={"zip": 27514}) == {"area": "Chapel Hill"}
    assert publish(rows=rows, field="zip", tag_columns="['area']", destination=f"file://{published}2")["keys"] == 2
    assert publish(rows=[], field="zip", allow_empty=True)["keys"] == 0
    assert look_up(published, zip="27513") == {}


def test_a_query_is_published(published, tmp_path, monkeypatch):
    """The rows of a query are taken, too."""
    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.execute("CREATE TABLE leads (caller_number TEXT, score INTEGER)")
        database.execute("INSERT INTO leads VALUES ('+19195550123', 85)")
    database.close()
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}))
    assert publish(sql="SELECT * FROM leads", sql_conn_id="crm")["keys"] == 1
    assert look_up(published, caller_number="+19195550123") == {"score": 85}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "Give exactly one of source, sql, rows, not none"),
        ({"rows": [], "source": "file:///x.csv"}, "not source and rows"),
        ({"sql": "SELECT 1"}, "sql and sql_conn_id belong together"),
        ({"rows": [{"a": 1}]}, "The list of rows has no column 'caller_number'; it has 'a'"),
        (
            {"rows": [{"caller_number": "x", "a": 1}]},
            "no row with a key and tags; nothing was published. Set allow_empty",
        ),
        ({"rows": [{"zip": "1", "a": 1}], "field": "zip", "tag_columns": "5"}, "tag_columns must be a list"),
        ({"rows": [{"zip": "1", "a": 1}], "field": "zip", "tag_columns": ["b"]}, "has no column 'b'"),
        ({"rows": [{"zip": "1"}], "field": " "}, "field must be the name of a field"),
        (
            {"rows": [{"zip": "1", **dict.fromkeys(map(str, range(101)), "x")}], "field": "zip"},
            "Row 1 .* has 101 tags",
        ),
        ({"rows": [{"zip": "1", "a": 1}], "field": "zip", "destination": "tags.db"}, "not an absolute path"),
    ],
)
def test_wrong_parameters(published, parameters, says):
    """They are refused before anything is published."""
    with pytest.raises(InvalidArgument, match=says):
        publish(**parameters)
    assert not published.exists()


def test_a_connection_without_a_place(published, monkeypatch):
    """Without webhook_lookup a destination has to be given."""
    given = json.loads(__import__("os").environ["AIRFLOW_CONN_RETREAVER_DEFAULT"])
    del given["extra"]["webhook_lookup"]
    monkeypatch.setenv("AIRFLOW_CONN_RETREAVER_DEFAULT", json.dumps(given))
    with pytest.raises(InvalidConnection, match="extra 'webhook_lookup' is missing"):
        publish(rows=[{"zip": "1", "a": 1}], field="zip")


def write(path: Path, *rows, field="zip"):
    """Publish a file of tags as the operator does, by moving it into place."""
    draft = path.with_suffix(".part")
    write_lookup(draft, rows, field)
    draft.rename(path)


class Clock:
    """A clock that a test moves."""

    now = 1_000.0

    def __call__(self):
        """Return seconds."""
        return self.now


def test_a_new_file_is_read_without_a_gap(tmp_path, caplog):
    """While a new file is fetched the old one answers; one that is damaged, or gone, leaves the old one in place."""
    path, clock = tmp_path / "tags.db", Clock()

    async def look():
        answers, found = Answers(f"file://{path}", clock), []

        async def now(*, later):
            clock.now += later
            first = await answers.tags({"zip": "1"})
            await asyncio.sleep(0.1)
            found.append((first, await answers.tags({"zip": "1"})))

        await now(later=0)
        write(path, ("1", {"a": 1}))
        await now(later=5)
        await now(later=10)
        write(path, ("1", {"a": 2}))
        await now(later=5)
        await now(later=10)
        path.write_bytes(b"no database")
        await now(later=11)
        path.unlink()
        await now(later=11)
        write(path, ("1", {"a": 3}), ("2", {"a": 3}))
        await now(later=11)
        answers.close()
        return found

    one, two, three = {"a": 1}, {"a": 2}, {"a": 3}
    assert asyncio.run(look()) == [
        ({}, {}), ({}, {}), (one, one), (one, one), (one, two), (two, two), (two, two), (two, three),
    ]  # fmt: skip
    assert caplog.text.count("cannot be read") == 3
    gc.collect()


def test_a_lookup_that_hangs(tmp_path, monkeypatch, caplog):
    """Tags that do not come in time are left out; the webhook does not wait for them."""
    import threading

    from airflow_provider_retreaver.webhooks import answers as module

    monkeypatch.setattr(module, "PATIENCE", 0.05)
    release = threading.Event()
    monkeypatch.setattr(Lookup, "tags", lambda *_: release.wait(10))
    write(tmp_path / "tags.db", ("1", {"a": 1}))

    async def look():
        answers = Answers(f"file://{tmp_path}/tags.db")
        await answers._look()
        await asyncio.sleep(0.05)
        started = time.monotonic()
        found = await answers.tags({"zip": "1"})
        took = time.monotonic() - started
        release.set()
        await asyncio.sleep(0.05)
        answers.close()
        return found, took

    found, took = asyncio.run(look())
    assert found == {}
    assert took < 1
    assert "answered without tags" in caplog.text


def test_other_files_are_refused(tmp_path):
    """Another SQLite database, and one of a format to come, are not taken for tags."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE about (name TEXT, value TEXT)")
    database.close()
    with pytest.raises(ValueError, match="its format is not"):
        Lookup(path)
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(ValueError, match="not a file of RetreaverWebhookTagsOperator"):
        Lookup(path)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """Looking up callers among many takes a few kilobytes, and little time."""
    path = tmp_path / "many.db"
    rows = ((19_190_000_000 + number * 7, {"lead_score": number}) for number in range(100_000))
    write_lookup(path, ((str(key), tags) for key, tags in rows), "account")
    tracemalloc.start()
    lookup = Lookup(path)
    started = time.monotonic()
    for number in range(0, 100_000, 100):
        assert lookup.tags({"account": 19_190_000_000 + number * 7}) == {"lead_score": number}
    assert time.monotonic() - started < 2
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()
    lookup.close()
