"""Sensors."""

from airflow_provider_retreaver import supported_airflow as supported_airflow
