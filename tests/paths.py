"""Where the project's own files are."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLE_DAGS = PROJECT / "example_dags"
