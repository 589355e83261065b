"""The documentation site: its navigation is complete, its links lead somewhere, and its check finds what is wrong."""

from __future__ import annotations

import importlib.util
import sys
import zlib

import pytest
import yaml

from tests.paths import PROJECT


def script(name):
    """Load a script of the project."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


PATHS = script("site_paths")
CHECK = script("check_site")
SITE = yaml.safe_load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def pages_of(entry):
    """Yield the pages of an entry of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for one in entry.values() if isinstance(entry, dict) else entry:
            yield from pages_of(one)


def test_every_page_is_in_the_navigation():
    """Every page in `docs/` and every document beside it is in the navigation of mkdocs.yml, once."""
    written = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").rglob("*.md")}
    listed = list(pages_of(SITE["nav"]))
    assert sorted(listed) == sorted(written | set(PATHS.ROOT_PAGES.values()))


def test_the_site_needs_no_other_host():
    """Neither fonts nor scripts nor style sheets are taken from elsewhere, and warnings are errors."""
    assert SITE["theme"]["font"] is False
    assert SITE["strict"] is True
    assert not {"extra_css", "extra_javascript"} & SITE.keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    """Every relative link of a document leads to a file; the site shows those that are documents or examples."""
    origin = path.relative_to(PROJECT).as_posix()
    for match in PATHS.LINK.finditer(path.read_text(encoding="utf-8")):
        target = (path.parent / match[1]).resolve()
        assert target.exists(), f"{origin}: {match[1]}"
        if target.suffix in {".md", ".py"}:
            assert PATHS.page_of(target.relative_to(PROJECT).as_posix()), f"{origin}: {match[1]}"


def test_links_are_rewritten_for_the_site():
    """Links to documents and examples become addresses of pages; others stay."""
    text = "[a](docs/sql.md#privacy) [b](example_dags/x.py) [c](https://airflow.apache.org/) [d](#there) [e](LICENSE)"
    assert PATHS.rewrite_links(text, "README.md", lambda page: f"<{page}>") == (
        "[a](<sql.md>#privacy) [b](<examples/x.md>) [c](https://airflow.apache.org/) [d](#there) [e](LICENSE)"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<link rel="stylesheet" href="https://fonts/x.css">'),
        ("a.html", '<script src="//cdn/x.js"></script>'),
        ("a.html", '<img src="HTTP://cdn/x.png">'),
        ("a.html", '<p style="background: url(https://cdn/x.png)">'),
        ("a.css", "@import 'https://cdn/x.css';"),
        ("a.css", "p { background: url( //cdn/x.png) }"),
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(tmp_path, name, text):
    """The check of the built site finds each way to load something from another host."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert len(CHECK.outside_of(path)) == 1


def test_links_that_load_nothing_are_fine(tmp_path):
    """A link to another host, and the address of the page itself, load nothing."""
    path = tmp_path / "a.html"
    path.write_text(
        '<link rel="canonical" href="https://host/a.html"><a href="https://airflow.apache.org/">Airflow</a>'
        '<script src="assets/a.js"></script><link rel="icon" href="assets/logo.svg">',
        encoding="utf-8",
    )
    assert CHECK.outside_of(path) == []


def test_a_missing_name_page_and_search_entry_are_found(tmp_path):
    """The check names what objects.inv does not have, pages that were not built and pages that the search misses."""
    for folder in ("api", "search"):
        (tmp_path / folder).mkdir()
    (tmp_path / "api" / "windows.html").write_text("", encoding="utf-8")
    (tmp_path / "search" / "search_index.json").write_text('{"docs": []}', encoding="utf-8")
    (tmp_path / "objects.inv").write_bytes(b"#\n#\n#\n#\n" + zlib.compress(b"x.y py:class 1 api.html -\n"))
    found = list(CHECK.problems(tmp_path))
    assert "objects.inv has no airflow_provider_retreaver.windows.split_window" in found
    assert "the search does not find api/windows.html" in found
    assert "index.html was not built" in found
