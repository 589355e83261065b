"""What both transports do before and after a connection: proxies, certificates, and the error for one that fails."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.request import getproxies

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.connection_secrets import url_secrets
from airflow_provider_retreaver.core.errors import ConnectionFailed, InvalidConnection
from airflow_provider_retreaver.core.extras import is_proxy
from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.secrets import Secret, register_secrets

# Seconds after which a host that accepts no connection counts as unreachable.
CONNECT_TIMEOUT = 10.0
# What OpenSSL says of a server that answers a handshake in plain text.
NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
PLAIN = (
    "could not be sent: the server speaks http on this port, and https was spoken to it; write the scheme before the "
    "host, like http://127.0.0.1:8787 (a host without a scheme means https), or give the port of https."
)


def proxy_for(request: Request, settings: ClientSettings, url: str) -> Secret | None:
    """Return the proxy to use: the connection's, or else the environment's.

    :param request: the request, for the error.
    :param settings: of the connection.
    :param url: URL of the request, at least its scheme and host.
    :return: URL of the proxy, None for none; a secret, since it may contain a password.
    :raises ConnectionFailed: when the clients cannot use the proxy.
    """
    proxy = _selected(settings, url)
    if proxy is None:
        return None
    register_secrets(url_secrets(proxy))
    if not is_proxy(proxy.reveal()):
        raise ConnectionFailed(
            f"{request.label} was not sent: the environment's proxy is not an http(s) URL; set the extra proxies.",
            method=request.method,
            path=request.path,
            sent=False,
            final=True,
        )
    return proxy


def _selected(settings: ClientSettings, url: str) -> Secret | None:
    if not (getproxies() if settings.proxies is None else settings.proxies):
        return None
    # Not at the top: a task or triggerer without a proxy sends all requests by aiohttp, and needs no other client.
    from requests.utils import get_environ_proxies, select_proxy

    proxies = {scheme: proxy.reveal() for scheme, proxy in (settings.proxies or {}).items()}
    selected = select_proxy(url, get_environ_proxies(url) if settings.proxies is None else proxies)
    if not selected:
        return None
    return Secret(selected if "://" in selected else f"http://{selected}")


def certificates(settings: ClientSettings) -> ssl.SSLContext | bool:
    """Return how certificates are verified.

    :param settings: of the connection; its extra `verify` may be the path of a bundle (a file or folder).
    :return: a context with that bundle, True for the default, False for no verification.
    :raises InvalidConnection: when the bundle cannot be read.
    """
    bundle = settings.verify
    if not isinstance(bundle, str):
        return bundle
    try:
        folder = Path(bundle).is_dir()
        return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
    except (OSError, ValueError):
        raise InvalidConnection(
            f"Connection {quoted(settings.connection)}: extra 'verify' must be true, false or the path of a file or "
            f"folder of certificates, and this one cannot be read."
        ) from None


def speaks_http(error: object) -> bool:
    """Return whether an error of TLS says that the other side does not speak it.

    :param error: what the library raised.
    :return: True for a server that speaks http, unencrypted.
    """
    return isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in NO_TLS


def connection_failed(
    request: Request, *, timed_out: bool, certificate: bool, proxy: bool, sent: bool, plain: bool = False
) -> ConnectionFailed:
    """Return the error for a request without a response, the same for both transports.

    :param request: the request.
    :param timed_out: whether the time was up.
    :param certificate: whether the host's certificate was not accepted.
    :param proxy: whether the proxy failed.
    :param sent: whether the server may have received the request.
    :param plain: whether https was spoken to a server that speaks http.
    :return: the error.
    """
    reason = PLAIN if plain else _reason_text(timed_out, certificate, proxy, sent)
    return ConnectionFailed(
        f"{request.label} {reason}",
        method=request.method,
        path=request.path,
        sent=sent,
        final=certificate or plain,
    )


def _reason_text(timed_out: bool, certificate: bool, proxy: bool, sent: bool) -> str:  # noqa: FBT001
    if certificate:
        return "got no response: the certificate of the host was not accepted; check host and the extra verify."
    if proxy:
        return "got no response: the proxy could not be used; check the extra proxies."
    if timed_out and not sent:
        return "could not connect in time; check host, port and network."
    if timed_out:
        return "got no response in time; check the network or raise the extra timeout."
    if not sent:
        return "could not connect; check host, port and network."
    return "got no response: the connection was closed."
