"""Airflow hooks: a connection, and a client made from it."""

from airflow_provider_retreaver import supported_airflow as supported_airflow
