"""Webhooks that the sandbox sends for its calls, as Retreaver does: 5 seconds for an answer, whose JSON becomes tags.

Retreaver's integration guide: "Webhook Support". A URL may have replacement tokens such as ``[call_uuid]``; without
one, all fields are sent. Only this machine gets webhooks.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_retreaver.sandbox.http.callers import is_loopback
from airflow_provider_retreaver.sandbox.state.clock import Clock, format_milliseconds
from airflow_provider_retreaver.sandbox.state.store import Row, Store

TRIGGERS = ("start", "selected", "timer", "postback", "always")
BODIES = ("query", "form", "json")
# Seconds that Retreaver waits for an answer.
PATIENCE = 5.0
# Senders at the same time, and lines of the log of what was sent.
SENDERS, LINES = 8, 10_000
# Seconds of a call at which its timer runs out.
TIMER = 30
_TOKEN = re.compile(r"\[(\w+)\]")


@dataclass(slots=True)
class WebhookSettings:
    """Where webhooks are sent, and how reliably.

    :param urls: URL of each trigger.
    :param body: ``query`` (a GET), ``form`` or ``json`` (a POST).
    :param retries: How often one is sent again that was not answered with a 2xx.
    :param retry_seconds: Seconds before that.
    :param duplicates: Share of the webhooks that are sent twice, from 0 to 1.
    :param disorder: Whether those of one request are sent in another order.
    """

    urls: dict[str, str] = field(default_factory=dict)
    body: str = "query"
    retries: int = 3
    retry_seconds: float = 1.0
    duplicates: float = 0.0
    disorder: bool = False

    @classmethod
    def read(cls, given: dict[str, Any]) -> WebhookSettings:
        """Read the settings.

        :param given: A JSON object with the names of the parameters.
        :return: The settings.
        :raises ValueError: With a sentence, if a value is wrong or a URL leads to another machine.
        """
        known = asdict(cls())
        if not given.keys() <= known.keys():
            raise ValueError(f"webhooks takes {', '.join(known)}")
        values: dict[str, Any] = {**known, **given}
        urls, share = values["urls"], values["duplicates"]
        if not isinstance(urls, dict) or not urls.keys() <= set(TRIGGERS):
            raise ValueError(f"urls is an object with URLs by trigger: {', '.join(TRIGGERS)}")
        for url in urls.values():
            if not isinstance(url, str) or not _is_local(url):
                raise ValueError("webhooks are sent to this machine only: http://127.0.0.1:8080/… for example")
        numbers = (values["retries"], values["retry_seconds"], share)
        if any(isinstance(one, bool) or not isinstance(one, int | float) or one < 0 for one in numbers):
            raise ValueError("retries, retry_seconds and duplicates are numbers of 0 or more")
        if values["body"] not in BODIES or share > 1 or not isinstance(values["disorder"], bool):
            raise ValueError(f"body is {', '.join(BODIES)}, duplicates a share up to 1, disorder true or false")
        return cls(**values)


@dataclass(slots=True)
class _Webhook:
    trigger: str
    url: str
    body: str
    fields: dict[str, Any]
    retries: int
    retry_seconds: float
    attempt: int = 1


class WebhookSender:
    """Sends webhooks from threads of its own.

    :param store: The account's data.
    :param clock: The sandbox's clock.
    :param random: Chooses which ones are sent twice, and their order.
    """

    def __init__(self, store: Store, clock: Clock, random: Random) -> None:
        self.settings = WebhookSettings()
        self._store = store
        self._clock = clock
        self._random = random
        self._queue: queue.SimpleQueue[_Webhook | None] = queue.SimpleQueue()
        self._waiting = 0
        self._guard = threading.Lock()
        self._sent: deque[dict[str, Any]] = deque(maxlen=LINES)
        self._threads: list[threading.Thread] = []

    def reset(self) -> None:
        """Send no more, and forget what was sent."""
        self.settings = WebhookSettings()
        self._sent.clear()

    def state(self) -> dict[str, Any]:
        """Return the settings, how many webhooks wait, and what was sent.

        :return: Plain JSON.
        """
        return {**asdict(self.settings), "waiting": self._waiting, "sent": list(self._sent)}

    def calls_made(self, uuids: Iterable[str]) -> None:
        """Send what calls fire that were just made.

        :param uuids: Of the calls.
        """
        if self.settings.urls:
            self._send([(trigger, call) for call in map(self._call, uuids) for trigger in _fired(call)])

    def call_ended(self, uuid: str) -> None:
        """Send what the end of a call fires.

        :param uuid: Of the call.
        """
        if self.settings.urls:
            self._send([("always", self._call(uuid))])

    def fire(self, uuid: str, trigger: str) -> None:
        """Send one webhook of a call, such as a postback's.

        :param uuid: Of the call.
        :param trigger: When it is sent.
        """
        self._send([(trigger, self._call(uuid))])

    def close(self) -> None:
        """End the threads."""
        self.reset()
        for _ in self._threads:
            self._queue.put(None)

    def _call(self, uuid: str) -> Row:
        row = self._store.row("SELECT * FROM calls WHERE uuid = ?", (uuid,))
        if row is None:
            raise LookupError(uuid)
        return row

    def _send(self, fired: list[tuple[str, Row]]) -> None:
        settings = self.settings
        webhooks = [
            _Webhook(
                trigger, url, settings.body, fields_of(call, trigger), int(settings.retries), settings.retry_seconds
            )
            for trigger, call in fired
            if (url := settings.urls.get(trigger))
            for _ in range(2 if self._random.random() < settings.duplicates else 1)
        ]
        if settings.disorder:
            self._random.shuffle(webhooks)
        if not self._threads and webhooks:
            self._threads = [
                threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True) for _ in range(SENDERS)
            ]
            for thread in self._threads:
                thread.start()
        self._count(len(webhooks))
        for webhook in webhooks:
            self._queue.put(webhook)

    def _count(self, number: int) -> None:
        with self._guard:
            self._waiting += number

    def _work(self) -> None:
        while (webhook := self._queue.get()) is not None:
            status, answer = _post(webhook)
            self._sent.append(
                {
                    "trigger": webhook.trigger,
                    "call_uuid": webhook.fields["call_uuid"],
                    "attempt": webhook.attempt,
                    "status": status,
                }
            )
            if 200 <= status < 300:
                self._apply(webhook, answer)
            elif webhook.attempt <= webhook.retries:
                webhook.attempt += 1
                timer = threading.Timer(webhook.retry_seconds, self._queue.put, (webhook,))
                timer.daemon = True
                timer.start()
                continue
            self._count(-1)

    def _apply(self, webhook: _Webhook, answer: bytes) -> None:
        """Apply the tags of an answer to the call."""
        with suppress(ValueError):
            tags = json.loads(answer)
            if isinstance(tags, dict) and tags:
                with self._store.transaction():
                    row = self._store.row("SELECT id, tags FROM calls WHERE uuid = ?", (webhook.fields["call_uuid"],))
                    if row is not None:
                        merged = {**json.loads(row["tags"] or "{}"), **{name: str(tags[name]) for name in tags}}
                        changed = {"tags": json.dumps(merged), "updated_at": self._clock.now()}
                        self._store.update("calls", row["id"], changed)
                        self._store.calls_version += 1


def fields_of(call: Row, trigger: str) -> dict[str, Any]:
    """Return what a webhook has of a call.

    :param call: The row of the call.
    :param trigger: When the webhook is sent.
    :return: Fields by name, as Retreaver's guide has them.
    """
    return {
        "call_uuid": call["uuid"],
        "trigger": trigger,
        "caller_number": call["caller"],
        "dialed_number": call["dialed_number"],
        "campaign_id": call["campaign_id"],
        "affiliate_id": call["affiliate_id"],
        "target_id": call["target_id"],
        "status": call["status"],
        "duration": call["total_duration"],
        "created_at": format_milliseconds(call["created_at"]),
    }


def _fired(call: Row) -> list[str]:
    fired = ["start", *(["selected"] if call["target_id"] else [])]
    fired += ["timer"] if (call["total_duration"] or 0) >= TIMER else []
    return [*fired, *(["always"] if call["status"] == "finished" else [])]


def _post(webhook: _Webhook) -> tuple[int, bytes]:
    """Send a webhook, and return the status, 0 without an answer, and its body."""
    fields = {name: "" if value is None else value for name, value in webhook.fields.items()}
    url, data, headers = webhook.url, None, {"User-Agent": "retreaver-sandbox"}
    if _TOKEN.search(url):
        url = _TOKEN.sub(lambda found: quote(str(fields.get(found[1], "")), safe=""), url)
    elif webhook.body == "query":
        url += ("&" if urlsplit(url).query else "?") + urlencode(fields)
    elif webhook.body == "form":
        data = urlencode(fields).encode()
    else:
        data, headers["Content-Type"] = json.dumps(webhook.fields).encode(), "application/json"
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - of this machine only, see WebhookSettings
    # Neither a proxy nor a redirect leads to another machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read(1_000_000)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, b""
    except OSError:
        return 0, b""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "") and "@" not in parts.netloc
    except ValueError:
        return False
