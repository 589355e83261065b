"""Tags of targets and contacts, from a list such as `<<<key:value>>>,<<<key:value>>>`."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_retreaver.sandbox.api.context import RequestContext
from airflow_provider_retreaver.sandbox.http.wire import validation_error
from airflow_provider_retreaver.sandbox.state.store import Row

MAX_TAGS = 100
_TAG = re.compile(r"<<<([^:<>]+):(.*?)>>>", re.DOTALL)
_ZIP = re.compile(r"\d{5}(,\d{5})*")


def parse(text: Any) -> list[tuple[str, str]]:
    """Parse a tag list. Retreaver's reference: "Tagging a Target".

    :param text: For example ``<<<geo:NY>>>,<<<vertical:roofing>>>``; blank or None is an empty list.
    :return: Pairs of key and value, each once.
    :raises ApiError: With status 422, if it is not a tag list or has too many tags.
    """
    if text is None or (isinstance(text, str) and not text.strip()):
        return []
    if not isinstance(text, str):
        raise validation_error({"tag_list": ["is invalid"]})
    pairs: list[tuple[str, str]] = []
    end = 0
    for match in _TAG.finditer(text):
        if text[end : match.start()].strip() != ("," if pairs else ""):
            raise validation_error({"tag_list": ["is invalid"]})
        pairs.append((match[1].strip(), match[2].strip()))
        end = match.end()
    if not pairs or text[end:].strip():
        raise validation_error({"tag_list": ["is invalid"]})
    tags = _join_zips(list(dict.fromkeys(pairs)))
    if len(tags) > MAX_TAGS:
        raise validation_error({"tag_list": [f"is too long (maximum is {MAX_TAGS} tags)"]})
    return tags


def _join_zips(tags: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join `geo` tags of US zip codes into one, as Retreaver does, so that they count once."""
    zips = [value for key, value in tags if key == "geo" and _ZIP.fullmatch(value)]
    if len(zips) < 2:
        return tags
    others = [tag for tag in tags if not (tag[0] == "geo" and tag[1] in zips)]
    return [*others, ("geo", ",".join(zips))]


def change(context: RequestContext, owner: str, owner_id: int, attributes: dict[str, Any]) -> None:
    """Replace all tags of an object if ``tag_list`` is attributes.

    A tag list expresses "equals" only: whatever operator a tag had before, it is ``==`` afterwards. A tag that was
    "equals" before keeps its ID.

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :param attributes: Attributes from the request.
    """
    if "tag_list" not in attributes:
        return
    requested = parse(attributes["tag_list"])
    store = context.store
    unchanged = set()
    for row in get_tags(context, owner, owner_id):
        pair = (row["key"], row["value"])
        if pair in requested and row["operator"] == "==":
            unchanged.add(pair)
        else:
            store.run("DELETE FROM tag_values WHERE id = ?", (row["id"],))
    for key, value in requested:
        if (key, value) not in unchanged:
            add(context, owner, owner_id, key, value)


def add(context: RequestContext, owner: str, owner_id: int, key: str, value: str, operator: str = "==") -> None:
    """Add one tag.

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :param key: Key of the tag.
    :param value: Its value.
    :param operator: How calls are compared with it, for example ``==`` or ``!=``.
    """
    row = {"owner": owner, "owner_id": owner_id, "key": key, "value": value, "operator": operator}
    context.store.insert("tag_values", row)


def get_tags(context: RequestContext, owner: str, owner_id: int) -> list[Row]:
    """Return the tags of an object as Retreaver writes them.

    :param context: The request and the sandbox's state.
    :param owner: ``target`` or ``contact``.
    :param owner_id: ID of the target or contact.
    :return: Objects with ``key``, ``value``, ``operator`` and ``id``.
    """
    sql = "SELECT key, value, operator, id FROM tag_values WHERE owner = ? AND owner_id = ? ORDER BY id"
    return context.store.rows(sql, (owner, owner_id))
