"""Settings for webhooks: what a connection needs, and who is let in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core.connection_secrets import connection_secrets
from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.webhook_settings import WebhookSettings, is_token

TOKEN, NEXT = "a-token-of-webhooks-1", "a-token-of-webhooks-2"
EXTRA = {"webhook_token": TOKEN, "webhook_spool": "s3://conn@bucket/webhooks1"}


def parse(login: str | None = "12345", **extra):
    """Parse a connection that accepts webhooks, with some extras changed."""
    return Settings.parse("conn", login=login, password="a-key-that-is-fine", extra={**EXTRA, **extra})


def test_defaults():
    """A connection needs a token, a folder and a company for webhooks; without a token it accepts none."""
    made = parse().webhooks
    assert made is not None
    assert made == WebhookSettings(company="12345", tokens=(Secret(TOKEN),), spool=EXTRA["webhook_spool"])
    assert (made.max_bytes, made.max_rate, made.networks, made.lookup) == (64_000, 200.0, (), None)
    assert Settings.parse("conn", password="a-key-that-is-fine").webhooks is None
    assert parse(webhook_token="").webhooks is None


def test_everything():
    """All extras are read, as the connection form stores them."""
    made = parse(
        webhook_next_token=NEXT,
        webhook_addresses="203.0.113.7, 198.51.100.0/24,2001:db8::/32",
        webhook_lookup="s3://conn@bucket/tags.db",
        webhook_max_kb="2.5",
        webhook_rate=10,
    )
    found = made.webhooks
    assert found is not None
    assert [token.reveal() for token in found.tokens] == [TOKEN, NEXT]
    assert list(map(str, found.networks)) == ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32"]
    assert (found.max_bytes, found.max_rate, found.lookup) == (2_500, 10.0, "s3://conn@bucket/tags.db")
    assert {token.reveal() for token in made.secrets} >= {TOKEN, NEXT}


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"webhook_token": "short"}, "extra 'webhook_token' must have at least 16 characters"),
        ({"webhook_next_token": "short"}, "extra 'webhook_next_token' must have at least 16"),
        ({"webhook_token": "with a space and more"}, "extra 'webhook_token' contains a space"),
        ({"webhook_token": None, "webhook_next_token": NEXT}, "is set without webhook_token"),
        ({"webhook_spool": " "}, "extra 'webhook_spool' is missing"),
        ({"login": None}, r"Company ID.* is blank, and webhooks need"),
        ({"webhook_addresses": "203.0.113.7/24"}, "extra 'webhook_addresses' must be addresses or networks"),
        ({"webhook_addresses": "files.internal"}, "extra 'webhook_addresses' must be addresses or networks"),
        ({"webhook_max_kb": 0}, "extra 'webhook_max_kb' must be a number from 1 to 1000"),
        ({"webhook_rate": "many"}, "extra 'webhook_rate' must be a number"),
    ],
)
def test_wrong_extras(extra, says):
    """Each is named, and no token is quoted."""
    with pytest.raises(InvalidConnection, match=says) as caught:
        parse(**extra)
    assert TOKEN not in str(caught.value)
    assert NEXT not in str(caught.value)


def test_tokens_are_secrets_and_folders_are_not():
    """Tokens are masked before a field is judged; a folder on a storage is readable in logs."""
    found = {one.reveal() for one in connection_secrets(login="1", password="k", host=None, extra=EXTRA)}
    assert TOKEN in found
    assert EXTRA["webhook_spool"] not in found


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=2))
def test_a_token_is_equal_or_not(given_token, valid):
    """A token is accepted exactly when it is one of the valid ones, whatever its characters are."""
    try:
        secrets = tuple(Secret(one) for one in valid if one.encode())
    except UnicodeEncodeError:
        return
    assert is_token(given_token, secrets) is (given_token in valid)


def test_addresses():
    """Without networks every address is accepted, and an unknown one, too; with networks only those within."""
    made = parse().webhooks
    assert made is not None
    assert made.accepts_address("203.0.113.7")
    assert made.accepts_address(None)
    some = parse(webhook_addresses="203.0.113.0/24").webhooks
    assert some is not None
    found = [some.accepts_address(one) for one in ("203.0.113.7", "203.0.114.7", "::ffff:203.0.113.7", "x", None)]
    assert found == [True, False, True, False, False]
    assert replace(some, networks=()).accepts_address("x")
