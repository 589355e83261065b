"""What tests ask of a document of the page."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus

from tests.airflow.support.account import KEY


def words(html: str) -> str:
    """Return the text of a document, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def assert_no_secret(html: str) -> None:
    """Fail when a document has the key of the account, in any spelling that URLs, HTML and JSON use."""
    for form in (KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY), KEY.replace("&", "&amp;")):
        assert form not in html
