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
    """Parse a tag list. Retreaver's reference: "Tagging a Target".

    :param text: For example ``<<<geo:NY>>>,<<<vertical:roofing>>>``; blank or None is an empty list.
    :return: Pairs of key and value, each once.
    :raises Refusal: With status 422, if it is not a tag list or has too many tags.
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
    """Replace all tags of an object if ``tag_list`` is given.

    A tag list expresses "equals" only: whatever operator a tag had before, it is ``==`` afterwards. A tag that was
    "equals" before keeps its ID.

    :param exchange: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :param given: Attributes from the request.
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

    :param exchange: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :param key: Key of the tag.
    :param value: Its value.
    :param operator: How calls are compared with it, for example ``==`` or ``!=``.
    """
    row = {"owner": owner, "owner_id": owner_id, "key": key, "value": value, "operator": operator}
    exchange.store.insert("tag_values", row)


def of(exchange: Exchange, owner: str, owner_id: int) -> list[Row]:
    """Return the tags of an object as Retreaver writes them.

    :param exchange: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :return: Objects with ``key``, ``value``, ``operator`` and ``id``.
    """
    sql = "SELECT key, value, operator, id FROM tag_values WHERE owner = ? AND owner_id = ? ORDER BY id"
    return exchange.store.rows(sql, (owner, owner_id))
