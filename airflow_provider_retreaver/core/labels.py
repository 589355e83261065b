"""What the connection forms call Airflow's own fields; errors use the same words."""

from __future__ import annotations

from typing import Final

RETREAVER: Final = {"login": "Company ID", "password": "API key", "host": "Base URL", "port": "Port"}
TRACKDRIVE: Final = {"login": "Public key", "password": "Private key", "host": "Subdomain or URL", "port": "Port"}
