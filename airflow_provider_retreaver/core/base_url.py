"""The base URLs of a connection, from its host, port and schema."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from airflow_provider_retreaver.core.extras import Fields


def read_scheme(fields: Fields) -> str:
    """Return the schema of a connection.

    :param fields: of the connection.
    :return: `http`, `https` or blank.
    :raises InvalidConnection: when it is something else.
    """
    scheme = (fields.text("schema") or "").lower()
    if scheme not in {"", "http", "https"}:
        # Not quoted either, nor kept for a traceback.
        scheme = ""
        raise fields.error("schema", "must be http or https")
    return scheme


def read_base_url(fields: Fields, name: str, scheme: str, text: str | None = None) -> SplitResult | None:
    """Return the parts of a base URL, from a URL, a host name or a bare IPv6 address.

    :param fields: of the connection.
    :param name: of the field.
    :param scheme: of the connection, blank for none.
    :param text: what stands for the field's own text; None for that itself.
    :return: the parts, None when the field is blank.
    :raises InvalidConnection: naming the field.
    """
    url, problem = _read_url(text if text is not None else fields.text(name) or "", scheme)
    # In no frame of an error: it may be a key in the wrong field.
    del text
    if problem is not None:
        raise fields.error(name, problem)
    if url is not None and scheme and url.scheme != scheme:
        raise fields.error("schema", f"is {scheme}, but {fields.label(name)} has {url.scheme}; keep one of them")
    return url


def _read_url(text: str, scheme: str) -> tuple[SplitResult | None, str | None]:
    """Return the parts of a base URL, or what is wrong with it; the URL may hold a password."""
    if not text:
        return None, None
    if "://" not in text:
        text = f"{scheme or 'https'}://{f'[{text}]' if _address(text, 6) else text}"
    url = port = None
    with suppress(ValueError):
        url = urlsplit(text)
        port = -1
        port = url.port
    if port in {-1, 0}:
        return None, "has a port that is not a number from 1 to 65535"
    if url is None or url.scheme not in {"http", "https"} or not _is_host(url.hostname or ""):
        return None, "must be a host name or an http(s) URL"
    if url.username is not None or url.password or url.query or url.fragment or url.path.strip("/"):
        return None, "must hold scheme, host and port only (no user, path or query)"
    return url, None


def with_port(fields: Fields, url: SplitResult, port: int | None) -> SplitResult:
    """Return a base URL with the port that stands in a field of its own.

    :param fields: of the connection.
    :param url: the parts of the URL.
    :param port: the connection's port.
    :return: the parts with the port.
    :raises InvalidConnection: when the port is none, or another than that of the URL.
    """
    if not port:
        return url
    if not 1 <= port <= 65_535:
        raise fields.error("port", f"must be a number from 1 to 65535, not {port}")
    if url.port and url.port != port:
        raise fields.error("port", f"is {port}, but {fields.label('host')} has {url.port}; keep one of them")
    return url if url.port else url._replace(netloc=f"{url.netloc.rstrip(':')}:{port}")


def url_text(fields: Fields, name: str, url: SplitResult | None, *, allow_http: bool) -> str | None:
    """Return a base URL as text, without a slash at the end.

    :param fields: of the connection.
    :param name: of the field that it comes from.
    :param url: its parts.
    :param allow_http: whether keys may be sent unencrypted to another machine.
    :return: the text, None without a URL.
    :raises InvalidConnection: when keys would be sent unencrypted.
    """
    if url is None:
        return None
    host = url.hostname or ""
    if url.scheme == "http" and not (allow_http or is_loopback(host)):
        raise fields.error(
            name,
            "uses http://, which would send the key unencrypted; use https://, or set extra allow_http to true "
            "for a host that you trust",
        )
    bracketed = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{bracketed}{f':{url.port}' if url.port else ''}"


def _is_host(text: str) -> bool:
    return re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", text) is not None or _address(text, 6)


def _address(text: str, version: int) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(text).version == version
    return False


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    :param host: a host name or an IP address.
    :return: True for loopback.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
