"""Pages of the documentation site that are made from the repository; MkDocs calls this file as its hook.

Made are: the documents beside `docs/`, a page for each example DAG, and a page of the API reference for each public
module. Links that lead out of `docs/` are replaced by links to these pages.
"""

from __future__ import annotations

import ast
import posixpath
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "scripts")]

from site_paths import ROOT_PAGES, page_of, rewrite_links  # noqa: E402

from airflow_provider_retreaver.provider_info import get_provider_info  # noqa: E402

PACKAGE = "airflow_provider_retreaver"
# Modules that a DAG author imports besides those of the provider's metadata.
MORE_MODULES = ("assets", "windows", "transfers.merge_statements", "core.errors", "transport.client", "sandbox")
# Modules of `resources/` that have no endpoint of their own.
HELPERS = {"__init__", "answers", "caller_list_verbs", "checks", "entry", "fields", "nested", "registry",
           "requested_calls", "resource", "resource_names"}  # fmt: skip
EXAMPLES = "Example DAGs"
REFERENCE = "API reference"


def example_pages() -> dict[str, str]:
    """Return the pages of the example DAGs by path."""
    return {
        f"examples/{path.stem}.md": example_page(path) for path in sorted((PROJECT / "example_dags").rglob("*.py"))
    }


def example_page(path: Path) -> str:
    """Return the page of an example DAG: its docstring and its file."""
    title, _, text = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem).partition("\n")
    place = path.relative_to(PROJECT).as_posix()
    source = f'```python title="{path.name}"\n--8<--\n{place}\n--8<--\n```'
    return f"# {path.stem}\n\n{title}\n{text}\n\n{source}\n"


def public_modules() -> list[str]:
    """Return the modules of the API reference, without the package's name."""
    info = get_provider_info()
    named = [
        name
        for kind in ("hooks", "operators", "sensors", "triggers")
        for group in info[kind]
        for name in group["python-modules"]
    ]
    named += [transfer["python-module"] for transfer in info["transfers"]]
    folder = PROJECT / PACKAGE
    endpoints = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in (folder / "resources").rglob("*.py")
        if path.stem not in HELPERS
    )
    return list(dict.fromkeys([*(name.removeprefix(f"{PACKAGE}.") for name in named), *MORE_MODULES, *endpoints]))


def reference_pages() -> dict[str, str]:
    """Return the pages of the API reference by path."""
    return {f"api/{name}.md": f"# `{name}`\n\n::: {PACKAGE}.{name}\n" for name in public_modules()}


def root_pages() -> dict[str, str]:
    """Return the documents beside `docs/` by path."""
    return {page: (PROJECT / name).read_text(encoding="utf-8") for name, page in ROOT_PAGES.items()}


def grouped_reference() -> list[Any]:
    """Return the navigation of the API reference, one section for each folder of the package."""
    sections: dict[str, list[Any]] = {}
    for name in public_modules():
        folder, _, module = name.rpartition(".")
        sections.setdefault(folder or "package", []).append({module: f"api/{name}.md"})
    return [{folder: pages} for folder, pages in sections.items()]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections of the navigation whose pages are made here."""
    made = {EXAMPLES: [{Path(page).stem: page} for page in example_pages()], REFERENCE: grouped_reference()}
    config.nav = [fill(entry, made) for entry in config.nav or []]
    return config


def fill(entry: Any, made: dict[str, list[Any]]) -> Any:
    """Return an entry of the navigation with its empty sections filled."""
    if not isinstance(entry, dict):
        return entry
    ((title, content),) = entry.items()
    if title in made:
        return {title: [*(content or []), *made[title]]}
    return {title: [fill(one, made) for one in content] if isinstance(content, list) else content}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    for path, content in {**root_pages(), **example_pages(), **reference_pages()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Replace links that lead out of `docs/` by links to pages."""
    path = page.file.src_uri
    origin = next((name for name, made in ROOT_PAGES.items() if made == path), f"docs/{path}")
    if page_of(origin) != path:
        return markdown
    return rewrite_links(markdown, origin, lambda target: posixpath.relpath(target, posixpath.dirname(path) or "."))
