"""Airflow operators: thin glue over the procedures of `domain`."""

from airflow_provider_retreaver import supported_airflow as supported_airflow
