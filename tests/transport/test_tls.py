"""TLS and tunnels of both transports and of downloads, whose connections are made by this package."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import closing, contextmanager, suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_retreaver.core.errors import ConnectionFailed, InvalidRequest
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.hooks.failed_test import failure_of_test
from airflow_provider_retreaver.resources.targets import get_target
from airflow_provider_retreaver.transport.aio import AiohttpTransport
from airflow_provider_retreaver.transport.blocking import RequestsTransport
from airflow_provider_retreaver.transport.downloads import Downloads
from tests.transport.raw_server import answer

TARGET = b'{"target": {"id": 1}}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return the path of a certificate with its key, for `api.test` and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.test")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("api.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file


@contextmanager
def serving(handle):
    """Accept connections on this machine, each handled by a thread."""

    def guarded(connection):
        with suppress(OSError), connection:
            handle(connection)

    def accept():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(5)


@pytest.fixture
def server(certificate):
    """Serve a target by TLS, and note the server names that clients ask for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            while secured.recv(65_536):
                secured.sendall(answer(body=TARGET).replace(b"Connection: close\r\n", b""))

    with serving(handle) as port:
        yield port, names


@pytest.fixture
def proxy(server):
    """Serve a proxy that tunnels everything to the server, and note what it was asked for."""
    asked = []

    def pass_on(source, sink):
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)

    def handle(connection):
        asked.append(connection.recv(65_536).partition(b"\r\n")[0].decode())
        with socket.create_connection(("127.0.0.1", server[0])) as other:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=pass_on, args=(other, connection), daemon=True).start()
            pass_on(connection, other)

    with serving(handle) as port:
        yield f"http://127.0.0.1:{port}", asked


def resolver(host, port):
    """Resolve every name to this machine."""
    assert host.endswith(".test") or host == "127.0.0.1"
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def fetch(kind, host, **extra):
    """Read the target from a host with a transport of this kind, twice on one connection; return the bodies."""
    settings = Settings.parse("tls", password="key-of-the-api", host=host, extra=extra)
    request = get_target(id=1).request
    wire = settings.sign(request)
    if kind == "sync":
        with closing(RequestsTransport(settings, resolver=resolver)) as transport:
            return [transport.send(request, wire).body for _ in range(2)]

    async def resolved(host, port):
        return resolver(host, port)

    async def run():
        transport = AiohttpTransport(settings, resolver=resolved)
        try:
            return [(await transport.send(request, wire)).body for _ in range(2)]
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Return the kind of client."""
    return request.param


@pytest.mark.parametrize("host", ["api.test", "127.0.0.1"])
def test_a_certificate_is_checked_for_the_name(kind, server, certificate, host):
    """The name stays that of the URL, for the certificate and for the server, when its address is resolved here."""
    port, names = server
    assert fetch(kind, f"https://{host}:{port}", verify=str(certificate)) == [TARGET] * 2
    assert names == ["api.test" if host == "api.test" else None]


@pytest.mark.parametrize("case", ["another name", "unknown issuer"])
def test_a_wrong_certificate(kind, server, certificate, case):
    """A certificate for another name, or of an unknown issuer, is refused for good; nothing was sent."""
    host = "other.test" if case == "another name" else "api.test"
    extra = {"verify": str(certificate)} if case == "another name" else {}
    with pytest.raises(ConnectionFailed, match="certificate of the host was not accepted") as raised:
        fetch(kind, f"https://{host}:{server[0]}", **extra)
    assert raised.value.final
    assert not raised.value.sent


@pytest.mark.parametrize("how", ["closed", "refused"])
def test_http_to_a_port_of_https_is_named(kind, server, certificate, how):
    """A server of https that closes the connection, or answers 400 to http, is found by a handshake; no other is."""
    if how == "refused":
        error = InvalidRequest("400", method="GET", path="/", status=400)
    else:
        with pytest.raises(ConnectionFailed) as raised:
            fetch(kind, f"http://127.0.0.1:{server[0]}")
        error = raised.value
    settings = Settings.parse("tls", password="key-of-the-api", host=f"http://127.0.0.1:{server[0]}")
    assert failure_of_test(error, "tls", settings) == (
        "This connection: the server speaks https on this port, and http was spoken to it; write https:// before "
        "the host, or give the port of http."
    )
    with serving(lambda connection: None) as port:
        plain = Settings.parse("tls", password="key-of-the-api", host=f"http://127.0.0.1:{port}")
        assert failure_of_test(error, "tls", plain).startswith(str(error))


def test_a_tunnel(kind, server, proxy, certificate):
    """By a proxy, the name is resolved by the proxy, and the certificate is that of the host."""
    url, asked = proxy
    assert fetch(kind, "https://api.test:8443", verify=str(certificate), proxies={"https": url}) == [TARGET] * 2
    assert [line.rpartition(" ")[0] for line in asked] == ["CONNECT api.test:8443"]


@pytest.mark.parametrize("tunnel", [False, True])
def test_a_download_by_tls(server, proxy, certificate, tunnel):
    """The name is judged by what it resolves to, and checked against the certificate."""
    host = f"api.test:{server[0]}"
    extra = {"verify": str(certificate), "download_hosts": f"127.0.0.1:{server[0]}"}
    extra |= {"proxies": {"https": proxy[0]}} if tunnel else {}
    settings = Settings.parse("tls", password="key-of-the-api", extra=extra)
    pieces = []
    with closing(Downloads(settings, resolver=resolver)) as downloads:
        assert downloads.fetch(f"https://{host}/a.mp3", "recording of call a", pieces.append) == len(TARGET)
    assert b"".join(pieces) == TARGET
    refusing = Settings.parse("tls", password="key-of-the-api", extra={"verify": str(certificate)})
    with closing(Downloads(refusing, resolver=resolver)) as downloads, pytest.raises(InvalidRequest, match="private"):
        downloads.fetch(f"https://{host}/a.mp3", "recording of call a", pieces.append)
