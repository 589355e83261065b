"""What an export by update remembers from run to run: how far it came, and what calls were worth.

The state is a folder of small files: `cursor.json`, and for each day on which calls were created `worth/DAY.json`
with revenue and payout of the calls exported so far, so that a later run can say which were restated and by how much.
An entry also keeps what it replaced and by which export, so that a run that is repeated reports the same again.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, call_time, read_amount
from airflow_provider_retreaver.storage.paths import destination_errors, make_folder, storage_path
from airflow_provider_retreaver.storage.whole_files import TemporaryFolder, replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.domain.calls.export import CallPage

# Times come rounded to the millisecond: the newest call lies before the next one.
NEXT = timedelta(milliseconds=1)
# Restated calls that a manifest lists one by one; the sums are of all of them.
MOST_TOLD = 1_000


class _Worth(msgspec.Struct, gc=False):
    revenue: Any = None
    payout: Any = None


_WORTH = msgspec.json.Decoder(_Worth, float_hook=Decimal)


class Cursor:
    """How far the exports of one state folder came: the newest `updated_at` when the latest one began.

    :param folder: URL of the state folder.
    :param parameter: the name under which the DAG gave it: `state_path`, or `destination` when it lies there.
    """

    def __init__(self, folder: str, parameter: str = "state_path") -> None:
        self.folder = storage_path(folder, parameter)
        self._parameter = parameter
        self._file = self.folder / "cursor.json"

    def load(self) -> datetime | None:
        """Return the cursor, None before the first export.

        :raises InvalidArgument: when there is one that cannot be read.
        :raises StorageFailed: when the storage fails.
        """
        with destination_errors(f"{self._parameter} {self.folder} cannot be read"):
            self.folder.fs.invalidate_cache()
            try:
                text = self._file.read_text()
            except FileNotFoundError:
                return None
        found: datetime | None = None
        with suppress(ValueError, TypeError, KeyError):
            found = datetime.fromisoformat(json.loads(text)["cursor"])
        if found is None or found.tzinfo is None:
            raise InvalidArgument(
                f"{self._parameter}: {self._file} cannot be read as a cursor; put a good copy in its place, or "
                f"delete it to begin again at start."
            )
        return found

    def save(self, cursor: datetime, export: str) -> None:
        """Replace the cursor."""
        value = {"cursor": cursor.astimezone(UTC).isoformat(), "export": export}
        replace_text(self._file, json.dumps(value) + "\n")


@dataclass(slots=True)
class Restated:
    """Calls whose worth changed after they were exported.

    :param calls: how many.
    :param revenue: change of their revenue in all.
    :param payout: change of their payout in all.
    """

    calls: int = 0
    revenue: Decimal = Decimal(0)
    payout: Decimal = Decimal(0)

    def as_dict(self) -> dict[str, Any]:
        """Return it as the manifest and the result show it."""
        return {"calls": self.calls, "revenue_change": _plain(self.revenue), "payout_change": _plain(self.payout)}


@dataclass(slots=True)
class _Day:
    name: str
    known: dict[str, list[str | None]] = field(default_factory=dict)
    changed: bool = False


class Ledger:
    """What calls were worth when they were exported last; pages must come oldest first.

    :param folder: the state folder.
    :param export: name of the export under way.
    """

    def __init__(self, folder: ObjectStoragePath, export: str) -> None:
        self._folder = folder / "worth"
        self._export = export
        self._temporary = TemporaryFolder(folder, export)
        self._day: _Day | None = None
        self._waiting: list[tuple[ObjectStoragePath, ObjectStoragePath]] = []
        self.restated = Restated()
        self.changes: list[dict[str, Any]] = []
        self._temporary.remove_all_attempts()

    def add(self, page: CallPage) -> None:
        """Take in a page of raw calls; one that says so makes everything before it void."""
        if page.restart:
            self.discard()
        for key, raw in zip(page.keys, page.rows, strict=True):
            if key.created_at is not None:
                worth = _WORTH.decode(raw)
                self._note(key.uuid, key.created_at, _amount(worth.revenue), _amount(worth.payout))

    def _note(self, call: str, created_at: str, revenue: str | None, payout: str | None) -> None:
        day = self._opened(call_time(created_at, "created_at", call).strftime("%Y-%m-%d"))
        entry = day.known.get(call)
        before: list[str | None] | None = entry[:2] if entry is not None else None
        if entry is not None and entry[2] == self._export:
            before = entry[3:] or None
        now = [revenue, payout]
        if before is not None and before != now:
            self._report(call, created_at, before, now)
        made = [*now, self._export, *(before or [])]
        if entry is None or entry[:2] != now:
            day.known[call] = made
            day.changed = True

    def _report(self, call: str, created_at: str, before: list[str | None], now: list[str | None]) -> None:
        changes = [Decimal(new or 0) - Decimal(old or 0) for old, new in zip(before, now, strict=True)]
        self.restated.calls += 1
        self.restated.revenue += changes[0]
        self.restated.payout += changes[1]
        row: dict[str, Any] = {"uuid": call, "created_at": created_at}
        for place, name in enumerate(("revenue", "payout")):
            row |= {f"{name}_before": before[place], f"{name}_after": now[place]}
            row |= {f"{name}_change": _plain(changes[place])}
        if len(self.changes) < MOST_TOLD:
            self.changes.append(row)

    def _opened(self, name: str) -> _Day:
        if self._day is None or self._day.name != name:
            self._put_away()
            self._day = _Day(name, self._read(name))
        return self._day

    def _read(self, name: str) -> dict[str, list[str | None]]:
        target = self._folder / f"{name}.json"
        draft = next((draft for draft, path in self._waiting if path == target), target)
        try:
            return dict(json.loads(draft.read_text()))
        except FileNotFoundError:
            return {}
        except ValueError:
            raise InvalidArgument(f"state_path: {target} cannot be read; delete it to forget that day.") from None

    def _put_away(self) -> None:
        if self._day is None or not self._day.changed:
            return
        target = self._folder / f"{self._day.name}.json"
        draft = self._temporary.new_file(f"{self._day.name}.json")
        draft.write_text(json.dumps(self._day.known, separators=(",", ":")))
        if (draft, target) not in self._waiting:
            self._waiting.append((draft, target))
        self._day = None

    def save(self) -> None:
        """Move what was learned into place."""
        self._put_away()
        for draft, target in self._waiting:
            make_folder(target.parent)
            draft.fs.mv(draft.path, target.path)
        self._clean()

    def discard(self) -> None:
        """Forget what was learned since the beginning of the export."""
        self._day, self.restated, self.changes = None, Restated(), []
        self._clean()

    def _clean(self) -> None:
        self._waiting = []
        self._temporary.remove()


def _amount(value: object) -> str | None:
    amount: Decimal | None = None
    with suppress(NotOfKind):
        amount = None if value is None else read_amount(value)
    return None if amount is None else _plain(amount)


def _plain(amount: Decimal) -> str:
    text = f"{amount.quantize(Decimal('0.000001')):f}".rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text
