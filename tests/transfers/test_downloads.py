"""Downloads without credentials: continued where they broke off, never patched together, never led inside."""

from __future__ import annotations

from contextlib import closing

import pytest
import requests_mock

from airflow_provider_retreaver.core.errors import ConnectionFailed, InvalidRequest, NotFound, Unavailable
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.downloads import Downloads
from tests.airflow.support.recording_host import recording_host

SOUND = bytes(range(256)) * 4_000
WHAT = "recording of call a"


@pytest.fixture
def host():
    """Give a host of recordings."""
    with recording_host() as running:
        running.files["/a.mp3"] = SOUND
        yield running


class Fetched:
    """What a download handed on, and how long it waited."""

    def __init__(self, api):
        self.data = b""
        self.slept = []
        settings = Settings.parse("retreaver_default", login="1", password="s3cr3t-key", host=api)
        self.downloads = Downloads(settings, sleep=self.slept.append)

    def fetch(self, url):
        """Fetch one file."""
        with closing(self.downloads):
            return self.downloads.fetch(url, WHAT, self.take)

    def take(self, piece):
        """Take the next bytes."""
        self.data += piece


@pytest.fixture
def fetched(host):
    """Give downloads for a connection whose API is on this machine, as the host of recordings is."""
    return Fetched(host.url)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_is_continued(host, fetched, ranges):
    """The rest is asked for; a host that knows no ranges sends all again, of which the beginning is dropped."""
    host.ranges = ranges
    host.cuts["/a.mp3"] = [400_000, 100_000 if ranges else 500_000]
    assert fetched.fetch(f"{host.url}/a.mp3") == len(SOUND)
    assert fetched.data == SOUND
    ends = [headers.get("range") for _, headers in host.sent]
    assert ends[0] is None
    assert len(ends) == len(fetched.slept) + 1 == 3
    if ranges:
        assert sum(len(headers.get("if-range", "")) > 0 for _, headers in host.sent) == 2


@pytest.mark.parametrize("named", [True, False])
def test_parts_of_a_file_that_changed_are_not_joined(host, fetched, named):
    """When the rest is of another file, by its tag or by its length, the download ends in an error."""
    if not named:
        host.headers["/a.mp3"] = {"ETag": None}
    host.cuts["/a.mp3"] = [1_000]
    take = fetched.take

    def take_and_change(piece):
        take(piece)
        host.files["/a.mp3"] = b"other" + SOUND

    fetched.take = take_and_change
    with pytest.raises(InvalidRequest, match="the file changed"):
        fetched.fetch(f"{host.url}/a.mp3")


def test_a_host_that_stumbles_is_asked_again(host, fetched):
    """503, 429 and 500 are retried like Retreaver's own."""
    host.statuses["/a.mp3"] = [503, 429, 500]
    assert fetched.fetch(f"{host.url}/a.mp3") == len(SOUND)
    assert fetched.data == SOUND
    assert len(fetched.slept) == 3


def test_a_host_that_goes_on_failing_is_left(host, fetched):
    """The policy's attempts, then the error with its status; a file that is not there is asked for once."""
    host.statuses["/a.mp3"] = [500] * 50
    with pytest.raises(
        Unavailable, match=r"recording of call a was not downloaded: its host answered 500\. Gave up after 8"
    ):
        fetched.fetch(f"{host.url}/a.mp3")
    assert len(host.sent) == 8
    with pytest.raises(NotFound, match="answered 404"):
        fetched.fetch(f"{host.url}/b.mp3")
    assert len(host.sent) == 9


def test_nobody_there(fetched):
    """A host that does not answer is a failed connection, whose sentence holds no address."""
    with pytest.raises(ConnectionFailed, match="its host did not respond") as failed:
        fetched.fetch("http://127.0.0.1:9/secret-path.mp3")
    assert "secret-path" not in str(failed.value)
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/a.mp3", "http://localhost/a.mp3", "http://10.0.0.8/a.mp3", "http://169.254.169.254/latest",
        "http://[::1]/a.mp3", "http://192.168.1.1/a.mp3",
    ],
)  # fmt: skip
def test_nothing_inside_a_network_is_asked(place):
    """With Retreaver's real API, neither an address nor a redirect leads to this machine or its network."""
    outside = Fetched("https://api.retreaver.com")
    with pytest.raises(InvalidRequest, match="is in a private network"):
        outside.fetch(place)
    with requests_mock.Mocker() as mock:
        mock.get(
            "https://recordings.test/a.mp3", status_code=302, headers={"Location": place.replace("http:", "https:")}
        )
        with pytest.raises(InvalidRequest, match="is in a private network"):
            Fetched("https://api.retreaver.com").fetch("https://recordings.test/a.mp3")
        assert mock.call_count == 1


def test_a_redirect_to_http_is_not_followed():
    """What came by https goes on by https."""
    with requests_mock.Mocker() as mock:
        mock.get(
            "https://recordings.test/a.mp3", status_code=302, headers={"Location": "http://recordings.test/b.mp3"}
        )
        with pytest.raises(InvalidRequest, match="from https to http"):
            Fetched("https://api.retreaver.com").fetch("https://recordings.test/a.mp3")
        assert mock.call_count == 1
