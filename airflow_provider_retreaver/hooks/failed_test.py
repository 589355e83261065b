"""What the test of a connection says when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_retreaver.core.client_settings import ClientSettings
    from airflow_provider_retreaver.core.errors import RetreaverError


def failure_of_test(error: RetreaverError, conn_id: str, settings: ClientSettings | None = None) -> str:
    """Return what a test of a connection says about an error, without its ID.

    Airflow's web interface tests a copy of the connection under an ID that it makes up.

    :param error: of the one attempt.
    :param conn_id: of the connection that was tested.
    :param settings: of the connection; None where it could not be read.
    :return: a message; of an error that may pass it says that tasks try longer.
    """
    from airflow_provider_retreaver.core.client_settings import TEST_SECONDS
    from airflow_provider_retreaver.core.errors import ConnectionFailed, InvalidRequest, is_final
    from airflow_provider_retreaver.core.messages import Host
    from airflow_provider_retreaver.core.quoting import quoted
    from airflow_provider_retreaver.transport.probe import speaks_https

    url = settings.urls[Host.API] if settings is not None else ""
    unanswered = isinstance(error, InvalidRequest) or (isinstance(error, ConnectionFailed) and error.sent)
    if settings is not None and unanswered and url.startswith("http://") and speaks_https(url):
        return (
            "This connection: the server speaks https on this port, and http was spoken to "
            "it; write https:// before the host, or give the port of http."
        )
    longer = f" A test tries once, for {TEST_SECONDS:.0f} s at most; a task tries again and waits longer."
    told = f"{error}{'' if is_final(error) else longer}"
    name = quoted(conn_id)
    return told.replace(f"Connection {name}", "This connection").replace(f"connection {name}", "this connection")
