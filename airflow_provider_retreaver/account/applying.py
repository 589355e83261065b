"""Applying a plan: object by object, each compared right before it is changed and read back after.

An object whose fields are neither as the plan found them nor as it wants them was changed by others: it is refused
and reported, never overwritten. What was done is kept in a record after each object, so that an apply that was
killed is run again to the exact end, and a number that was bought is not bought again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, TypedDict, get_args

from airflow_provider_retreaver.account.changing import ObjectChanges
from airflow_provider_retreaver.account.drifting import Applied, applied_by
from airflow_provider_retreaver.account.kinds import KINDS, Live, read_company, world_of
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Change, Plan
from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    ChangeRefused,
    InvalidArgument,
    RetreaverError,
    StorageFailed,
)
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

log = logging.getLogger(__name__)

# A share of a smaller account is too few objects to limit anything; a number always counts.
LEAST_OBJECTS = 10
DEFAULT_MAX_CHANGES = "30%"

Status = Literal["done", "refused", "failed", "skipped"]


class Outcome(TypedDict, total=False):
    """What became of one change."""

    address: str
    action: str
    status: Status
    fields: list[str]
    error: str


class ApplyResult(TypedDict, total=False):
    """What an apply did, as plain JSON."""

    plan: str
    company: int
    outcomes: list[Outcome]
    counts: dict[str, int]


@dataclass
class Apply:
    """One apply of one plan; `result()` returns at any time what was done.

    :param plan: that was approved.
    :param world: with secrets and date.
    :param limit: how many objects may change.
    :param allow_destroy: whether numbers and pools may be deleted.
    :param only: kinds of objects to change; none for all.
    :param targets: addresses to change; none for all.
    :param record: what earlier attempts did.
    :param save: saves the record; called before anything is created and after each object.
    :param applied: what was applied last; None for nothing.
    :param note: keeps what is applied; called before the first change and after the last one.
    """

    plan: Plan
    world: World = field(default_factory=World)
    limit: ChangeLimit = field(default_factory=lambda: ChangeLimit.parse(DEFAULT_MAX_CHANGES))
    allow_destroy: bool = False
    only: Collection[str] = ()
    targets: Collection[str] = ()
    record: Record = field(default_factory=Record)
    save: Callable[[Record], None] = lambda _: None
    applied: Applied | None = None
    note: Callable[[Applied], None] = lambda _: None
    _outcomes: dict[str, Outcome] = field(default_factory=dict, init=False)
    _objects: ObjectChanges = field(init=False)

    def result(self) -> ApplyResult:
        """Return what was done until now.

        :return: plain JSON.
        """
        outcomes = [self._outcomes[one.address] for one in self.plan.changes if one.address in self._outcomes]
        statuses = [one["status"] for one in outcomes]
        counts = {status: statuses.count(status) for status in get_args(Status)}
        return {"plan": self.plan.sha256, "company": self.plan.company, "outcomes": outcomes, "counts": counts}

    def chosen(self) -> list[Change]:
        """Return the changes that `only` and `targets` choose.

        :return: the changes, in order.
        :raises InvalidArgument: when a kind or an address is not in the plan.
        """
        for kind in self.only:
            if kind not in KINDS:
                raise InvalidArgument(f"only has the unknown kind {one_line(kind)}; known are {', '.join(KINDS)}.")
        addresses = {one.address for one in self.plan.changes}
        for address in self.targets:
            if address not in addresses:
                raise InvalidArgument(
                    f"The plan does not change {one_line(address, numbers=False)}; nothing was sent."
                )
        kinds, targets = self.only or KINDS, self.targets or addresses
        return [one for one in self.plan.changes if one.kind in kinds and one.address in targets]

    def check_guards(self) -> None:
        """Refuse what needs another word of a person.

        :raises ChangeRefused: naming the guard; nothing was sent.
        """
        chosen = self.chosen()
        destroyed = [one.address for one in chosen if one.action == "delete" and KINDS[one.kind].entry.costs_money]
        if destroyed and not self.allow_destroy:
            raise ChangeRefused(
                f"The plan releases {', '.join(destroyed[:5])}{' …' if len(destroyed) > 5 else ''} for good; nothing "
                f"was sent. Allow it with allow_destroy, if that is intended."
            )
        objects = max(self.plan.objects, 1) + sum(one.action == "delete" for one in self.plan.changes)
        counts = self.limit.share is None or objects >= LEAST_OBJECTS
        if counts and self.limit.exceeded(len(chosen), objects):
            raise ChangeRefused(
                f"The plan changes {len(chosen)} of {objects} objects, and max_changes allows "
                f"{self.limit.describe(objects)}; nothing was sent. Raise max_changes, if that is intended."
            )

    def check_company(self) -> Procedure[int]:
        """Refuse a plan of another company.

        :return: Retreaver's ID of the company.
        :raises InvalidArgument: naming both; nothing was sent.
        """
        company = yield from read_company()
        if company != self.plan.company:
            raise InvalidArgument(
                f"The plan is of company {self.plan.company}, and the connection is to company {company}; nothing "
                f"was sent."
            )
        return company

    def procedure(self) -> Procedure[ApplyResult]:
        """Apply the plan.

        :return: the result.
        :raises InvalidArgument: when the plan is of another company; nothing was sent.
        :raises ChangeRefused: when a guard refuses; nothing was sent.
        :raises AuthenticationError: and other errors that concern the whole account; `result()` still returns what
            was done.
        """
        self.check_guards()
        company = yield from self.check_company()
        chosen = self.chosen()
        yield from self._learn_groups(company, chosen)
        self._objects = ObjectChanges(self.world, self.record, self.save)
        self._note_applied()
        try:
            for change in chosen:
                yield from self._do(change)
        except BaseException:
            # An error here must not hide the one that ended the apply.
            with suppress(StorageFailed):
                self._note_applied()
            raise
        self._note_applied()
        return self.result()

    def _learn_groups(self, company: int, chosen: list[Change]) -> Procedure[None]:
        live = Live(company)
        if any("groups" in one.fields or one.kind == "target_groups" for one in chosen):
            live.rows["target_groups"] = yield KINDS["target_groups"].entry.list()
        self.world = world_of(live, self.world, self.plan.labels, self.plan.moves)

    def _do(self, change: Change) -> Procedure[None]:
        if change.address in self.record.done:
            self._note(change, "done")
            return
        missing = [one for one in change.needs if self._outcomes.get(one, {}).get("status") != "done"]
        if missing and not (yield from self._are_there(missing)):
            self._note(change, "skipped", f"It needs {', '.join(missing)}, which was not made.")
            return
        try:
            yield from self._objects.make(change)
        except RUN_ENDING:
            raise
        except RetreaverError as error:
            self._note(change, "refused" if isinstance(error, ChangeRefused) else "failed", error.message)
        else:
            self.record.done[change.address] = change.action
            self.save(self.record)
            self._note(change, "done")

    def _are_there(self, addresses: list[str]) -> Procedure[bool]:
        """Return whether objects exist that this run has not made; an earlier run may have."""
        for address in addresses:
            if address in self._outcomes or not (yield from self._objects.exists(address)):
                return False
        return True

    def _note(self, change: Change, status: Status, error: str | None = None) -> None:
        name = one_line(change.address, numbers=False)
        outcome = Outcome(address=change.address, action=change.action, status=status, fields=list(change.fields))
        if error is not None:
            outcome["error"] = error
            log.warning("%s was not applied: %s", name, error)
        else:
            log.info("%s: %s done.", name, change.action)
        self._outcomes[change.address] = outcome

    def _note_applied(self) -> None:
        self.note(applied_by(self.plan, self.applied, self.record.done))
