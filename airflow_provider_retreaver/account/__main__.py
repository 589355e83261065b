"""Run `retreaver-account` as `python -m airflow_provider_retreaver.account`."""

from __future__ import annotations

import sys

from airflow_provider_retreaver.account.cli import main

if __name__ == "__main__":
    sys.exit(main())
