"""Settings of a Retreaver connection, parsed and checked once.

Every field is checked here, so that a connection that cannot work is refused in one sentence that names the field,
before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airflow_provider_retreaver.core import labels
from airflow_provider_retreaver.core.base_url import read_base_url, read_scheme, url_text, with_port
from airflow_provider_retreaver.core.client_settings import ClientSettings, Credentials, read_common
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.messages import Auth, Host, Request
from airflow_provider_retreaver.core.portal import OTHER_RESOURCES, RETREAVER_PATHS, RETREAVER_PORTAL, read_portal
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.routes import CALLS_VERSIONS, Routes
from airflow_provider_retreaver.core.secrets import Secret
from airflow_provider_retreaver.core.webhook_settings import WebhookSettings

HTTPS_PORT = 443
DEFAULT_URLS = {
    Host.API: "https://api.retreaver.com",
    Host.DATA: "https://retreaverdata.com",
    Host.RTB: "https://rtb.retreaver.com",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ClientSettings):
    """The settings of a connection of type `retreaver` (see `parse`), besides those of `ClientSettings`.

    :param urls: base URL of each host, without a slash at the end.
    :param api_key: the API key.
    :param company_id: digits, None when the key has one company only.
    :param postback_key: key of the data and bidding hosts.
    :param caller_list_key: key of the caller lists.
    :param caller_list_secret: secret of that key.
    :param webhooks: settings of the endpoint for webhooks; None without a token for them.
    """

    service: ClassVar[str] = "Retreaver"
    signs: ClassVar[frozenset[Auth]] = frozenset({Auth.API_KEY, Auth.CALLER_LIST, Auth.POSTBACK_KEY})

    urls: Mapping[Host, str] = field(default_factory=lambda: dict(DEFAULT_URLS))
    api_key: Secret
    company_id: str | None = None
    postback_key: Secret | None = None
    caller_list_key: Secret | None = None
    caller_list_secret: Secret | None = None
    webhooks: WebhookSettings | None = None

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
        parts = {"login": login, "password": password, "host": host, "schema": schema}
        fields = Fields(connection, extra, parts, labels.RETREAVER)
        # In no frame of a traceback, whose local variables some tools write.
        del login, password, host, schema, extra, parts
        fields.require_readable()
        api_key = fields.secret("password")
        if api_key is None:
            raise fields.error("password", "is blank; fill in the key of Settings → My Account → API Access")
        if not re.fullmatch("[0-9]*", fields.text("login") or ""):
            # Not quoted: it may be the key, in the wrong field.
            raise fields.error(
                "login", "must be the company's number in digits; the key goes into API key (password)"
            )
        urls = _urls(fields, port)
        settings = cls(
            connection=connection,
            api_key=api_key,
            company_id=fields.text("login"),
            urls=urls,
            # Of another server's account nothing says where its portal is.
            portal=read_portal(
                fields,
                RETREAVER_PORTAL if urls[Host.API] == DEFAULT_URLS[Host.API] else None,
                RETREAVER_PATHS,
                OTHER_RESOURCES,
            ),
            routes=Routes(
                edition=fields.choice("api_routes", ("current", "legacy"), "current"),
                calls_version=fields.choice("calls_version", CALLS_VERSIONS, "v2"),
            ),
            per_page=fields.integer("per_page", 100, 1, 100),
            postback_key=fields.secret("postback_key"),
            caller_list_key=fields.secret("caller_list_key"),
            caller_list_secret=fields.secret("caller_list_secret"),
            webhooks=WebhookSettings.parse(fields, fields.text("login")),
            **read_common(fields, downloads=True),
        )
        fields.refuse_unknown()
        return settings

    @property
    def keys(self) -> tuple[Secret, ...]:
        """The API key, and the other keys, secrets and tokens that the connection has."""
        others = (self.postback_key, self.caller_list_key, self.caller_list_secret)
        return (self.api_key, *filter(None, others), *(self.webhooks.tokens if self.webhooks else ()))

    def require_company(self, company: int, asset: str) -> None:
        """Refuse an asset of another company.

        A connection without a Company ID is not compared: which company its key has is known to Retreaver only.

        :param company: of the asset.
        :param asset: begins the message.
        :raises InvalidArgument: naming both companies.
        """
        if self.company_id is not None and int(self.company_id) != company:
            raise InvalidArgument(
                f"{asset} is of company {company}, and connection {quoted(self.connection)} leads to company "
                f"{self.company_id}; correct the asset, or give the connection of that company."
            )

    def credentials(self, request: Request) -> Credentials:
        """Return the key in the query, with the company where the API key signs, or the secret of a caller list.

        :param request: the request.
        :return: the credentials.
        :raises InvalidConnection: when the connection does not have them.
        """
        if request.auth is Auth.API_KEY:
            company = () if self.company_id is None else (("company_id", Secret(self.company_id)),)
            return Credentials((("api_key", self.api_key), *company))
        if request.auth is Auth.CALLER_LIST:
            key = self._needed("caller_list_key", self.caller_list_key, request)
            secret = self._needed("caller_list_secret", self.caller_list_secret, request)
            return Credentials((("key", key),), token=secret)
        return Credentials((("key", self._needed("postback_key", self.postback_key, request)),))

    def _needed(self, name: str, secret: Secret | None, request: Request) -> Secret:
        if secret is None:
            raise InvalidConnection(
                f"Connection {quoted(self.connection)}: extra {name!r} is missing, and {request.label} needs it"
                f"{f': a postback key of type {request.key_type!r}' if request.key_type else ''}.",
                method=request.method,
                path=request.path,
            )
        return secret


def _urls(fields: Fields, port: int | None) -> dict[Host, str]:
    allow_http = fields.flag("allow_http", default=False)
    scheme = read_scheme(fields)
    base = read_base_url(fields, "host", scheme)
    # Airflow 3.3.1 and 3.3.2 test a stored connection only if it has a port: that of Retreaver's hosts is accepted.
    if base is None and (port not in {None, 0, HTTPS_PORT} or scheme == "http"):
        name, host = "schema" if scheme == "http" else "port", fields.label("host")
        raise fields.error(name, f"is set without {host}; fill that in too, or clear it")
    if base is not None:
        base = with_port(fields, base, port)
    urls = {Host.API: url_text(fields, "host", base, allow_http=allow_http) or DEFAULT_URLS[Host.API]}
    for name, which in (("data_host", Host.DATA), ("rtb_host", Host.RTB)):
        own = url_text(fields, name, read_base_url(fields, name, ""), allow_http=allow_http)
        urls[which] = own or (urls[Host.API] if base else DEFAULT_URLS[which])
    return urls
