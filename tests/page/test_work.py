"""What the page says of results: counts, changes, notes, snapshots that wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.page.work import (
    RESTORE,
    LastSuccess,
    TaskRun,
    TriggerableDag,
    configuration_for,
    span_text,
    summary,
    waiting_snapshots,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
RUN = TaskRun("d", "r", "t", -1, "RetreaverSetCapsOperator", "success", NOW, NOW, 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
NAMES = ["changed", "reset", "failed", "refused", "manifest", "complete", "reason", "action", "dry_run", "rows"]


@given(JSON | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
def test_whatever_a_task_returned_is_summed_up(result):
    """No result, of other versions or of other tasks, ends in an error; what is said is short and printable."""
    done = summary(replace(RUN, result=result))
    for text in (done.counts, *done.changes, *done.notes):
        assert text.isprintable()
        assert len(text) < 3_000
    waiting_snapshots([replace(RUN, result=result, fields={"snapshot_path": "s3://b/x"})])


def test_results_of_our_operators():
    """Each shape of result has its words."""

    def of(result, **fields):
        done = summary(replace(RUN, result=result, **fields))
        return done.counts, done.changes, done.notes

    reset = {"reset": [{"id": 3, "name": "Acme", "filled_before": 9, "filled_after": None}], "failed": []}
    assert of(reset) == ("reset 1, failed 0", ("target 3 (Acme): 9 → ?",), ())
    group = {"would_reset": [{"target_group_id": 5, "filled_before": 9, "filled_after": 0}], "dry_run": True}
    assert of(group) == ("would reset 1", ("group 5: 9 → 0",), ())
    updated = {"id": 3, "action": "updated", "changed": {"name": {"before": "a", "after": "b"}}}
    assert of(updated) == ("updated", ("name 'a' → 'b'",), ())
    export = {"manifest": "s3://c@b/m.json", "files": 2, "rows": 1200, "complete": False, "reason": "calls moved"}
    assert of(export) == ("files 2, rows 1,200", (), ("Manifest: s3://c@b/m.json", "Not complete: calls moved"))
    assert of({"added": 5, "removed": 0, "refused": "10 % more than allowed"}) == (
        "added 5, removed 0",
        (),
        ("A guard would refuse it: 10 % more than allowed",),
    )
    assert of([{"id": 1}, {"id": 2}]) == ("2 rows", (), ())
    assert of(None, refused="too many") == ("", (), ("A guard refused it: too many",))


def test_numbers_of_callers_are_masked():
    """A caller's number in a result, in a value or in a name, is not shown."""
    row = {"kind": "contact", "id": 1, "name": "+12125550123", "field": "tags", "before": "+12125550123", "after": ""}
    (change,) = summary(replace(RUN, result={"changed": [row]})).changes
    assert "5550123" not in change


def test_snapshots_wait_until_they_are_restored():
    """A snapshot waits from its first change to a restore that succeeded; dry runs neither take nor restore one."""

    def run(minutes, operator="RetreaverSetPausedOperator", path="s3://b/a", changed=1, **more):
        fields = {"snapshot_path": path, "dry_run": more.pop("dry_run", False)}
        return replace(
            RUN,
            operator=operator,
            ended=NOW + timedelta(minutes=minutes),
            fields=fields,
            result={"changed": [{}] * changed},
            **more,
        )

    taken = run(1)
    assert [one.path for one in waiting_snapshots([taken])] == ["s3://b/a"]
    assert waiting_snapshots([run(2, RESTORE), taken]) == []
    assert [one.run for one in waiting_snapshots([run(2, RESTORE, state="failed"), taken])] == [taken]
    assert [one.run for one in waiting_snapshots([run(2, RESTORE, dry_run=True), taken])] == [taken]
    assert [one.run for one in waiting_snapshots([run(0, RESTORE), taken])] == [taken]
    assert waiting_snapshots([run(1, dry_run="True"), run(2, changed=0), run(3, path="None")]) == []
    # Of another version, or of a task that is none of ours.
    assert waiting_snapshots([replace(run(1), result={"changed": True})]) == []
    assert [one.changed for one in waiting_snapshots([run(1, path="b", changed=2), run(2, path="c")])] == [2, 1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_spans(seconds, text):
    """A span has its two largest units."""
    assert span_text(timedelta(seconds=seconds)) == text


def test_an_export_that_never_succeeded():
    """No success is told as such."""
    assert LastSuccess("d", "t", "o", None, paused=False).ago(NOW) == "no success in the runs that Airflow has"


@pytest.mark.parametrize(
    ("parameters", "kind", "expected"),
    [
        ({"target_ids", "cap"}, "target", {"target_ids": [3]}),
        ({"target_id"}, "target", {"target_id": 3}),
        ({"tids"}, "target", {"tids": ["A7"]}),
        ({"target_group_ids"}, "group", {"target_group_ids": [3]}),
        ({"target_ids"}, "group", None),
        ({"cap"}, "target", None),
    ],
)
def test_configurations(parameters, kind, expected):
    """A DAG is offered for an object when one of its parameters chooses such objects."""
    assert configuration_for(TriggerableDag("d", frozenset(parameters)), kind, 3, "A7") == expected
