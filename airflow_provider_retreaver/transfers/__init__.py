"""Calls and recordings from Retreaver to object storage and to databases."""

from airflow_provider_retreaver import supported_airflow as supported_airflow
