"""Whether a port speaks https, asked when a test of a connection got no answer over http.

A server of https may close a connection over which http is spoken without a word, or refuse the request in its own
words. Only a handshake tells for certain.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from urllib.parse import urlsplit

# Seconds for the handshake: somebody waits for the test.
PROBE_SECONDS = 1.0


def speaks_https(url: str) -> bool:
    """Return whether a server answers a handshake of TLS; nothing else is sent.

    :param url: an http base URL, with the port if it has one.
    :return: False also when there is no answer in time.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context()
    # Whose certificate it is does not matter here: nothing is sent to it.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 80), PROBE_SECONDS) as connection,
            closing(context.wrap_socket(connection, server_hostname=parts.hostname)) as secured,
        ):
            return secured.version() is not None
    except (OSError, ValueError):
        return False
