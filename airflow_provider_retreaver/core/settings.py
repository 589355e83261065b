"""Settings of a connection, parsed and checked once.

Every field is checked here, so that a connection that cannot work is refused in one sentence that names the field,
before anything is sent.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.limits import Limits
from airflow_provider_retreaver.core.messages import Auth, Host, HttpRequest, Request
from airflow_provider_retreaver.core.policy import Policy
from airflow_provider_retreaver.core.routes import CALLS_VERSIONS, Routes
from airflow_provider_retreaver.core.secrets import Secret

DEFAULT_URLS = {
    Host.API: "https://api.retreaver.com",
    Host.DATA: "https://retreaverdata.com",
    Host.RTB: "https://rtb.retreaver.com",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs to know, from the parts of an Airflow connection (see `parse`).

    :param connection: id of the Airflow connection.
    :param api_key: the API key.
    :param company_id: digits, None when the key has one company only.
    :param urls: base URL of each host, without a slash at the end.
    :param routes: which routes and which version of the call log.
    :param policy: how long requests are retried.
    :param timeout: seconds without a byte of a response.
    :param limits: bounds of responses and downloads.
    :param max_concurrency: concurrent requests in this process, of all clients of the account together.
    :param per_page: rows of a page, where Retreaver takes the parameter.
    :param postback_key: key of the data and bidding hosts.
    :param caller_list_key: key of the caller lists.
    :param caller_list_secret: secret of that key.
    :param proxies: proxy URL by scheme; they may contain a password.
    :param verify: whether certificates are verified, or the path of a CA bundle.
    """

    connection: str
    api_key: Secret
    company_id: str | None = None
    urls: Mapping[Host, str] = field(default_factory=lambda: dict(DEFAULT_URLS))
    routes: Routes = field(default_factory=Routes)
    policy: Policy = field(default_factory=Policy)
    timeout: float = 30.0
    limits: Limits = field(default_factory=Limits)
    max_concurrency: int = 4
    per_page: int = 100
    postback_key: Secret | None = None
    caller_list_key: Secret | None = None
    caller_list_secret: Secret | None = None
    # A proxy's URL may hold a password.
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    verify: bool | str = True

    @classmethod
    def parse(
        cls,
        connection: str,
        *,
        login: str | None = None,
        password: str | None = None,
        host: str | None = None,
        port: int | None = None,
        schema: str | None = None,
        extra: Mapping[str, Any] | str | None = None,
    ) -> Settings:
        """Build settings from the parts of an Airflow connection.

        :param connection: id of the connection, which every error names.
        :param login: company ID (digits), or blank when the key has one company only.
        :param password: API key.
        :param host: base URL or host name; blank means Retreaver's own hosts.
        :param port: port of the host.
        :param schema: `http` or `https`, where the host does not contain it.
        :param extra: the documented extras, as a mapping or as JSON text; unknown names are refused.
        :return: the settings.
        :raises InvalidConnection: naming the field.
        """
        fields = Fields(connection, extra)
        if not (password or "").strip():
            raise fields.error("password", "is blank; it holds the API key")
        company = (login or "").strip() or None
        if company is not None and not (company.isascii() and company.isdecimal()):
            # Not quoted: it may be the key, in the wrong field.
            raise fields.error("login", "must be the company ID in digits; the API key goes into the password")
        urls = _urls(fields, host, port, schema)
        policy = Policy()
        timeout = fields.number("timeout", 30.0, 0.1, 3_600)
        settings = cls(
            connection=connection,
            api_key=fields.as_secret("password", (password or "").strip()),
            company_id=company,
            urls=urls,
            routes=Routes(
                edition=fields.choice("api_routes", ("current", "legacy"), "current"),
                calls_version=fields.choice("calls_version", CALLS_VERSIONS, "v2"),
            ),
            policy=Policy(
                max_attempts=fields.integer("max_attempts", policy.max_attempts, 1, 100),
                max_wait=fields.number("max_wait", policy.max_wait, 0, 86_400),
            ),
            timeout=timeout,
            limits=Limits.parse(fields, timeout),
            max_concurrency=fields.integer("max_concurrency", 4, 1, 64),
            per_page=fields.integer("per_page", 100, 1, 100),
            postback_key=fields.secret("postback_key"),
            caller_list_key=fields.secret("caller_list_key"),
            caller_list_secret=fields.secret("caller_list_secret"),
            proxies=fields.proxies("proxies"),
            verify=fields.verify("verify"),
        )
        fields.refuse_unknown()
        return settings

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of the connection, for masks."""
        secrets = (self.api_key, self.postback_key, self.caller_list_key, self.caller_list_secret)
        passwords = (urlsplit(url).password for url in (self.proxies or {}).values())
        return tuple(s for s in secrets if s) + tuple(Secret(unquote(text)) for text in passwords if text)

    @property
    def account(self) -> tuple[str, str, int]:
        """What identifies the account: clients of the same account share a limiter."""
        digest = hashlib.sha256(self.api_key.reveal().encode()).hexdigest()
        return self.urls[Host.API], digest, self.max_concurrency

    def sign(self, request: Request) -> HttpRequest:
        """Return a request with host, key and company, as it is sent.

        :param request: the request.
        :return: the signed request.
        :raises InvalidConnection: when the request needs credentials that the connection does not have.
        :raises InvalidArgument: when the body or a parameter cannot be encoded.
        """
        query, headers = self._credentials(request)
        headers["Accept"] = "application/json"
        body = None
        if request.body is not None:
            body = _encoded(request)
            headers["Content-Type"] = "application/json"
        url = self.urls[request.host] + request.path + _query(request, query)
        return HttpRequest(request.method, url, headers, body)

    def _credentials(self, request: Request) -> tuple[list[tuple[str, str]], dict[str, str]]:
        if request.auth is Auth.API_KEY:
            query = [("api_key", self.api_key.reveal())]
            if self.company_id is not None:
                query.append(("company_id", self.company_id))
            return query, {}
        if request.auth is Auth.CALLER_LIST:
            key = self._needed("caller_list_key", self.caller_list_key, request)
            secret = self._needed("caller_list_secret", self.caller_list_secret, request)
            return [("key", key)], {"Authorization": f"Bearer {secret}"}
        return [("key", self._needed("postback_key", self.postback_key, request))], {}

    def _needed(self, name: str, secret: Secret | None, request: Request) -> str:
        if secret is None:
            raise InvalidConnection(
                f"Connection {self.connection!r}: extra {name!r} is missing, and {request.label} needs it"
                f"{f': a postback key of type {request.key_type!r}' if request.key_type else ''}.",
                method=request.method,
                path=request.path,
            )
        return secret.reveal()


def _encoded(request: Request) -> bytes:
    # Raised outside the handler: the encoder's exceptions hold what they could not encode.
    with suppress(TypeError, ValueError, RecursionError):
        return json.dumps(request.body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    raise InvalidArgument(
        f"The body of {request.label} contains a value that JSON does not have; give texts, finite numbers, True, "
        f"False, None, lists and mappings.",
        method=request.method,
        path=request.path,
    )


def _query(request: Request, credentials: list[tuple[str, str]]) -> str:
    with suppress(UnicodeEncodeError):
        text = urlencode([*credentials, *request.query])
        return f"?{text}" if text else ""
    raise InvalidArgument(
        f"A parameter of {request.label} contains a lone surrogate, which is half a character; give valid text.",
        method=request.method,
        path=request.path,
    )


def _urls(fields: Fields, host: str | None, port: int | None, schema: str | None) -> dict[Host, str]:
    allow_http = fields.flag("allow_http", default=False)
    scheme = (schema or "").strip().lower()
    if scheme not in {"", "http", "https"}:
        raise fields.error("schema", f"must be http or https, not {scheme!r}")
    base = _base_url(fields, "host", host, scheme)
    if base is None and (port or scheme == "http"):
        raise fields.error("port" if port else "schema", "is set without a host; set the host too, or clear it")
    if base is not None:
        base = _with_port(fields, base, port)
    urls = {Host.API: _text(fields, "host", base, allow_http=allow_http) or DEFAULT_URLS[Host.API]}
    for name, which in (("data_host", Host.DATA), ("rtb_host", Host.RTB)):
        own = _text(fields, name, _base_url(fields, name, fields.text(name), ""), allow_http=allow_http)
        urls[which] = own or (urls[Host.API] if base else DEFAULT_URLS[which])
    return urls


def _base_url(fields: Fields, name: str, host: str | None, scheme: str) -> SplitResult | None:
    """Return the parts of a base URL, from a URL, a host name or a bare IPv6 address."""
    text = (host or "").strip()
    if not text:
        return None
    if "://" not in text:
        text = f"{scheme or 'https'}://{f'[{text}]' if _address(text, 6) else text}"
    # Raised outside the handlers: their exceptions hold the text, which may hold a password.
    url = port = None
    with suppress(ValueError):
        url = urlsplit(text)
        port = -1
        port = url.port
    if port in {-1, 0}:
        raise fields.error(name, "has a port that is not a number from 1 to 65535")
    if url is None or url.scheme not in {"http", "https"} or not _is_host(url.hostname or ""):
        raise fields.error(name, "must be a host name or an http(s) URL")
    if url.username is not None or url.password or url.query or url.fragment or url.path.strip("/"):
        raise fields.error(name, "must hold scheme, host and port only (no user, path or query)")
    if scheme and url.scheme != scheme:
        raise fields.error("schema", f"is {scheme}, but the {name} has {url.scheme}; keep one of them")
    return url


def _with_port(fields: Fields, url: SplitResult, port: int | None) -> SplitResult:
    """Return the base URL with the port that stands in a field of its own."""
    if not port:
        return url
    if not 1 <= port <= 65_535:
        raise fields.error("port", f"must be a number from 1 to 65535, not {port}")
    if url.port and url.port != port:
        raise fields.error("port", f"is {port}, but the host has {url.port}; keep one of them")
    return url if url.port else url._replace(netloc=f"{url.netloc.rstrip(':')}:{port}")


def _text(fields: Fields, name: str, url: SplitResult | None, *, allow_http: bool) -> str | None:
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
