"""Windows of time for DAG authors: `split_window` divides one into parts for mapped tasks."""

from __future__ import annotations

from airflow_provider_retreaver.domain.calls.time_window import split_window

__all__ = ["split_window"]
