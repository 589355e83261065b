"""Makes the README of the distributions, whose links lead to the documentation site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PROJECT = Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT / "scripts"))

from site_paths import rewrite_links  # noqa: E402


class ReadmeHook(MetadataHookInterface):
    """Adds the README with addresses of the site in place of relative links: an index page has no other files."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the project's readme.

        :param metadata: of the project, with its URLs.
        """
        site = metadata["urls"]["Documentation"]
        text = (PROJECT / "README.md").read_text(encoding="utf-8")
        text = rewrite_links(text, "README.md", lambda page: site + page.removesuffix(".md") + ".html")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
