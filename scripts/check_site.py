"""Checks the built documentation site: nothing is loaded from elsewhere, everything public is in its inventory.

Exits with the list of what is wrong.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = "airflow_provider_retreaver"
# Attributes whose address a browser loads by itself.
LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
# Links of a page's head that only name another address.
NAMED = {"canonical", "next", "prev", "alternate", "edit"}
OUTSIDE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\s\"')]*", re.IGNORECASE)


class LoadedAddresses(HTMLParser):
    """Collects the addresses on other hosts that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the addresses of a tag."""
        values = {name: value or "" for name, value in attrs}
        names = LOADED.get(tag, ())
        if tag == "link" and not NAMED & set(values.get("rel", "").split()):
            names = ("href",)
        self.outside += [f"<{tag}> {values[name]}" for name in names if OUTSIDE.match(values.get(name, ""))]
        self.outside += IN_STYLES.findall(values.get("style", ""))


def outside_of(path: Path) -> list[str]:
    """Return what a page or style sheet loads from other hosts."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        return IN_STYLES.findall(text)
    page = LoadedAddresses()
    page.feed(text)
    return page.outside


def inventory(path: Path) -> set[str]:
    """Return the names in a Sphinx inventory."""
    packed = path.read_bytes().split(b"\n", 4)[4]
    return {line.split()[0] for line in zlib.decompress(packed).decode().splitlines() if line.strip()}


def public_names(module: Path) -> list[str]:
    """Return the classes and functions that a module offers: those of `__all__`, otherwise those that it defines."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    for statement in body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "__all__":
            return [name for name in ast.literal_eval(statement.value) if not name.isupper()]
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [one.name for one in body if isinstance(one, kinds) and not one.name.startswith("_")]


def problems(site: Path) -> Iterator[str]:
    """Return what is wrong with the site."""
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        for address in outside_of(path):
            yield f"{path.relative_to(site)} loads {address}"
    for source in sorted((PROJECT / "docs").glob("**/*.md")):
        page = source.relative_to(PROJECT / "docs").with_suffix(".html")
        if not (site / page).is_file():
            yield f"{page} was not built"
    known = inventory(site / "objects.inv")
    pages = sorted((site / "api").glob("*.html"))
    if not pages:
        yield "there is no API reference"
    for page in pages:
        module = PROJECT / PACKAGE / page.stem.replace(".", "/")
        file = module / "__init__.py" if module.is_dir() else module.with_name(f"{module.name}.py")
        for name in public_names(file):
            if f"{PACKAGE}.{page.stem}.{name}" not in known:
                yield f"objects.inv has no {PACKAGE}.{page.stem}.{name}"
    searched = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    found = {entry["location"].partition("#")[0] for entry in searched}
    for path in sorted(site.rglob("*.html")):
        location = path.relative_to(site).as_posix()
        if location not in found | {"404.html"}:
            yield f"the search does not find {location}"


def main() -> int:
    """Check the site of the folder that is given."""
    site = Path(sys.argv[1])
    wrong = list(problems(site))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(f"the site is fine: {len(list(site.rglob('*.html')))} pages, open {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
