"""The connections that webhooks are sent to, read now and then instead of for each webhook."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import RetreaverError
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.webhooks.rates import Rate
from airflow_provider_retreaver.webhooks.received import Refused
from airflow_provider_retreaver.webhooks.threads import start

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.webhook_settings import WebhookSettings

log = logging.getLogger(__name__)

# Seconds after which a connection is read again: as long as a token lasts that was removed.
FRESH = 15.0
# Seconds for which the settings are used on when the connection cannot be read any more, as while Airflow's database
# restarts: an Airflow that cannot reach its database says that the connection does not exist. After them webhooks get
# a 503, until the connection is there again or the api-server is restarted.
STALE = 300.0
# Seconds that a request waits for a connection that was not read before.
PATIENCE = 2.0
# Connections that are remembered, and reads a second of those that are not.
MOST, READS = 1_000, 20.0
_ID = re.compile(r"[\w.-]{1,250}", re.ASCII)


def read_connection(retreaver_conn_id: str) -> WebhookSettings | None:
    """Read the settings for webhooks of a connection from Airflow.

    :param retreaver_conn_id: ID of the connection.
    :return: the settings; None when it accepts no webhooks.
    :raises LookupError: when there is no such connection, or Airflow's database does not answer.
    :raises InvalidConnection: when a field of it is invalid.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

    hook = RetreaverHook(retreaver_conn_id)
    try:
        connection = hook.get_connection(retreaver_conn_id)
    except AirflowNotFoundException:
        raise LookupError(retreaver_conn_id) from None
    if connection.conn_type != hook.conn_type:
        return None
    del connection
    return hook.settings.webhooks


@dataclass(slots=True)
class _Known:
    settings: WebhookSettings | None
    read: float


class Connections:
    """The settings of the connections, as they were a few seconds ago.

    :param read: reads one, in a thread.
    :param clock: returns seconds.
    """

    def __init__(
        self,
        read: Callable[[str], WebhookSettings | None] = read_connection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._unknown_reads = Rate(READS, clock)

    async def get(self, name: str) -> WebhookSettings | None:
        """Return the settings of a connection.

        :param name: what a request gives as its ID.
        :return: the settings; None when it accepts no webhooks, or does not exist.
        :raises Refused: with status 503 when it cannot be read at the moment.
        """
        if not _ID.fullmatch(name):
            return None
        known = self._known.get(name)
        if known is None or self._clock() - known.read >= FRESH:
            task = self._begin(name, first=known is None or known.settings is None)
            if known is None or known.settings is None or self._clock() - known.read >= STALE:
                await asyncio.wait({task}, timeout=PATIENCE)
                known = self._known.get(name)
                if known is None or (known.settings is not None and self._clock() - known.read >= STALE):
                    raise Refused(503, "The connection cannot be read at the moment; send the webhook again.")
        return known.settings

    def _begin(self, name: str, *, first: bool) -> asyncio.Task[None]:
        """Read a connection, unless that is under way; strangers cannot have the database asked without a bound."""
        task = self._reading.get(name)
        if task is None:
            if first and not self._unknown_reads.take():
                raise Refused(503, "Too many connections are asked for; send the webhook again.")
            task = self._reading[name] = asyncio.create_task(self._refresh(name))
            task.add_done_callback(lambda _: self._reading.pop(name, None))
        return task

    async def _refresh(self, name: str) -> None:
        known = self._known.get(name)
        try:
            settings = await start(lambda: self._read(name))
        except LookupError:
            if known is not None and known.settings is not None:
                return
            settings = None
        except RetreaverError as error:
            log.error("%s Webhooks for it are not accepted.", error)  # noqa: TRY400 - one sentence says all
            return
        except Exception as error:  # noqa: BLE001 - of any backend of secrets
            log.error("A connection for webhooks cannot be read: %s", one_line(repr(error)))  # noqa: TRY400
            return
        self._known[name] = _Known(settings, self._clock())
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
