"""Others at work at the same time: nothing that they change is overwritten, and a killed apply ends exactly.

`ACCOUNT_EXAMPLES=1000` (`make test-account`) runs the thousand interleavings.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from airflow_provider_retreaver.account.applying import Apply
from airflow_provider_retreaver.account.kinds import KINDS
from airflow_provider_retreaver.account.nodes import write_yaml
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Plan
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.transport.client import RetreaverClient
from airflow_provider_retreaver.transport.limiter import Limiter
from tests.account.support import Account, statuses
from tests.account.test_apply import EXAMPLE

EXAMPLES = int(os.environ.get("ACCOUNT_EXAMPLES", "25"))
TARGETS = ("t0", "t1")
GROUPS = ("g0", "g1")
# How a field of the files is changed by somebody else: attributes for a value.
FIELDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "name": lambda value: {"name": f"n{value}"},
    "caps.daily": lambda value: {"daily_cap_attributes": {"cap": value}},
    "tags": lambda value: {"tag_list": f"<<<v:{value}>>>"},
    "time_zone": lambda value: {"time_zone": ("London", "Paris", "Rome", "UTC")[value % 4]},
}
VALUES = st.integers(1, 4)
EDIT = st.tuples(st.sampled_from(TARGETS), st.sampled_from([*FIELDS, "groups"]), VALUES)
EDITS = st.lists(EDIT, min_size=1, max_size=6)


class Killed(BaseException):
    """The process is gone."""


class Interrupted(Account):
    """An account in which something happens at the client's requests; `at` has acts by number of the request."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, Callable[[], None]] = {}
        self.kill_at: tuple[int, bool] | None = None
        self._last = ("", "")
        self.start()

    def start(self) -> None:
        """Be a new process: nothing of a killed one is left."""
        self.kill_at, self.dead = None, False
        self.client = RetreaverClient(self.settings(), transport=self, sleep=lambda _: None, limiter=Limiter(1))

    def send(self, request: Any, wire: Any) -> Any:
        """Carry a request; others act before it, unless it is the write right after the read of the same object.

        The groups of a target are read with the target, and written one by one.
        """
        number = len(self.sent) + 1
        joins = request.method == "PUT" and request.path.startswith("/target_groups/")
        blind = request.method != "GET" and (
            self._last == ("GET", request.path) or (joins and self._last[1].startswith("/targets/"))
        )
        due = [] if blind else [self.at.pop(one) for one in sorted(self.at) if one <= number]
        for act in due:
            act()
        if not joins:
            self._last = (request.method, request.path)
        if self.kill_at == (number, False):
            self.dead = True
            raise Killed
        answer = super().send(request, wire)
        if self.kill_at == (number, True):
            self.dead = True
            raise Killed
        return answer

    def keep(self, plan: Plan, record: Record) -> None:
        """Keep what an apply saves, unless its process is gone: the client winds up what a signal ends."""
        if not self.dead:
            super().keep(plan, record)


