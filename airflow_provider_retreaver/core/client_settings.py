"""What every connection has, whichever API it leads to: limits, retries, proxies, and how a request is signed."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypedDict
from urllib.parse import urlencode

from airflow_provider_retreaver.core.connection_secrets import url_secrets
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.limits import Limits
from airflow_provider_retreaver.core.messages import Auth, Host, HttpRequest, Request
from airflow_provider_retreaver.core.policy import Policy
from airflow_provider_retreaver.core.portal import Portal, read_file_links
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.routes import Routes
from airflow_provider_retreaver.core.secrets import Secret

# Seconds that a test of a connection may take: the web interface shows nothing while it waits.
TEST_SECONDS = 4.0


class CommonFields(TypedDict):
    """The fields of `ClientSettings` that extras of the same names set for every API."""

    policy: Policy
    timeout: float
    limits: Limits
    max_concurrency: int
    proxies: Mapping[str, Secret] | None
    verify: bool | str
    file_links: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs a request.

    :param parameters: names and values of the query.
    :param scheme: of the `Authorization` header.
    :param token: what follows the scheme; None for no such header.
    """

    parameters: tuple[tuple[str, Secret], ...] = ()
    scheme: str = "Bearer"
    token: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(ABC):
    """What a client needs to know, from the parts of an Airflow connection.

    :param connection: id of the Airflow connection.
    :param urls: base URL of each host, without a slash at the end.
    :param routes: which routes and which version of the call log, where the API has several.
    :param policy: how long requests are retried.
    :param timeout: seconds without a byte of a response.
    :param limits: bounds of responses and downloads.
    :param max_concurrency: concurrent requests in this process, of all clients of the account together.
    :param per_page: rows of a page, where the API takes the parameter.
    :param proxies: proxy URL by scheme; secrets, since they may contain a password.
    :param verify: whether certificates are verified, or the path of a CA bundle.
    :param portal: where the account's objects are shown.
    :param file_links: where folders of a storage can be opened in a browser.
    """

    # What the connection's type is called, the credentials that it has, and whether its login is one of them.
    service: ClassVar[str]
    signs: ClassVar[frozenset[Auth]]
    login_is_key: ClassVar[bool] = False

    connection: str
    urls: Mapping[Host, str]
    routes: Routes = field(default_factory=Routes)
    policy: Policy = field(default_factory=Policy)
    timeout: float = 30.0
    limits: Limits = field(default_factory=Limits)
    max_concurrency: int = 4
    per_page: int = 100
    proxies: Mapping[str, Secret] | None = None
    verify: bool | str = True
    portal: Portal = field(default_factory=Portal)
    file_links: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    @abstractmethod
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
    ) -> Self:
        """Build settings from the parts of an Airflow connection.

        :param connection: id of the connection, which every error names.
        :param login: its login.
        :param password: its password.
        :param host: its host.
        :param port: its port.
        :param schema: its schema.
        :param extra: its extras, as a mapping or as JSON text; unknown names are refused.
        :return: the settings.
        :raises InvalidConnection: naming the field.
        """

    @property
    @abstractmethod
    def keys(self) -> tuple[Secret, ...]:
        """The keys of the connection, the one that identifies the account first."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret of the connection, for masks."""
        proxies = (self.proxies or {}).values()
        return (*self.keys, *(secret for proxy in proxies for secret in url_secrets(proxy)))

    @property
    def account(self) -> tuple[str, str, int]:
        """What identifies the account: clients of the same account share a limiter."""
        digest = hashlib.sha256(self.keys[0].reveal().encode()).hexdigest()
        return self.urls[Host.API], digest, self.max_concurrency

    def for_test(self) -> Self:
        """Return the settings with which somebody who waits for the result tests the connection.

        :return: one attempt, which takes at most `TEST_SECONDS`.
        """
        return replace(
            self,
            policy=Policy(max_attempts=1, max_wait=0),
            timeout=min(self.timeout, TEST_SECONDS),
            limits=replace(self.limits, response_seconds=min(self.limits.response_seconds, TEST_SECONDS)),
        )

    @abstractmethod
    def credentials(self, request: Request) -> Credentials:
        """Return what signs a request.

        :param request: the request, whose `auth` is one of `signs`.
        :return: the credentials.
        :raises InvalidConnection: when the connection does not have them.
        """

    def sign(self, request: Request) -> HttpRequest:
        """Return a request with host and credentials, as it is sent.

        :param request: the request.
        :return: the signed request.
        :raises InvalidConnection: when the request needs credentials that the connection does not have.
        :raises InvalidArgument: when the body or a parameter cannot be encoded, or the request is one of another API.
        """
        if request.auth not in self.signs:
            raise InvalidArgument(
                f"{request.label} is not a request of {self.service}, to which connection {quoted(self.connection)} "
                f"leads; use the hook and the operators of the API that has it.",
                method=request.method,
                path=request.path,
            )
        headers = {"Accept": "text/csv" if request.path.endswith(".csv") else "application/json"}
        body = None
        if request.body is not None:
            body = _encoded(request)
            headers["Content-Type"] = "application/json"
        # What may be refused comes before the credentials are revealed, so that no frame of an error has them.
        own = _query(request)
        credentials = self.credentials(request)
        if credentials.token is not None:
            headers["Authorization"] = f"{credentials.scheme} {credentials.token.reveal()}"
        signed = urlencode([(name, value.reveal()) for name, value in credentials.parameters])
        query = "&".join(filter(None, (signed, own)))
        url = f"{self.urls[request.host]}{request.path}{f'?{query}' if query else ''}"
        return HttpRequest(request.method, url, headers, body)


def read_common(fields: Fields, *, downloads: bool) -> CommonFields:
    """Read the extras that every connection has.

    :param fields: of the connection.
    :param downloads: whether the API has files to download, and the connection the extras for them.
    :return: the fields of `ClientSettings`.
    :raises InvalidConnection: naming the extra.
    """
    policy = Policy()
    timeout = fields.number("timeout", 30.0, 0.1, 3_600)
    return {
        "policy": Policy(
            max_attempts=fields.integer("max_attempts", policy.max_attempts, 1, 100),
            max_wait=fields.number("max_wait", policy.max_wait, 0, 86_400),
        ),
        "timeout": timeout,
        "limits": Limits.parse(fields, timeout, downloads=downloads),
        "max_concurrency": fields.integer("max_concurrency", 4, 1, 64),
        "proxies": fields.proxies("proxies"),
        "verify": fields.verify("verify"),
        "file_links": read_file_links(fields),
    }


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
