"""Addresses of the pages that links lead to: known ones are built from the connection, unknown ones are none."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import InvalidConnection
from airflow_provider_retreaver.core.portal import file_page
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings

HERE = "http://127.0.0.1:8787"
FILES = {
    "s3://bucket/": "https://127.0.0.1/",
    "s3://bucket/calls/": "http://127.0.0.1:9/c/",
    "file:///data/": f"{HERE}/",
}


def portal(**extra):
    """Return the portal of a connection with these fields and extras."""
    host = extra.pop("host", None)
    return Settings.parse("c", password="secret-key", host=host, extra=extra).portal


@pytest.mark.parametrize(
    ("resource", "ids", "page"),
    [
        ("targets", [3], "https://retreaver.com/targets/3"),
        ("targets", [3, 4], "https://retreaver.com/targets"),
        ("campaigns", [], "https://retreaver.com/campaigns"),
        ("calls", ["a/b?c#d e%"], "https://retreaver.com/calls/a%2Fb%3Fc%23d%20e%25"),
        ("contacts", [3], None),
        ("suppressed_numbers", [], "https://retreaver.com/suppressed_numbers"),
    ],
)
def test_pages_of_retreaver(resource, ids, page):
    """One object has its page and several have their list; an ID from a response cannot change the address."""
    assert portal().page(resource, ids) == page


def test_another_server_has_no_page_until_the_connection_says_where():
    """A white label or a sandbox leads nowhere, and to its own portal when that is given; each path can be set."""
    assert portal(host=HERE).page("targets", [3]) is None
    paths = {"targets": "/app#/buyers/{id}/edit", "contacts": "/people/{id}", "calls": ""}
    for given in (paths, json.dumps(paths)):
        own = portal(host=HERE, portal_url="portal.example", portal_paths=given)
        assert own.page("targets", [3]) == "https://portal.example/app#/buyers/3/edit"
        assert own.page("targets", [3, 4]) is None
        assert own.page("contacts", [7]) == "https://portal.example/people/7"
        assert own.page("calls", ["u"]) is None
        assert own.page("campaigns", [5]) == "https://portal.example/campaigns/5"


def test_pages_of_trackdrive():
    """A subdomain is its own portal; another server has none until one is given."""
    keys = {"login": "public-key", "password": "private-key"}
    own = TrackDriveSettings.parse("c", host="acme", **keys).portal
    assert own.page("buyer_groups", [7]) == "https://acme.trackdrive.com/buyer_groups/7"
    assert own.page("targets", [7]) is None
    other = TrackDriveSettings.parse("c", host=HERE, **keys, extra={"portal_url": HERE})
    assert other.portal.page("buyer_groups", [7, 8]) == f"{HERE}/buyer_groups"
    assert TrackDriveSettings.parse("c", host=HERE, **keys).portal.page("buyer_groups", [7]) is None


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"portal_url": "https://x/login?key=secret-key"}, "'portal_url' must hold scheme, host and port only"),
        ({"portal_paths": "no json"}, "'portal_paths' is not JSON"),
        ({"portal_paths": ["/targets"]}, "'portal_paths' must be a JSON object whose values are texts"),
        ({"portal_paths": {"targets": "targets/{id}"}}, "'portal_paths' must map names to paths with one {id}"),
        ({"portal_paths": {"targets": "/targets/3"}}, "'portal_paths' must map names to paths with one {id}"),
        ({"portal_paths": {"secret-key": "/{id}"}}, "'portal_paths' has a name that is none of affiliates, calls"),
        ({"file_links": {"s3://bucket": "https://x/"}}, "'file_links' must map folders that end with a slash"),
        ({"file_links": {"s3://bucket/": "javascript:x"}}, "'file_links' must map folders that end with a slash"),
        ({"file_links": {"s3://b/": "https://user:secret-key@x/"}}, "'file_links' must map folders that end"),
    ],
)
def test_what_is_no_address_is_refused(extra, problem):
    """Each error names the extra, and quotes no value."""
    with pytest.raises(InvalidConnection, match=r"^Connection 'c': extra ") as refused:
        Settings.parse("c", password="secret-key", extra=extra)
    assert problem in str(refused.value)
    assert "secret-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("s3://conn@bucket/calls/day=1/manifest one.json", "http://127.0.0.1:9/c/day%3D1/manifest%20one.json"),
        ("s3://bucket/rtb/a?b#c.csv", "https://127.0.0.1/rtb/a%3Fb%23c.csv"),
        ("/data/calls.json", f"{HERE}/calls.json"),
        ("file:///data/calls.json", f"{HERE}/calls.json"),
        ("file:///other/calls.json", None),
        ("s3://conn@other/k/a&b.json", "https://console.aws.amazon.com/s3/object/other?prefix=k%2Fa%26b.json"),
        ("s3://other/k/", "https://console.aws.amazon.com/s3/buckets/other?prefix=k%2F"),
        ("gs://b/k/a b", "https://console.cloud.google.com/storage/browser/_details/b/k/a%20b"),
        ("gs://b/k/", "https://console.cloud.google.com/storage/browser/b/k/"),
        ("abfs://container/k", None),
    ],
)
def test_pages_of_files(url, page):
    """The longest folder of the connection decides; then Amazon's and Google's consoles; of others none is known."""
    assert file_page(url, FILES) == page


def test_another_endpoint_has_no_console():
    """A MinIO server's files are not in Amazon's console."""
    assert file_page("s3://other/k", {}, other_endpoint=True) is None
    assert file_page("s3://bucket/k", FILES, other_endpoint=True) == "https://127.0.0.1/k"


def test_a_folder_may_have_spaces():
    """A clone in a folder with spaces is a folder of `file_links` too."""
    settings = Settings.parse(
        "spaces", password="key-of-the-api", extra={"file_links": {"file:///a clone/": "http://x/"}}
    )
    assert file_page("file:///a clone/calls/1 2.csv", settings.file_links) == "http://x/calls/1%202.csv"
