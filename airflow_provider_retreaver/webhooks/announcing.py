"""Which batches are to be announced: the new ones, and those that nobody has claimed although they were announced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_retreaver.storage.paths import storage_errors
from airflow_provider_retreaver.webhooks.claims import claimed
from airflow_provider_retreaver.webhooks.collector import Collector
from airflow_provider_retreaver.webhooks.spool import Spool

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.webhook_settings import WebhookSettings

# Seconds after which a batch is announced again that nobody has claimed.
AGAIN = 600.0
# Seconds between removals of old batches.
CLEANING = 3_600.0
# Batches in one event; its payload is stored in Airflow's database.
MOST = 1_000


@dataclass(slots=True)
class Announcer:
    """Makes batches, and says which ones an event is due for.

    :param collector: makes the batches.
    :param clock: returns seconds.
    """

    collector: Collector
    clock: Callable[[], float] = time.monotonic
    # Number of each batch that was announced, and when; those that somebody has claimed are left out.
    _announced: dict[int, float] = field(default_factory=dict)
    _looked: float | None = None
    _cleaned: float | None = None

    @classmethod
    def of(cls, settings: WebhookSettings, trigger: str, *, window: timedelta, keep: timedelta, most: int) -> Self:
        """Return the announcer of one spool.

        :param settings: of the connection.
        :param trigger: of the webhooks.
        :param window: see `Collector`.
        :param keep: see `Collector`.
        :param most: see `Collector`.
        :return: the announcer.
        """
        return cls(Collector(Spool(settings, trigger), window, keep, most))

    def payloads(self) -> list[dict[str, Any]]:
        """Make batches of what waits, and return the payloads of the events that are due.

        :return: plain JSON, without anything of the webhooks.
        :raises StorageFailed: when the storage fails; nothing is lost.
        :raises InvalidArgument: when the storage cannot be used.
        """
        with storage_errors("Making batches of webhooks", "nothing is lost, they wait in the folder."):
            made = [batch.number for batch in self.collector.collect()]
            now = self.clock()
            due = sorted({*made, *self._unclaimed(now)})
            self._announced |= dict.fromkeys(due, now)
            if self._cleaned is None or now - self._cleaned >= CLEANING:
                self.collector.remove_old()
                self._cleaned = now
            spool = self.collector.spool
            return [
                {"company": spool.company, "trigger": spool.trigger, "batches": due[start : start + MOST]}
                for start in range(0, len(due), MOST)
            ]

    def _unclaimed(self, now: float) -> Iterator[int]:
        """Yield the batches that nobody has claimed, at the start and a while after they were announced."""
        if self._looked is not None and now - self._looked < AGAIN:
            return
        self._looked = now
        numbers = self.collector.spool.numbers()
        waiting = frozenset(numbers) - claimed(self.collector.spool)
        self._announced = {number: at for number, at in self._announced.items() if number in waiting}
        yield from (number for number in waiting if now - self._announced.get(number, now - AGAIN) >= AGAIN)
