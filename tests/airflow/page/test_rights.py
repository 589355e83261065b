"""Who sees what: each address of the page asks Airflow's auth manager itself."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow

VIEWS = ("caps", "calls", "numbers", "work", "health", "caps/target/1", "")


@pytest.mark.parametrize("view", VIEWS)
def test_a_connection_that_may_not_be_read_looks_like_none(site, account, view):
    """A user without rights gets the same answer for a connection that exists as for one that does not."""
    there, none = (site.get(f"/{name}/{view}", "vera") for name in ("main", "no-such-connection"))
    assert (there.status_code, none.status_code) == (404, 404)
    assert there.text == none.text
    assert there.headers == none.headers
    assert account.sent() == []


def test_nobody_is_asked_to_log_in(site):
    """Without a session, with a token that is none or has ended, nothing is shown; a link leads to the login."""
    for user in (None, "no-token", "a.b.c", site.ended):
        texts = set()
        for path in ("/", "/main/caps", "/no-such-connection/caps"):
            answer = site.get(path, user)
            assert answer.status_code == 401
            assert "/api/v2/auth/login?next=" in answer.text
            texts.add(answer.text)
        assert len(texts) == 1
