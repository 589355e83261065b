"""Keeping webhooks: each is on the storage before it is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.webhooks.received import Refused
from airflow_provider_retreaver.webhooks.threads import start

log = logging.getLogger(__name__)

# Seconds after which a webhook counts as not kept; Retreaver waits five for the answer.
PATIENCE = 3.0
# Bytes of webhooks that may wait for the storage.
MOST_BYTES = 16_000_000
# Writes that the storage does not end, beside which another one is begun.
MOST_WRITES = 4


class Keeper:
    """Writes webhooks to one spool.

    While a write is under way, the webhooks that come in wait and are written together by the next one, so that the
    storage's speed does not bound how many are kept in a second.

    :param write: writes lines; they are kept when it returns.
    :param patience: seconds after which a webhook counts as not kept.
    """

    def __init__(self, write: Callable[[bytes], None], patience: float = PATIENCE) -> None:
        self._write = write
        self._patience = patience
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._bytes = 0
        self._writes = 0
        self._task: asyncio.Task[None] | None = None

    async def keep(self, line: bytes) -> None:
        """Keep a webhook.

        :param line: of `to_line`.
        :raises Refused: with status 503 when it is not known to be kept; Retreaver is to send it again.
        """
        if self._bytes + len(line) > MOST_BYTES:
            raise _not_kept()
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (line, kept)
        self._waiting.append(entry)
        self._bytes += len(line)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())
        try:
            async with asyncio.timeout(self._patience):
                await kept
        except TimeoutError:
            raise _not_kept() from None
        finally:
            self._bytes -= len(line)
            if entry in self._waiting:
                self._waiting.remove(entry)

    async def _write_all(self) -> None:
        while self._waiting and self._writes < MOST_WRITES:
            entries, self._waiting = self._waiting, []
            self._writes += 1
            lines = b"".join(line for line, _ in entries)
            writing = start(lambda lines=lines: self._write(lines))  # type: ignore[misc] # a default, not a parameter
            writing.add_done_callback(self._ended)
            done, _ = await asyncio.wait({writing}, timeout=self._patience)
            error = writing.exception() if done else TimeoutError(f"no answer in {self._patience:g} s")
            if error is not None:
                log.error("The storage has not kept %d webhooks: %s", len(entries), one_line(repr(error)))
            for _, kept in entries:
                if not kept.done():
                    if error is None:
                        kept.set_result(None)
                    else:
                        kept.set_exception(_not_kept())

    def _ended(self, writing: asyncio.Future[None]) -> None:
        self._writes -= 1
        if not writing.cancelled():
            # Read here too: nobody else may be waiting for it any more.
            writing.exception()
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._write_all())


def _not_kept() -> Refused:
    return Refused(503, "The webhook could not be kept; send it again.")
