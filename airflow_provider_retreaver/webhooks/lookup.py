"""The file with the tags of callers that webhooks are answered with: a SQLite database that is only read.

A row has a key (a phone number, or the value of another field of webhooks) and tags as JSON. SQLite reads the few
pages that a row needs, so memory does not grow with the rows.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.lists.phones import Normalizer

FORMAT = "retreaver webhook tags 1"
# Retreaver's limit of an operation. Its integration guide: "Rate Limits & Quotas".
MOST_TAGS = 100
# Fields whose keys are phone numbers.
CALLERS = ("caller_number", "caller")
_CACHE_KB = 4_000


class Lookup:
    """An open file of tags; it may be removed while it is open.

    :param path: of the file on this machine.
    :raises ValueError: when it is no such file.
    """

    def __init__(self, path: Path) -> None:
        # Threads take turns: SQLite's own connection is used by one at a time.
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            self._database.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
            about = dict(self._database.execute("SELECT name, value FROM about"))
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise ValueError("it is not a file of RetreaverWebhookTagsOperator") from error
        if about.get("format") != FORMAT:
            self._database.close()
            raise ValueError(f"its format is not {FORMAT!r}")
        self.field: str = about["field"]
        self.rows = int(about["rows"])
        self._phones = _normalizer(self.field)

    def tags(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tags for a webhook.

        :param fields: of the webhook; the key may be in its `tags` too.
        :return: tags by name; none when its key is not in the file.
        """
        names = CALLERS if self.field in CALLERS else (self.field,)
        tags = fields.get("tags")
        places = (fields, tags) if isinstance(tags, Mapping) else (fields,)
        values = (place[name] for place in places for name in names if place.get(name) not in (None, ""))
        key = _key(next(values, None), self._phones)
        if key is None:
            return {}
        with self._lock:
            row = self._database.execute("SELECT tags FROM tags WHERE key = ?", (key,)).fetchone()
        found: dict[str, Any] = {} if row is None else json.loads(row[0])
        return found

    def close(self) -> None:
        """Close the file, when nobody reads it."""
        with self._lock:
            self._database.close()


def write_lookup(path: Path, rows: Iterable[tuple[object, Mapping[str, object]]], field: str) -> tuple[int, int]:
    """Write a file of tags.

    :param path: of a file on this machine that does not exist.
    :param rows: key and tags of each row; of rows with the same key the last one counts.
    :param field: of webhooks, whose value is the key.
    :return: number of keys in the file, and of rows whose key is none, which are left out.
    :raises InvalidArgument: when a row has no or too many tags.
    """
    phones, left_out = _normalizer(field), 0
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # The file is published when it is whole, so a journal has nothing to protect.
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-64000;")
        database.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT)")
        database.execute("CREATE TABLE tags (key PRIMARY KEY, tags TEXT NOT NULL) WITHOUT ROWID")
        database.execute("BEGIN")
        for number, (value, tags) in enumerate(rows, 1):
            key = _key(value, phones)
            if key is None:
                left_out += 1
                continue
            if not 0 < len(tags) <= MOST_TAGS:
                raise InvalidArgument(
                    f"Row {number} of the tags has {len(tags)} tags, and Retreaver applies 1 to {MOST_TAGS}; nothing "
                    f"was published."
                )
            text = json.dumps(tags, separators=(",", ":"), default=str)
            database.execute("INSERT OR REPLACE INTO tags VALUES (?, ?)", (key, text))
        (count,) = database.execute("SELECT count(*) FROM tags").fetchone()
        about = {"format": FORMAT, "field": field, "rows": str(count)}
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        database.execute("COMMIT")
    return count, left_out


def read_field(field: object) -> str:
    """Read the parameter `field`.

    :param field: name of a field of webhooks.
    :return: the name.
    :raises InvalidArgument: when it is none.
    """
    text = str(field).strip()
    if not text or not text.isprintable() or len(text) > 200:
        raise InvalidArgument(
            f"field must be the name of a field of webhooks, like caller_number, not {quoted(field)}."
        )
    return text


def _normalizer(field: str) -> Normalizer | None:
    if field not in CALLERS:
        return None
    from airflow_provider_retreaver.domain.lists.phones import Normalizer

    return Normalizer()


def _key(value: object, phones: Normalizer | None) -> int | str | None:
    if value is None or isinstance(value, (bool, float, list, dict)):
        return None
    if phones is None:
        return str(value).strip() or None
    # A plus sign of a query that was not encoded is a space.
    number = phones.read(f"+{value[1:]}" if isinstance(value, str) and value[:1] == " " else value)
    return number if isinstance(number, int) else None
