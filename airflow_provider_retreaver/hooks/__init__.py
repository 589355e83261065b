"""Airflow hooks: a connection, and a client made from it."""
