"""Settings of a TrackDrive connection, parsed and checked once; see `settings` for Retreaver's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_retreaver.core import labels
from airflow_provider_retreaver.core.base_url import is_loopback, read_base_url, read_scheme, url_text, with_port
from airflow_provider_retreaver.core.client_settings import ClientSettings, Credentials, read_common
from airflow_provider_retreaver.core.connection_secrets import basic_token
from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.messages import Auth, Host, Request
from airflow_provider_retreaver.core.operations import DEFAULT_PAGE_SIZE
from airflow_provider_retreaver.core.portal import TRACKDRIVE_PATHS, read_portal
from airflow_provider_retreaver.core.secrets import Secret

DOMAIN = "trackdrive.com"
API_PATH = "/api/v1"
# More rows a page than TrackDrive's own clients request.
MOST_PER_PAGE = 1_000

_SUBDOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDriveSettings(ClientSettings):
    """The settings of a connection of type `trackdrive` (see `parse`), besides those of `ClientSettings`.

    :param public_key: the public key.
    :param private_key: the private key.
    """

    service: ClassVar[str] = "TrackDrive"
    signs: ClassVar[frozenset[Auth]] = frozenset({Auth.BASIC})
    login_is_key: ClassVar[bool] = True

    public_key: Secret
    private_key: Secret

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
    ) -> TrackDriveSettings:
        """Build settings from the parts of an Airflow connection.

        :param connection: id of the connection, which every error names.
        :param login: public key.
        :param password: private key.
        :param host: subdomain of the account, its host name, or the URL of another server.
        :param port: port of the host.
        :param schema: `http` or `https`, where the host does not contain it.
        :param extra: the documented extras, as a mapping or as JSON text; unknown names are refused.
        :return: the settings.
        :raises InvalidConnection: naming the field.
        """
        parts = {"login": login, "password": password, "host": host, "schema": schema}
        fields = Fields(connection, extra, parts, labels.TRACKDRIVE)
        # In no frame of a traceback, whose local variables some tools write.
        del login, password, host, schema, extra, parts
        fields.require_readable()
        public_key, private_key = fields.secret("login"), fields.secret("password")
        if public_key is None:
            raise fields.error("login", "is blank; it holds the public key")
        if private_key is None:
            raise fields.error("password", "is blank; it holds the private key")
        if ":" in public_key.reveal():
            raise fields.error("login", "contains a colon, which no public key has; copy it again")
        url = _url(fields, port)
        settings = cls(
            connection=connection,
            public_key=public_key,
            private_key=private_key,
            urls={Host.API: url},
            # An account is at its own subdomain; of another server nothing says where its portal is.
            portal=read_portal(
                fields, url.removesuffix(API_PATH) if url.endswith(f".{DOMAIN}{API_PATH}") else None, TRACKDRIVE_PATHS
            ),
            per_page=fields.integer("per_page", DEFAULT_PAGE_SIZE, 1, MOST_PER_PAGE),
            **read_common(fields, downloads=False),
        )
        fields.refuse_unknown()
        return settings

    @property
    def keys(self) -> tuple[Secret, ...]:
        """The value of the Basic header, and the two keys that it is made of."""
        return (basic_token(self.public_key, self.private_key), self.public_key, self.private_key)

    def credentials(self, request: Request) -> Credentials:  # noqa: ARG002 - every request has the same
        """Return the Basic header of the two keys.

        :param request: the request.
        :return: the credentials.
        """
        return Credentials(scheme="Basic", token=self.keys[0])


def _url(fields: Fields, port: int | None) -> str:
    """Return the base URL of the API: of a subdomain, a host name or a URL, with or without the path of the API."""
    allow_http = fields.flag("allow_http", default=False)
    scheme = read_scheme(fields)
    url = read_base_url(fields, "host", scheme, _whole_host(fields.text("host") or ""))
    if url is None:
        raise fields.error("host", f"is blank; it holds the subdomain of the account, like acme of acme.{DOMAIN}")
    text = url_text(fields, "host", with_port(fields, url, port), allow_http=allow_http)
    return f"{text}{API_PATH}"


def _whole_host(text: str) -> str:
    text = text.rstrip("/").removesuffix(API_PATH)
    return f"{text}.{DOMAIN}" if _SUBDOMAIN.fullmatch(text) and not is_loopback(text) else text
