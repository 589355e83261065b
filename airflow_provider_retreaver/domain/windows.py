"""The former import path of `airflow_provider_retreaver.windows`, kept for DAGs that use it."""

from airflow_provider_retreaver.domain.calls.time_window import split_window

__all__ = ["split_window"]
