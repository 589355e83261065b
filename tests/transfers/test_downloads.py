"""Downloads without credentials: continued where they broke off, never patched together, never led inside."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
import requests_mock

from airflow_provider_retreaver.core.errors import ConnectionFailed, InvalidRequest, NotFound, Unavailable
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.addresses import literal, system_resolver
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

    def __init__(self, api, resolver=system_resolver, **extra):
        self.data = b""
        self.slept = []
        settings = Settings.parse("retreaver_default", login="1", password="s3cr3t-key", host=api, extra=extra)
        self.downloads = Downloads(settings, sleep=self.slept.append, resolver=resolver)

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


def test_nobody_there(host):
    """A host that does not answer is a failed connection, whose sentence holds no address."""
    fetched = Fetched(host.url, download_hosts="127.0.0.1:9")
    with pytest.raises(ConnectionFailed, match="its host did not respond") as failed:
        fetched.fetch("http://127.0.0.1:9/secret-path.mp3")
    assert "secret-path" not in str(failed.value)
    assert failed.value.__context__ is None


API = "https://api.retreaver.com"
INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "017700000001", "0177.0.0.1", "0",
    "localhost", "localhost.", "api.localhost", "10.0.0.8", "169.254.169.254", "192.168.1.1", "100.64.0.1",
    "224.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fe80::1]", "[fc00::1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b:1::7f00:1]",
    "[fec0::1]", "[5f00::1]", "192.0.0.8",
]  # fmt: skip


class Names:
    """A resolver that knows a few names, and counts how often it was asked for each."""

    def __init__(self, **addresses):
        self.addresses = {name.replace("_", "."): rows for name, rows in addresses.items()}
        self.asked = []

    def __call__(self, host, port):
        """Resolve a name; an address in any notation as the system does."""
        self.asked.append(host)
        if literal(host) is not None:
            return system_resolver(host, port)
        found = self.addresses.get(host, [])
        # An address at a time: the next question gets the next one.
        address = found.pop(0) if len(found) > 1 else found[0] if found else None
        if address is None:
            raise OSError("no such name")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.mark.parametrize("place", INSIDE)
def test_nothing_inside_a_network_is_asked(place):
    """However it is written, neither an address nor a redirect leads to this machine or its network."""
    names = Names()
    names.addresses = {name: ["127.0.0.1"] for name in ("localhost", "localhost.", "api.localhost")}
    with pytest.raises(InvalidRequest, match="is in a private network"):
        Fetched(API, names).fetch(f"http://{place}/a.mp3")
    with requests_mock.Mocker() as mock:
        mock.get("https://recordings.test/a.mp3", status_code=302, headers={"Location": f"https://{place}/a.mp3"})
        with pytest.raises(InvalidRequest, match="is in a private network"):
            Fetched(API, names).fetch("https://recordings.test/a.mp3")
        assert mock.call_count == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_name_that_resolves_inside(host, address):
    """It is refused after one question, also when a loopback API is configured and on its own port elsewhere."""
    port = int(host.url.rpartition(":")[2])
    names = Names(inside_test=[address])
    with pytest.raises(InvalidRequest, match="is in a private network"):
        Fetched(API, names).fetch(f"http://inside.test:{port}/a.mp3")
    assert names.asked == ["inside.test"]
    with pytest.raises(InvalidRequest, match="is in a private network"):
        Fetched("http://127.0.0.1:9", names).fetch(f"http://inside.test:{port}/a.mp3")
    assert host.sent == []


def test_what_was_judged_is_connected_to(host):
    """A name that resolves to the named host at first, and inside the network when asked again, is asked once."""
    port = int(host.url.rpartition(":")[2])
    names = Names(changing_test=["127.0.0.1", "10.1.2.3"])
    fetched = Fetched(API, names, download_hosts=f"127.0.0.1:{port}")
    assert fetched.fetch(f"http://changing.test:{port}/a.mp3") == len(SOUND)
    assert names.asked == ["changing.test"]


def test_a_redirect_is_judged_by_what_it_resolves_to(host):
    """A host that is allowed may not lead to one that is not, by a name whose address only the resolver knows."""
    port = int(host.url.rpartition(":")[2])
    host.redirects["/b.mp3"] = "http://inside.test/a.mp3"
    names = Names(inside_test=["127.0.0.1"])
    with pytest.raises(InvalidRequest, match="is in a private network"):
        Fetched(API, names, download_hosts=f"127.0.0.1:{port}").fetch(f"{host.url}/b.mp3")
    assert host.paths() == ["/b.mp3"]
    assert names.asked == ["127.0.0.1", "inside.test"]


def test_a_loopback_api_opens_its_own_port_only(host):
    """Recordings that the sandbox serves itself are fetched, by any of its names; nothing else of this machine is."""
    port = int(host.url.rpartition(":")[2])
    for api in (host.url, f"http://localhost:{port}"):
        names = Names(localhost=["127.0.0.1"])
        assert Fetched(api, names).fetch(f"{host.url}/a.mp3") == len(SOUND)
    for other in ("http://127.0.0.1:9/a.mp3", "http://localhost:9/a.mp3", "http://10.0.0.8/a.mp3"):
        with pytest.raises(InvalidRequest, match="is in a private network"):
            Fetched(host.url).fetch(other)


def test_a_proxy_resolves_the_names(host, monkeypatch):
    """Names are left to the proxy, whose own address is not judged; an address that is written is judged here too."""
    monkeypatch.setenv("http_proxy", host.url)
    host.files["http://recordings.test/a.mp3"] = SOUND
    names = Names()
    assert Fetched(API, names).fetch("http://recordings.test/a.mp3") == len(SOUND)
    assert set(names.asked) == {"127.0.0.1"}
    for place in ("127.1", "localhost"):
        with pytest.raises(InvalidRequest, match="is in a private network"):
            Fetched(API, names).fetch(f"http://{place}/a.mp3")


def test_bounds_of_a_download(host):
    """A file that is larger than allowed is refused by its length, or where it exceeds the limit."""
    small = Fetched(host.url, max_download_mb=0.5)
    with pytest.raises(InvalidRequest, match=r"more than 0\.5 MB \(the connection's extra max_download_mb\)"):
        small.fetch(f"{host.url}/a.mp3")
    assert small.data == b""
    host.headers["/a.mp3"] = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    host.files["/a.mp3"] = chunk * 200
    endless = Fetched(host.url, max_download_mb=0.5)
    with pytest.raises(InvalidRequest, match=r"more than 0\.5 MB"):
        endless.fetch(f"{host.url}/a.mp3")
    assert len(endless.data) <= 500_000
    assert len(host.sent) == 2


def test_a_redirect_to_http_is_not_followed():
    """What came by https goes on by https."""
    with requests_mock.Mocker() as mock:
        mock.get(
            "https://recordings.test/a.mp3", status_code=302, headers={"Location": "http://recordings.test/b.mp3"}
        )
        with pytest.raises(InvalidRequest, match="from https to http"):
            Fetched("https://api.retreaver.com").fetch("https://recordings.test/a.mp3")
        assert mock.call_count == 1


def test_the_address_of_a_file_is_in_no_log(host, fetched, caplog):
    """Whoever knows the address can read the file: neither path nor signature is logged, at any level."""
    host.files["/s3cr3t-path.mp3"] = SOUND
    host.redirects["/a.mp3"] = "/s3cr3t-path.mp3?X-Amz-Signature=s3cr3t-signature"
    with caplog.at_level("DEBUG"):
        assert fetched.fetch(f"{host.url}/a.mp3?token=s3cr3t-token") == len(SOUND)
    assert '"GET *** HTTP/1.1"' in caplog.text
    assert "s3cr3t" not in caplog.text
