"""A lease: of several runs that change the same list or objects, one is at work.

On object storage each holder has a file of its own, `<name>.lease/<number>.json`, with a number that is higher than
all before. A file is created only if it does not exist (conditional writes), so of two runs that want the next number
one gets it. The file has the holder and a time until which the lease holds, which the holder moves on while it works;
a run that was killed does not do that, and the next one takes over afterwards, or at once where it sees that the
process is gone from this machine. A holder that was only slow finds a higher number before its next batch and stops.
Clocks of workers may differ by less than the lease lasts.

Another attempt of the same task takes over at once, or, where what an attempt has sent must not meet what the next
one sends (`Turn`), when the former one has ended or has given no sign for some minutes.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_retreaver.core.errors import InvalidArgument, RunUnderWay, StorageFailed
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.storage.attempt_lease import (
    EARLIER,
    RENEWED_AFTER,
    AttemptLease,
    FormerHolder,
    NoLease,
    is_gone,
)
from airflow_provider_retreaver.storage.paths import destination_errors, make_folder, storage_errors, storage_path
from airflow_provider_retreaver.storage.run_state import damaged_state, read_state
from airflow_provider_retreaver.storage.temporary_folders import Attempt
from airflow_provider_retreaver.storage.whole_files import create_file, file_names, replace_text

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)

# Seconds for which a lease holds.
HOLDS = 900.0
CHECK = "that no other run is at work"
# Seconds since 1970 at the end of the year 9998.
LATEST = 253_370_764_800
# How often the next number is tried when others are faster.
TRIES = 5


def lease_for(
    context: Context, state_path: str | None, name: str, looks: str = "what is removed is", patience: float = 0.0
) -> NoLease:
    """Return the strongest lease that there is a place for.

    :param context: the task's context.
    :param state_path: folder on object storage, the same for all runs that exclude each other; None without one.
    :param name: of what is leased.
    :param looks: what is read again instead, for the log.
    :param patience: seconds for which an earlier attempt of the same task without an end counts as at work.
    :return: a lease, to be entered.
    """
    if state_path is not None and is_given(state_path):
        return Lease(context, storage_path(state_path, "state_path"), name, patience=patience)
    log.info(
        "Without state_path there is no lease, so runs that overlap do not see each other; %s read again right "
        "before, and in the time of one request others may still do the same. Let runs not overlap "
        "(max_active_runs=1).",
        looks,
    )
    store = context.get("task_state_store")
    return NoLease() if store is None else AttemptLease(store, patience)


class Lease(NoLease):
    """A lease on object storage, which is held while the block runs.

    :param context: the task's context; another attempt of the same task of a run takes over at once.
    :param folder: on object storage, the same for all runs that exclude each other.
    :param name: of what is leased.
    :param clock: returns seconds since 1970.
    :param patience: seconds for which an earlier attempt without an end counts as at work.
    :raises RunUnderWay: on entering, when another run holds it.
    """

    def __init__(
        self,
        context: Context,
        folder: ObjectStoragePath,
        name: str,
        clock: Callable[[], float] = time.time,
        *,
        patience: float = 0.0,
    ) -> None:
        instance = context.get("ti")
        names = () if instance is None else ("dag_id", "run_id", "task_id", "map_index")
        self._holder: dict[str, Any] = {key: getattr(instance, key) for key in names}
        self._attempt = Attempt.new()
        self._token = self._attempt.name
        self._patience = patience
        self._folder = folder / f"{name}.lease"
        self._clock = clock
        self._number = 0
        self._renewed = 0.0
        self.is_exclusive = True

    def __enter__(self) -> Self:
        with destination_errors(f"The lease in {self._folder} (below state_path) cannot be taken"):
            self._take()
        if not self.is_exclusive:
            log.warning(
                "The storage of %s does not support conditional writes, so two runs that start at the same moment "
                "may both be at work until one notices the other; let runs not overlap (max_active_runs=1).",
                self._folder,
            )
        return self

    def _take(self) -> None:
        make_folder(self._folder)
        for _ in range(TRIES):
            highest = max(self._numbers(), default=0)
            former = self._check_free(self._read(highest)) if highest else None
            if self._create(highest + 1):
                self._number, self._renewed = highest + 1, self._clock()
                if former is not None:
                    former.log_takeover()
                break
        else:
            raise RunUnderWay(f"Other runs take the lease in {self._folder} again and again; nothing was sent.")
        # A storage that ignores the condition writes the file a second time.
        self.is_exclusive = not self._create(self._number)
        self._remove_older()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._attempt.release()
        # An error here must not hide the one that stopped the block; without the end the lease ends by itself.
        with suppress(StorageFailed, InvalidArgument), storage_errors(f"Ending {self._folder}", "it ends by itself."):
            if self._is_held():
                self._write(ended=True)

    def confirm(self) -> None:
        """Check that the lease is held still, and move its end on.

        :raises RunUnderWay: when another run has taken over; nothing more may be sent.
        """
        with self._errors():
            held = self._is_held()
        if not held:
            raise RunUnderWay(
                f"Another run has taken over the lease in {self._folder}, since this one did not report for more "
                f"than {HOLDS / 60:.0f} minutes or is an older attempt; it stops, and the other one continues."
            )
        self.renew()

    def renew(self) -> None:
        """Move the end on, at most once a minute."""
        if self._clock() - self._renewed >= RENEWED_AFTER:
            with self._errors():
                self._write(ended=False)

    def _errors(self) -> AbstractContextManager[None]:
        return storage_errors(f"Holding the lease in {self._folder}", "this run stops, and a retry continues.")

    def _numbers(self) -> list[int]:
        names = file_names(self._folder)
        stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
        return [int(stem) for stem in stems if stem.isascii() and stem.isdigit()]

    def _file(self, number: int) -> ObjectStoragePath:
        return self._folder / f"{number:08}.json"

    def _read(self, number: int) -> dict[str, Any]:
        file = self._file(number)
        try:
            text = file.read_text()
        except FileNotFoundError:
            # Its successor has removed it.
            return {}
        if not text:
            # It is just being written, or its writer was killed.
            return {"lease": {"until": file.stat().st_mtime + HOLDS}}
        where = f"{file} (lease)"
        found = read_state(text, where, CHECK)
        until = found.get("lease", {}).get("until")
        if not isinstance(until, (int, float)) or isinstance(until, bool) or not 0 <= until < LATEST:
            raise damaged_state(where, CHECK)
        return found

    def _is_held(self) -> bool:
        highest = max(self._numbers(), default=0)
        return highest == self._number and self._read(highest).get("lease", {}).get("token") == self._token

    def _check_free(self, found: Mapping[str, Any]) -> FormerHolder | None:
        lease, holder = found.get("lease", {}), found.get("holder", {})
        until, now, named = lease.get("until", 0.0), self._clock(), "a run"
        if not until:
            return None
        if holder:
            run, dag, task = (one_line(holder.get(key), numbers=False) for key in ("run_id", "dag_id", "task_id"))
            named = f"run {run} of {dag}.{task}"
        former = FormerHolder(named, now - (until - HOLDS), is_gone=is_gone(lease))
        if self._holder and holder == self._holder:
            former, until = replace(former, name=EARLIER), until - HOLDS + self._patience
        if until <= now or former.is_gone:
            return former
        raise RunUnderWay(
            f"Another run is at work on the same objects: {named} holds the lease in {self._folder}; nothing was "
            f"sent. A retry starts when it has ended; if it was killed, from {_written(until)} on.",
            holder=named,
        )

    def _content(self, *, ended: bool) -> str:
        until = 0.0 if ended else self._clock() + HOLDS
        return json.dumps({"holder": self._holder, "lease": {"token": self._token, "until": until}})

    def _create(self, number: int) -> bool:
        """Create a file, and return False when it exists."""
        return create_file(self._file(number), self._content(ended=False).encode())

    def _write(self, *, ended: bool) -> None:
        replace_text(self._file(self._number), self._content(ended=ended))
        self._renewed = self._clock()

    def _remove_older(self) -> None:
        for number in self._numbers():
            if number < self._number:
                with suppress(FileNotFoundError):
                    self._file(number).unlink()


def _written(until: float) -> str:
    return datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
