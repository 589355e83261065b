"""Where files of the repository are on the documentation site, and the links between them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

# Documents beside `docs/` that are pages as well.
ROOT_PAGES = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")


def page_of(path: str) -> str | None:
    """Return the page that shows a file of the repository.

    :param path: the file's path in the repository.
    :return: the page's path below `docs/`, or None if the site does not show the file.
    """
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    folder, name = posixpath.split(path)
    if folder.split("/")[0] == "example_dags" and name.endswith(".py"):
        return f"examples/{name.removesuffix('.py')}.md"
    return path.removeprefix("docs/") if folder == "docs" or folder.startswith("docs/") else None


def rewrite_links(text: str, origin: str, address: Callable[[str], str]) -> str:
    """Replace relative links of a document by addresses on the site.

    :param text: the document's Markdown.
    :param origin: its path in the repository.
    :param address: returns the address of a page from its path below `docs/`.
    :return: the text; links to files that the site does not show are left as they are.
    """

    def replace(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[1]))
        page = page_of(path)
        return match[0] if page is None else address(page) + (match[2] or "")

    return LINK.sub(replace, text)
