"""Triggers: the conditions of the sensors, and events for asset watchers, run by a triggerer's event loop."""

from airflow_provider_retreaver import supported_airflow as supported_airflow
