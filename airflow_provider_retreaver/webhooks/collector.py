"""Making batches of the webhooks that wait: each webhook gets into one batch, once.

The batches are a log to which one number after the other is added. A collector knows all batches before it adds one:
it lists the files that wait, reads the batches that it does not know, and creates the next number only if nobody else
has. So whatever is killed at whatever moment, and however many collectors run: a file that waits although a batch has
its webhooks is recognized by its name and removed, and a webhook that was sent again by its call and event.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.webhooks.received import Webhook, identity
from airflow_provider_retreaver.webhooks.spool import Batch, Spool, received_at

log = logging.getLogger(__name__)

# Batches that are made before anybody else has a turn.
MOST_BATCHES = 100
# For how long the names of files at least are known that are in a batch: another collector may not have removed them.
FILED = timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Collector:
    """Makes batches of one spool.

    :param spool: the spool.
    :param window: webhooks of the same call and event within this time are one.
    :param keep: how long batches are kept.
    :param most: webhooks in a batch at most, besides those that were written together with the last one.
    :param clock: returns the time.
    """

    spool: Spool
    window: timedelta
    keep: timedelta
    most: int = 1_000
    clock: Callable[[], datetime] = _now
    _latest: int = 0
    _checked: bool = False
    # Calls and events of known batches with the time of the first webhook; files of known batches with their times.
    _seen: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _filed: dict[str, datetime] = field(default_factory=dict)

    def collect(self) -> list[Batch]:
        """Make batches until nothing waits.

        :return: the batches that were made.
        :raises InvalidArgument: when the storage has no conditional writes, or a batch is damaged.
        """
        self._check()
        made: list[Batch] = []
        for _ in range(MOST_BATCHES):
            names = self.spool.waiting()
            self._catch_up(names)
            filed = [name for name in names if name in self._filed]
            # Before anything is added: a file that cannot be removed must not be forgotten.
            self.spool.remove_waiting(filed)
            batch = self._next_batch([name for name in names if name not in self._filed])
            if batch is None:
                break
            if batch.webhooks and not self.spool.append(batch):
                continue
            self._know(batch)
            self.spool.remove_waiting(batch.incoming)
            if batch.webhooks:
                made.append(batch)
        self._forget()
        return made

    def remove_old(self) -> int:
        """Remove batches that were kept long enough, and their claims; the latest is always kept.

        :return: how many were removed.
        """
        from airflow_provider_retreaver.webhooks.claims import remove_claims

        horizon, old = self.clock() - self.keep, list[int]()
        for number in self.spool.numbers()[:-1]:
            try:
                if self.spool.read(number).made_at >= horizon:
                    break
            except FileNotFoundError:
                continue
            self.spool.remove(number)
            old.append(number)
        remove_claims(self.spool, before=old[-1] + 1 if old else 0)
        return len(old)

    def _check(self) -> None:
        if not self._checked and not self.spool.has_conditional_writes():
            raise InvalidArgument(
                f"The storage of {self.spool.folder} (webhook_spool) does not support conditional writes, without "
                f"which a webhook could come twice; use another one, such as S3 or a folder that all machines share."
            )
        self._checked = True

    def _catch_up(self, waiting: Iterable[str]) -> None:
        """Read the batches that are not known, as far back as a webhook that waits can have been sent before."""
        numbers = [number for number in self.spool.numbers() if number > self._latest]
        if self._latest:
            for number in numbers:
                self._know(self.spool.read(number))
            return
        times = [time for time in map(received_at, waiting) if time is not None]
        horizon = min([*times, self.clock()]) - self.window
        batches = list[Batch]()
        for number in reversed(numbers):
            try:
                batches.append(self.spool.read(number))
            except FileNotFoundError:
                break
            if batches[-1].made_at < horizon:
                break
        # Only when all were read: a collector that knows some takes itself for one that knows all.
        for batch in batches:
            self._know(batch)

    def _know(self, batch: Batch) -> None:
        if batch.webhooks:
            self._latest = max(self._latest, batch.number)
        self._filed |= dict.fromkeys(batch.incoming, batch.made_at)
        for webhook in batch.webhooks:
            time = _time(webhook)
            key = identity(webhook)
            self._seen[key] = max(time, self._seen.get(key, time))

    def _next_batch(self, names: list[str]) -> Batch | None:
        """Return the next batch; one without webhooks when all that wait were sent again, None when nothing waits."""
        taken, found = list[str](), list[Webhook]()
        new: dict[tuple[str, str], datetime] = {}
        for name in names:
            if len(found) >= self.most:
                break
            try:
                webhooks = self.spool.read_waiting(name)
            except ValueError:
                log.error("%s is damaged and was moved away.", one_line(self.spool.put_aside(name)))  # noqa: TRY400
                continue
            if webhooks is None:
                continue
            taken.append(name)
            for webhook in webhooks:
                key, time = identity(webhook), _time(webhook)
                before = new.get(key) or self._seen.get(key)
                if before is None or abs(time - before) >= self.window:
                    new[key] = time
                    found.append(webhook)
        return Batch(self._latest + 1, self.clock(), tuple(taken), tuple(found)) if taken else None

    def _forget(self) -> None:
        horizon = self.clock() - self.window
        self._seen = {key: time for key, time in self._seen.items() if time >= horizon}
        horizon = min(horizon, self.clock() - FILED)
        self._filed = {name: time for name, time in self._filed.items() if time >= horizon}


def _time(webhook: Webhook) -> datetime:
    return datetime.fromisoformat(webhook["received_at"])
