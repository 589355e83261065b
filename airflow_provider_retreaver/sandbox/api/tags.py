"""Tags of targets and contacts, from a list such as `<<<key:value>>>,<<<key:value>>>`."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_retreaver.sandbox.api.exchange import Exchange
from airflow_provider_retreaver.sandbox.http.wire import invalid
from airflow_provider_retreaver.sandbox.state.store import Row

MOST = 100
_TAG = re.compile(r"<<<([^:<>]+):(.*?)>>>", re.DOTALL)
_ZIP = re.compile(r"\d{5}(,\d{5})*")


def parse(text: Any) -> list[tuple[str, str]]:
    """Read a tag list.

    :param text: the list, or None.
    :return: pairs of key and value.
    :raises Refusal: 422 when it is invalid or too long.
    """
    if text is None or (isinstance(text, str) and not text.strip()):
        return []
    if not isinstance(text, str):
        raise invalid({"tag_list": ["is invalid"]})
    found: list[tuple[str, str]] = []
    end = 0
    for match in _TAG.finditer(text):
        if text[end : match.start()].strip() != ("," if found else ""):
            raise invalid({"tag_list": ["is invalid"]})
        found.append((match[1].strip(), match[2].strip()))
        end = match.end()
    if not found or text[end:].strip():
        raise invalid({"tag_list": ["is invalid"]})
    tags = _join_zips(list(dict.fromkeys(found)))
    if len(tags) > MOST:
        raise invalid({"tag_list": [f"is too long (maximum is {MOST} tags)"]})
    return tags


def _join_zips(tags: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join `geo` tags of US zip codes into one, as Retreaver does, so that they count once."""
    zips = [value for key, value in tags if key == "geo" and _ZIP.fullmatch(value)]
    if len(zips) < 2:
        return tags
    others = [tag for tag in tags if not (tag[0] == "geo" and tag[1] in zips)]
    return [*others, ("geo", ",".join(zips))]


def change(exchange: Exchange, owner: str, owner_id: int, given: dict[str, Any]) -> None:
    """Replace the whole list if `tag_list` is among the attributes.

    A tag list has only the operator "equals": whatever operator a tag had before, it is `==` afterwards; a tag that
    had this
    operator before keeps its ID.

    :param exchange: the request that is being handled.
    :param owner: `target` or `contact`.
    :param owner_id: its ID.
    :param given: attributes of the request.
    """
    if "tag_list" not in given:
        return
    wanted = parse(given["tag_list"])
    store = exchange.store
    kept = set()
    for row in of(exchange, owner, owner_id):
        pair = (row["key"], row["value"])
        if pair in wanted and row["operator"] == "==":
            kept.add(pair)
        else:
            store.run("DELETE FROM tag_values WHERE id = ?", (row["id"],))
    for key, value in wanted:
        if (key, value) not in kept:
            add(exchange, owner, owner_id, key, value)


def add(exchange: Exchange, owner: str, owner_id: int, key: str, value: str, operator: str = "==") -> None:
    """Add one tag.

    :param exchange: the request that is being handled.
    :param owner: `target` or `contact`.
    :param owner_id: its ID.
    :param key: of the tag.
    :param value: of the tag.
    :param operator: of the tag.
    """
    row = {"owner": owner, "owner_id": owner_id, "key": key, "value": value, "operator": operator}
    exchange.store.insert("tag_values", row)


def of(exchange: Exchange, owner: str, owner_id: int) -> list[Row]:
    """Return the tags of an object.

    :param exchange: the request that is being handled.
    :param owner: `target` or `contact`.
    :param owner_id: its ID.
    :return: rows with `key`, `value`, `operator` and `id`.
    """
    sql = "SELECT key, value, operator, id FROM tag_values WHERE owner = ? AND owner_id = ? ORDER BY id"
    return exchange.store.rows(sql, (owner, owner_id))
