"""The state of an incremental export between its runs: the cursor, and revenue and payout of the calls exported.

The state is a folder of small files: `cursor.json`, and for each day of creation `worth/DAY.json` with revenue and
payout of its calls, so that a later run can report which were restated and by how much. An entry also has the values
that it replaced and the export that did so, so that a repeated run reports the same.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.domain.calls.fields import NotOfKind, call_time, read_amount, read_time
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.storage.paths import destination_errors, make_folder, storage_path
from airflow_provider_retreaver.storage.temporary_folders import TemporaryFolder
from airflow_provider_retreaver.storage.whole_files import replace_text
from airflow_provider_retreaver.transfers.publication import CALLS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.domain.calls.export import CallPage

# Times come rounded to the millisecond: the newest call lies before the next one.
NEXT = timedelta(milliseconds=1)
# Restated calls that a manifest lists; the sums are of all of them.
MAX_LISTED = 1_000


class _Amounts(msgspec.Struct, gc=False):
    revenue: object = None
    payout: object = None


_AMOUNTS = msgspec.json.Decoder(_Amounts, float_hook=Decimal)
# By uuid: revenue, payout and export, then the revenue and payout before that export where there are any.
_Entry = Annotated[list[str | None], msgspec.Meta(min_length=3, max_length=5)]
_ENTRIES = msgspec.json.Decoder(dict[str, _Entry])


# Sums of amounts have more digits than one of them.
_EXACT = Context(prec=100)


class Cursor:
    """The newest `updated_at` when the latest export of a state folder started.

    :param folder: URL of the state folder.
    :param parameter: of the operator, for errors: `state_path`, or `destination` where the state is below it.
    """

    def __init__(self, folder: str, parameter: str = "state_path") -> None:
        self.folder = storage_path(folder, parameter)
        self._parameter = parameter
        self._file = self.folder / "cursor.json"

    def load(self) -> datetime | None:
        """Return the cursor.

        :return: the time, None before the first export.
        :raises InvalidArgument: when the cursor cannot be read.
        :raises StorageFailed: when the storage fails.
        """
        with destination_errors(f"{self._parameter} {self.folder} cannot be read"):
            self.folder.fs.invalidate_cache()
            try:
                text = self._file.read_text()
            except FileNotFoundError:
                return None
        cursor: datetime | None = None
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            cursor = read_time(json.loads(text)["cursor"])
        if cursor is None:
            raise InvalidArgument(
                f"{self._parameter}: {self._file} cannot be read as a cursor; restore it, or "
                f"delete it to start again at start."
            )
        return cursor

    def check(self, known: datetime | None) -> None:
        """Check, right before an export is published, that no other one has moved the cursor since it was loaded.

        :param known: what `load` returned.
        :raises StorageFailed: when it was moved; files and state stay as the other export has left them.
        """
        now = self.load()
        if now != known:
            raise StorageFailed(
                f"Another export moved the cursor of {self._file} to {now.isoformat() if now else 'nothing'} while "
                f"this one ran, so nothing was published; run one export of a state folder at a time "
                f"(max_active_runs=1). A retry starts at that cursor."
            )

    def save(self, cursor: datetime, export: str, draft: ObjectStoragePath) -> None:
        """Replace the cursor.

        :param cursor: the new one.
        :param export: name of the export that succeeded.
        :param draft: path of a temporary file.
        """
        value = {"cursor": cursor.astimezone(UTC).isoformat(), "export": export}
        replace_text(self._file, json.dumps(value) + "\n", draft)


@dataclass(slots=True)
class Restated:
    """Calls whose revenue or payout changed after they were exported.

    :param calls: how many.
    :param revenue: change of their revenue in all.
    :param payout: change of their payout in all.
    """

    calls: int = 0
    revenue: Decimal = Decimal(0)
    payout: Decimal = Decimal(0)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON for the manifest and the result.

        :return: `{"calls", "revenue_change", "payout_change"}`, amounts as texts.
        """
        return {"calls": self.calls, "revenue_change": _plain(self.revenue), "payout_change": _plain(self.payout)}


