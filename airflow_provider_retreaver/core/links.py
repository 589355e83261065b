"""The `Link` header: which page is next, and which one is last."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_REL = re.compile(r"""\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE)


def link_pages(header: str) -> dict[str, int]:
    """Return the page number of each relation (`next`, `prev`, `last`, `first`) of a `Link` header.

    :param header: the header's value; relations may come in any order, on any host, with or without spaces.
    :return: page numbers by relation, without those that cannot be read.
    """
    return {name: page for name, page in link_relations(header).items() if page is not None}


def link_relations(header: str) -> dict[str, int | None]:
    """Return the page number of each relation of a `Link` header, None where it cannot be read.

    :param header: see `link_pages`.
    :return: page numbers by relation.
    """
    pages: dict[str, int | None] = {}
    # By hand, since a pattern may look for the end of each of a million beginnings.
    start = header.find("<")
    while start >= 0:
        end = header.find(">", start)
        if end < 0:
            break
        following = header.find("<", end)
        parameters = header[end + 1 : following if following >= 0 else None].split(";")
        relation = next((found for found in map(_REL.match, parameters) if found), None)
        if relation is not None:
            page = _page_of(header[start + 1 : end])
            for name in (relation[1] or relation[2] or "").lower().split():
                pages[name] = pages.get(name) or page
        start = following
    return pages


def _page_of(url: str) -> int | None:
    page = ""
    # Only what may be the parameter is decoded: each page has three of these URLs, of several parameters each.
    for part in url.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name == "page" or ("%" in name and unquote_plus(name) == "page"):
            # A repeated parameter counts as the server reads it: the last one wins.
            page = unquote_plus(value) or page
    return int(page) or None if page.isascii() and page.isdecimal() and len(page) <= 9 else None
