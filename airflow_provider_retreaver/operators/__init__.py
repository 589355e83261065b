"""Airflow operators: thin glue over the procedures of `domain`."""