@dataclass(slots=True)
class _Day:
    name: str
    known: dict[str, list[str | None]] = field(default_factory=dict)
    changed: bool = False


class Ledger:
    """Revenue and payout of the calls when they were exported last; pages must come oldest first.

    :param folder: the state folder.
    :param export: name of the current export.
    """

    def __init__(self, folder: ObjectStoragePath, export: str) -> None:
        self._folder = folder / "worth"
        self._export = export
        self._temporary = TemporaryFolder(folder, export)
        self._day: _Day | None = None
        self._waiting: list[tuple[ObjectStoragePath, ObjectStoragePath]] = []
        self.restated = Restated()
        self.changes: list[dict[str, Any]] = []
        self._temporary.remove_ended(CALLS)

    def add(self, page: CallPage) -> None:
        """Add a page of raw calls.

        :param page: with `restart`, all earlier pages are dropped first.
        """
        if page.restart:
            self.discard()
        for key, raw in zip(page.keys, page.rows, strict=True):
            if key.created_at is not None:
                amounts = _Amounts()
                with suppress(*ODD):  # what cannot be read is no amount
                    amounts = _AMOUNTS.decode(raw)
                self._add_call(key.uuid, key.created_at, _amount(amounts.revenue), _amount(amounts.payout))

    def _add_call(self, call: str, created_at: str, revenue: str | None, payout: str | None) -> None:
        day = self._open_day(call_time(created_at, "created_at", call).strftime("%Y-%m-%d"))
        entry = day.known.get(call)
        before: list[str | None] | None = entry[:2] if entry is not None else None
        if entry is not None and entry[2] == self._export:
            before = entry[3:] or None
        now = [revenue, payout]
        if before is not None and before != now:
            self._add_change(call, created_at, before, now)
        new_entry = [*now, self._export, *(before or [])]
        if entry is None or entry[:2] != now:
            day.known[call] = new_entry
            day.changed = True

    def _add_change(self, call: str, created_at: str, before: list[str | None], now: list[str | None]) -> None:
        changes = [Decimal(new or 0) - Decimal(old or 0) for old, new in zip(before, now, strict=True)]
        self.restated.calls += 1
        self.restated.revenue += changes[0]
        self.restated.payout += changes[1]
        row: dict[str, Any] = {"uuid": call, "created_at": created_at}
        for place, name in enumerate(("revenue", "payout")):
            row |= {f"{name}_before": before[place], f"{name}_after": now[place]}
            row |= {f"{name}_change": _plain(changes[place])}
        if len(self.changes) < MAX_LISTED:
            self.changes.append(row)

    def _open_day(self, name: str) -> _Day:
        if self._day is None or self._day.name != name:
            self._write_day()
            self._day = _Day(name, self._read(name))
        return self._day

    def _read(self, name: str) -> dict[str, list[str | None]]:
        target = self._folder / f"{name}.json"
        draft = next((draft for draft, path in self._waiting if path == target), target)
        try:
            return _ENTRIES.decode(draft.read_bytes())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            raise InvalidArgument(f"state_path: {target} cannot be read; delete it to start that day anew.") from None

    def _write_day(self) -> None:
        if self._day is None or not self._day.changed:
            return
        target = self._folder / f"{self._day.name}.json"
        draft = self._temporary.new_file(f"{self._day.name}.json")
        draft.write_text(json.dumps(self._day.known, separators=(",", ":")))
        if (draft, target) not in self._waiting:
            self._waiting.append((draft, target))
        self._day = None

    def save(self, cursor: Cursor, newest: datetime) -> None:
        """Move the changed files into place, and the cursor last.

        :param cursor: of the same folder.
        :param newest: the new cursor.
        """
        self._write_day()
        for draft, target in self._waiting:
            make_folder(target.parent)
            draft.fs.mv(draft.path, target.path)
        cursor.save(newest, self._export, self._temporary.new_file())
        self._clean()

    def discard(self) -> None:
        """Drop all changes of the current export."""
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
    text = f"{amount.quantize(Decimal('0.000001'), context=_EXACT):f}".rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text
