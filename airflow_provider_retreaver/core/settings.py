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
from urllib.parse import SplitResult, urlencode, urlsplit

from airflow_provider_retreaver.core.connection_secrets import url_secrets
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.limits import Limits
from airflow_provider_retreaver.core.messages import Auth, Host, HttpRequest, Request
from airflow_provider_retreaver.core.policy import Policy
from airflow_provider_retreaver.core.quoting import quoted
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
    :param proxies: proxy URL by scheme; secrets, since they may contain a password.
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
    proxies: Mapping[str, Secret] | None = None
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
        fields = Fields(connection, extra, {"login": login, "password": password, "host": host, "schema": schema})
        # In no frame of a traceback, whose local variables some tools write.
        del login, password, host, schema, extra
        fields.require_readable()
        api_key = fields.secret("password")
        if api_key is None:
            raise fields.error("password", "is blank; it holds the API key")
        if not re.fullmatch("[0-9]*", fields.text("login") or ""):
            # Not quoted: it may be the key, in the wrong field.
            raise fields.error("login", "must be the company ID in digits; the API key goes into the password")
        urls = _urls(fields, port)
        policy = Policy()
        timeout = fields.number("timeout", 30.0, 0.1, 3_600)
        settings = cls(
            connection=connection,
            api_key=api_key,
            company_id=fields.text("login"),
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
        return (*filter(None, secrets), *(s for proxy in (self.proxies or {}).values() for s in url_secrets(proxy)))

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
        headers = {"Accept": "application/json"}
        body = None
        if request.body is not None:
            body = _encoded(request)
            headers["Content-Type"] = "application/json"
        # What may be refused comes before the credentials are revealed, so that no frame of an error has them.
        own = _query(request)
        name, key, bearer = self._credentials(request)
        query = [(name, key.reveal())]
        if request.auth is Auth.API_KEY and self.company_id is not None:
            query.append(("company_id", self.company_id))
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer.reveal()}"
        url = f"{self.urls[request.host]}{request.path}?{urlencode(query)}{f'&{own}' if own else ''}"
        return HttpRequest(request.method, url, headers, body)

    def _credentials(self, request: Request) -> tuple[str, Secret, Secret | None]:
        """Return the name of the parameter that holds the key, the key, and the secret of the header."""
        if request.auth is Auth.API_KEY:
            return "api_key", self.api_key, None
        if request.auth is Auth.CALLER_LIST:
            key = self._needed("caller_list_key", self.caller_list_key, request)
            return "key", key, self._needed("caller_list_secret", self.caller_list_secret, request)
        return "key", self._needed("postback_key", self.postback_key, request), None

    def _needed(self, name: str, secret: Secret | None, request: Request) -> Secret:
        if secret is None:
            raise InvalidConnection(
                f"Connection {quoted(self.connection)}: extra {name!r} is missing, and {request.label} needs it"
                f"{f': a postback key of type {request.key_type!r}' if request.key_type else ''}.",
                method=request.method,
                path=request.path,
            )
        return secret


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


def _query(request: Request) -> str:
    with suppress(UnicodeEncodeError):
        return urlencode(request.query)
    raise InvalidArgument(
        f"A parameter of {request.label} contains a lone surrogate, which is half a character; give valid text.",
        method=request.method,
        path=request.path,
    )


def _urls(fields: Fields, port: int | None) -> dict[Host, str]:
    allow_http = fields.flag("allow_http", default=False)
    scheme = (fields.text("schema") or "").lower()
    if scheme not in {"", "http", "https"}:
        # Not quoted either, nor kept for a traceback.
        scheme = ""
        raise fields.error("schema", "must be http or https")
    base = _base_url(fields, "host", scheme)
    if base is None and (port or scheme == "http"):
        raise fields.error("port" if port else "schema", "is set without a host; set the host too, or clear it")
    if base is not None:
        base = _with_port(fields, base, port)
    urls = {Host.API: _text(fields, "host", base, allow_http=allow_http) or DEFAULT_URLS[Host.API]}
    for name, which in (("data_host", Host.DATA), ("rtb_host", Host.RTB)):
        own = _text(fields, name, _base_url(fields, name, ""), allow_http=allow_http)
        urls[which] = own or (urls[Host.API] if base else DEFAULT_URLS[which])
    return urls


def _base_url(fields: Fields, name: str, scheme: str) -> SplitResult | None:
    """Return the parts of a base URL, from a URL, a host name or a bare IPv6 address."""
    url, problem = _read_url(fields.text(name) or "", scheme)
    if problem is not None:
        raise fields.error(name, problem)
    if url is not None and scheme and url.scheme != scheme:
        raise fields.error("schema", f"is {scheme}, but the {name} has {url.scheme}; keep one of them")
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
