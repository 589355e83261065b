"""Drift: what was applied last, what differs from it, and that as the condition of a sensor and an event trigger."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypedDict

from msgspec import UNSET

from airflow_provider_retreaver.account.files import AccountFiles, read_files
from airflow_provider_retreaver.account.kinds import Live, read_account
from airflow_provider_retreaver.account.nodes import write_yaml
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Document, FieldDiff, Plan, decoded
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.account.sources import Sources, find_secret
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.operations import Blocking, Procedure
from airflow_provider_retreaver.core.parameters import is_given, mapping, text, texts
from airflow_provider_retreaver.core.quoting import first_of, one_line
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState

# Rows of a result and of an event at most; `count` has how many there are.
MAX_ROWS = 100
# Objects that a log line names.
MAX_NAMED = 5
# How an object differs that is missing or not wanted.
_OBJECTS = {"create": {"": FieldDiff("missing", "there")}, "delete": {"": FieldDiff("there", "removed")}}

Reason = Literal["drift", "not applied", "unknown"]


class Applied(Document, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was applied last.

    :param format: what the file is.
    :param version: of the format.
    :param company: Retreaver's ID of the company.
    :param plan: hash of the plan that was applied last.
    :param files: what the files of that plan say, see `Plan`.
    :param managed: what was applied, by address and field.
    """

    format: Literal["retreaver-account-applied"] = "retreaver-account-applied"
    version: Literal[1] = 1
    company: int
    plan: str
    files: dict[str, Any]
    managed: dict[str, dict[str, Any]]


def applied_by(plan: Plan, before: Applied | None, done: Collection[str] = ()) -> Applied:
    """Return what is applied when an apply begins, and when it ends.

    :param plan: that is applied.
    :param before: what was applied before; None for nothing.
    :param done: addresses whose change was made.
    :return: what the plan wants of the objects that are as it wants them, and for the others what was before.
    """
    changed = {one.address for one in plan.changes} - set(done)
    old = before.managed if before is not None and before.company == plan.company else {}
    managed = {
        address: fields if address not in changed else old[address]
        for address, fields in plan.managed.items()
        if address not in changed or address in old
    }
    return Applied(company=plan.company, plan=plan.sha256, files=plan.files, managed=managed)


def load_applied(data: bytes | str, where: str) -> Applied:
    """Read what was applied last.

    :param data: what `Applied.dump` returned.
    :param where: it came from, for errors.
    :return: what was applied.
    :raises InvalidArgument: when it is something else.
    """
    return decoded(
        data, Applied, f"{where} is not what an apply of this package leaves; check the path, or delete it."
    )


class DriftRow(TypedDict):
    """One field that differs, or one object that is missing or not wanted (`field` is blank)."""

    address: str
    field: str
    wanted: Any
    now: Any
    reason: Reason


