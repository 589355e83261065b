"""The tags that webhooks are answered with, from a published file that is read again when it changes."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.storage.paths import storage_path
from airflow_provider_retreaver.webhooks.lookup import Lookup
from airflow_provider_retreaver.webhooks.threads import start

log = logging.getLogger(__name__)

# Seconds between looks whether the file has changed.
LOOKS = 10.0
# Seconds that a webhook waits for its tags; then it is answered without them.
PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class _Open:
    lookup: Lookup
    stamp: str


class Answers:
    """The tags of one file.

    A new file is fetched and opened beside the old one, which answers until then; a file that cannot be read leaves
    the old one in place.

    :param path: of the file on object storage.
    :param clock: returns seconds.
    """

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._open: _Open | None = None
        self._looked: float | None = None
        self._loading: asyncio.Future[_Open | None] | None = None
        # Files that were replaced, and may still be read.
        self._replaced: list[Lookup] = []
        self._is_closed = False

    async def tags(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tags for a webhook.

        :param fields: of the webhook.
        :return: tags by name; none when there are none, or they cannot be read in time.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self._look()
                opened = self._open
                return {} if opened is None else await start(lambda: opened.lookup.tags(fields))
        except Exception as error:  # noqa: BLE001 - the webhook is kept, whatever happens to its tags
            log.warning("A webhook was answered without tags: %s", one_line(repr(error)))
            return {}

    async def _look(self) -> None:
        """Fetch the file when it has changed; only the first webhooks wait for that."""
        now = self._clock()
        if self._loading is None and (self._looked is None or now - self._looked >= LOOKS):
            self._looked = now
            opened = self._open
            self._loading = start(lambda: self._load(opened))
            self._loading.add_done_callback(self._loaded)
        if self._open is None and self._loading is not None:
            await asyncio.wait({self._loading})

    def _loaded(self, loading: asyncio.Future[_Open | None]) -> None:
        self._loading = None
        error = None if loading.cancelled() else loading.exception()
        if error is not None:
            log.error("The tags of %s cannot be read: %s", one_line(self._path), one_line(repr(error)))
        elif not loading.cancelled() and (found := loading.result()) is not None:
            if self._is_closed:
                found.lookup.close()
                return
            old, self._open = self._open, found
            if old is not None:
                self._replaced.append(old.lookup)
                # Nobody waits longer for an answer from it.
                asyncio.get_running_loop().call_later(2 * PATIENCE, self._close_replaced)
            log.info("Webhooks are answered with the tags of %d keys of %s.", found.lookup.rows, one_line(self._path))

    def _close_replaced(self) -> None:
        if self._replaced:
            self._replaced.pop(0).close()

    def close(self) -> None:
        """Close all files, also one that is still being fetched."""
        self._is_closed = True
        while self._replaced:
            self._close_replaced()
        if self._open is not None:
            self._open.lookup.close()
            self._open = None

    def _load(self, opened: _Open | None) -> _Open | None:
        """Return the file when it is another one than the open one."""
        file = storage_path(self._path, "webhook_lookup")
        file.fs.invalidate_cache(file.parent.path)
        stamp = str(file.fs.info(file.path))
        if opened is not None and opened.stamp == stamp:
            return None
        with tempfile.TemporaryDirectory(prefix="retreaver-tags-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / "tags.db"
            file.fs.get_file(file.path, str(copy))
            # Removed here already; the open file has its space until it is closed.
            return _Open(Lookup(copy), stamp)