class Interleavings(RuleBasedStateMachine):
    """Files, plans, applies and other people in any order."""

    @initialize()
    def begin(self) -> None:
        """Begin with targets and groups as the files have them."""
        self.account = Interrupted()
        self.wanted: dict[str, dict[str, Any]] = {
            name: {"number": f"+1919555010{n}"} for n, name in enumerate(TARGETS)
        }
        self.account.apply(self.account.plan(self.files()))
        self.ids = {row["tid"]: row["id"] for row in self.account.rows("targets")}
        self.groups = {row["name"]: row["id"] for row in self.account.rows("target_groups")}
        self.made: Plan | None = None
        self.foreign: dict[tuple[str, str], Any] = {}

    def files(self) -> str:
        """Return the files."""
        targets = {name: dict(fields) for name, fields in self.wanted.items()}
        return write_yaml({"target_groups": {name: {} for name in GROUPS}, "targets": targets})

    def now(self, target: str) -> dict[str, Any]:
        """Return the fields of a target as plans have them."""
        row = next(row for row in self.account.rows("targets") if row["tid"] == target)
        return KINDS["targets"].current(row, World(groups={id_: name for name, id_ in self.groups.items()}))

    def write(self, target: str, field: str, value: int) -> None:
        """Write a field into the files."""
        written: dict[str, Any] = {
            "name": f"n{value}",
            "tags": {"v": str(value)},
            "time_zone": ("Europe/London", "Europe/Paris", "Europe/Rome", "UTC")[value % 4],
            "groups": [name for place, name in enumerate(GROUPS) if value & (1 << place)],
        }
        if field == "caps.daily":
            self.wanted[target]["caps"] = {"daily": value}
        else:
            self.wanted[target][field] = written[field]

    @rule(edits=EDITS)
    def plan(self, edits: list[tuple[str, str, int]]) -> None:
        """Write fields into the files and make a plan; what others do from now on must stay."""
        for edit in edits:
            self.write(*edit)
        self.made, self.foreign = self.account.plan(self.files()), {}

    @rule(edits=EDITS)
    def others(self, edits: list[tuple[str, str, int]]) -> None:
        """Somebody else changes targets."""
        for edit in edits:
            self.edit(*edit)

    def edit(self, target: str, field: str, value: int) -> None:
        """Somebody else changes a field of a target."""
        if field == "groups":
            for place, name in enumerate(GROUPS):
                verb = "add" if value & (1 << place) else "remove"
                self.account.change(
                    self.groups[name], "target_group", **{f"{verb}_targets_by_id": [self.ids[target]]}
                )
        else:
            self.account.change(self.ids[target], **FIELDS[field](value))
        self.foreign[target, field] = self.now(target)[field]

    @precondition(lambda self: self.made is not None)
    @rule(
        edits=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), VALUES), min_size=1, max_size=5),
        kill=st.none() | st.tuples(st.integers(1, 20), st.booleans()),
    )
    def apply(self, edits: list[tuple[int, int, int]], kill: tuple[int, bool] | None) -> None:
        """Apply the plan while others are at work, mostly on what it changes; it may be killed and run again."""
        assert self.made is not None
        sent = len(self.account.sent)
        planned = [(one.key, name) for one in self.made.changes for name in one.fields]
        known = [(target, name) for target, name in planned if name in (*FIELDS, "groups")]
        places = [*known, ("t0", "name"), ("t1", "groups")]
        self.account.at = {
            sent + number: lambda pick=pick, value=value: self.edit(*places[pick % len(places)], value)
            for number, pick, value in edits
        }
        self.account.kill_at = None if kill is None else (sent + kill[0], kill[1])
        try:
            self.account.apply(self.made)
        except Killed:
            self.account.start()
            self.account.apply(self.made)
        self.account.kill_at, self.account.at = None, {}
        self.check(self.made)

    def check(self, plan: Plan) -> None:
        """Find what others set as they left it, unless the plan had found or wants just that."""
        planned = {one.address.partition("/")[2]: one.fields for one in plan.changes if one.kind == "targets"}
        for (target, field), value in self.foreign.items():
            diff = planned.get(target, {}).get(field)
            allowed = [value] if diff is None or value not in (diff.before, diff.after) else [value, diff.after]
            assert self.now(target)[field] in allowed, (target, field, value)


Interleavings.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class TestInterleavings(Interleavings.TestCase):
    """Foreign edits overwritten: none."""


def _states(account: Account) -> dict[str, Any]:
    """Return everything about an account but IDs and times."""
    drop = {"id", "created_at", "updated_at", "object_key", "show_key", "number", "target_id", "target_ids",
            "target_group_ids", "paused_at"}  # fmt: skip

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(one) for key, one in value.items() if key not in drop}
        return [clean(one) for one in value] if isinstance(value, list) else value

    return {
        kind: clean(account.rows(kind)) for kind in ("affiliates", "campaigns", "target_groups", "targets", "numbers")
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_apply_that_is_killed_at_any_request_ends_exactly(after):
    """Killed before or after each request of it and run again, the account is as without the kill."""
    whole = Interrupted()
    whole.secrets["acme_sip"] = "s3cret-password"
    plan = whole.plan(EXAMPLE)
    begun = len(whole.sent)
    whole.apply(plan)
    requests, expected = len(whole.sent) - begun, _states(whole)
    assert requests > 15
    for number in range(1, requests + 1):
        account = Interrupted()
        account.secrets["acme_sip"] = "s3cret-password"
        plan = account.plan(EXAMPLE)
        account.kill_at = (len(account.sent) + number, after)
        with pytest.raises(Killed):
            account.apply(plan)
        account.start()
        result = account.apply(plan)
        assert set(statuses(result).values()) == {"done"}, (number, result)
        assert _states(account) == expected, number


def test_the_apply_of_a_killed_apply_asks_first():
    """What was done is not sent again."""
    account = Interrupted()
    account.secrets["acme_sip"] = "s3cret-password"
    plan = account.plan(EXAMPLE)
    account.apply(plan)
    account.sent.clear()
    again: Apply = account.apply_of(plan)
    account.client.run(again.procedure())
    assert [method for method, _, _ in account.sent if method != "GET"] == []