def drift_of(plan: Plan, applied: Applied | None) -> list[DriftRow]:
    """Return what differs from the files.

    A field is drift when the last apply set it to what the files want still: others have changed it. It is not
    applied yet when the files want something else than the last apply. Without a last apply nobody knows.

    :param plan: of the files, made now.
    :param applied: what was applied last; None for nothing.
    :return: a row for each difference.
    :raises InvalidArgument: when what was applied is of another company.
    """
    if applied is not None and applied.company != plan.company:
        raise InvalidArgument(f"What was applied last is of company {applied.company}, not {plan.company}.")
    rows: list[DriftRow] = []
    for change in plan.changes:
        known = None if applied is None else applied.managed.get(change.address)
        last = {} if known is None else {"": "there", **known}
        for field, one in _OBJECTS.get(change.action, change.fields).items():
            was_set = last.get(field, UNSET) == one.after
            reason: Reason = "unknown" if applied is None else "drift" if was_set else "not applied"
            rows.append(
                DriftRow(address=change.address, field=field, wanted=one.after, now=one.before, reason=reason)
            )
    return rows


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from the files.

    :param company: Retreaver's ID of the company.
    :param plan: hash of the plan that was applied last.
    :param rows: a row for each difference.
    """

    company: int
    plan: str
    rows: list[DriftRow]


@dataclass(frozen=True, slots=True)
class DriftQuery(Query[Drift]):
    """What differs from the files now.

    :param applied_path: file on object storage with what was applied last.
    :param paths: files and folders of the account; none for the files of the last apply.
    :param environment: lay `environments/<name>.yaml` over the files.
    :param variables: which override those of the files.
    """

    applied_path: str
    paths: tuple[str, ...] = ()
    environment: str | None = None
    variables: tuple[tuple[str, object], ...] = ()

    def run(self, _state: QueryState, /) -> Procedure[Drift]:
        """Read what was applied, the files and the account; no state is kept.

        Where an apply has begun or ended meanwhile, nothing is reported: the account was read amid its changes.

        :raises InvalidArgument: when nothing was applied yet, or the files are not valid.
        """
        applied, files = yield Blocking(self._wanted)
        live = yield from read_account(files.kinds())
        rows = yield Blocking(lambda: self._rows(files, live, applied))
        return Drift(live.company, applied.plan, rows)

    def _wanted(self) -> tuple[Applied, AccountFiles]:
        applied = read_applied(self.applied_path)
        if applied is None:
            raise InvalidArgument(
                f"There is no {self.applied_path} (applied_path): no plan was applied yet, or with another "
                f"applied_path. Apply one first."
            )
        if self.paths:
            return applied, Sources(self.paths, self.environment, dict(self.variables)).read()
        return applied, read_files([("the files of the last apply", write_yaml(applied.files))])

    def _rows(self, files: AccountFiles, live: Live, applied: Applied) -> list[DriftRow]:
        if read_applied(self.applied_path) != applied:
            return []
        return drift_of(Planner(files, live, World(secrets=find_secret), comparing=True).plan(), applied)


@dataclass(frozen=True, slots=True)
class AccountDrift(Condition[Drift]):
    """Others have changed what the last apply had set; the condition of `RetreaverAccountDriftSensor`.

    :param applied_path: file on object storage with what was applied last.
    :param paths: files and folders of the account; none for the files of the last apply.
    :param environment: lay `environments/<name>.yaml` over the files.
    :param variables: which override those of the files.
    """

    kind: ClassVar[str] = "account_drift"

    applied_path: str
    paths: tuple[str, ...]
    environment: str | None
    variables: Mapping[str, object]

    @classmethod
    def from_parameters(cls, *, applied_path: object, paths: object, environment: object, variables: object) -> Self:
        """Build the condition from the sensor's parameters."""
        given = tuple(texts(paths, "paths") or ()) if is_given(paths) else ()
        overlay = text(environment, "environment") if is_given(environment) else None
        values = mapping(variables, "variables")
        if not given and (overlay is not None or values):
            raise InvalidArgument(
                "environment and variables belong to paths: give paths too, or leave them out to compare with the "
                "files of the last apply."
            )
        return cls(text(applied_path, "applied_path"), given, overlay, values)

    @property
    def query(self) -> DriftQuery:
        """The differences."""
        return DriftQuery(self.applied_path, self.paths, self.environment, tuple(sorted(self.variables.items())))

    def evaluate(self, result: Drift) -> Evaluation:
        """Evaluate the differences: those that are not applied yet, or that nobody can explain, are no drift."""
        drift = [row for row in result.rows if row["reason"] == "drift"]
        value = {"company": result.company, "plan": result.plan, "count": len(drift), "rows": drift[:MAX_ROWS]}
        names = first_of([one_line(_label(row), numbers=False) for row in drift], MAX_NAMED)
        rest = f"; {len(result.rows) - len(drift)} differences are not applied yet" if result.rows != drift else ""
        message = f"others have changed {names}" if drift else "others have changed nothing"
        return Evaluation(bool(drift), value, message + rest, matches={_label(row): row for row in drift})


def _label(row: DriftRow) -> str:
    return f"{row['address']} {row['field']}".strip()


def read_applied(url: object) -> Applied | None:
    """Read what was applied last.

    :param url: of the file on object storage.
    :return: what was applied; None when there is no file.
    :raises InvalidArgument: when it is no path on object storage, is something else, or must not be read.
    :raises StorageFailed: when the storage fails.
    """
    from airflow_provider_retreaver.storage.paths import destination_errors, storage_path

    file = storage_path(url, "applied_path")
    with destination_errors(f"applied_path: {file} cannot be read"):
        data: Any = file.read_bytes() if file.is_file() else None
    return None if data is None else load_applied(data, f"{file} (applied_path)")


def write_applied(url: object, applied: Applied) -> None:
    """Write what was applied last.

    :param url: of the file on object storage.
    :param applied: what was applied.
    :raises StorageFailed: when it cannot be written.
    """
    from airflow_provider_retreaver.storage.paths import storage_errors, storage_path
    from airflow_provider_retreaver.storage.whole_files import replace_text

    file = storage_path(url, "applied_path")
    with storage_errors(f"Writing {file} (applied_path)", "drift cannot be found; run the task again."):
        replace_text(file, applied.dump().decode())
