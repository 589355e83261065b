"""The hooks: from an Airflow connection of type `trackdrive` to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_retreaver.hooks.client_hook import ApiHook, AsyncClientHook, ClientHook

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings


class _TrackDriveConnection(ApiHook["TrackDriveSettings"]):
    """The connection type `trackdrive`."""

    conn_name_attr = "trackdrive_conn_id"
    default_conn_name = "trackdrive_default"
    conn_type = "trackdrive"
    hook_name = "TrackDrive"

    @classmethod
    def settings_class(cls) -> type[TrackDriveSettings]:
        """Import and return the class of the connection's settings.

        :return: the class.
        """
        from airflow_provider_retreaver.core.trackdrive_settings import TrackDriveSettings

        return TrackDriveSettings

    @staticmethod
    def connection_check() -> Procedure[str]:
        """Read at most one buyer group.

        :return: a procedure whose result says that the keys are accepted.
        """
        from airflow_provider_retreaver.core.operations import Operation
        from airflow_provider_retreaver.resources.trackdrive.buyer_groups import list_buyer_groups

        listing = list_buyer_groups(columns="id", per_page=1)
        yield Operation(listing.request, lambda request, response: listing.read(request, response, listing.envelope))
        return "Connected to TrackDrive: its buyer groups can be read."


class TrackDriveHook(_TrackDriveConnection, ClientHook["TrackDriveSettings"]):
    """Calls TrackDrive through an Airflow connection.

    :param trackdrive_conn_id: id of a connection of type `trackdrive`: its login is the public key, its password the
        private key, its host the subdomain of the account; docs/connections.md lists the extras.
    """

    def __init__(self, trackdrive_conn_id: str = _TrackDriveConnection.default_conn_name) -> None:
        super().__init__()
        self.trackdrive_conn_id = trackdrive_conn_id


class TrackDriveAsyncHook(_TrackDriveConnection, AsyncClientHook["TrackDriveSettings"]):
    """Calls TrackDrive from a coroutine, in a trigger or an async task; a client belongs to one event loop.

    :param trackdrive_conn_id: see `TrackDriveHook`.
    """

    def __init__(self, trackdrive_conn_id: str = _TrackDriveConnection.default_conn_name) -> None:
        super().__init__()
        self.trackdrive_conn_id = trackdrive_conn_id
