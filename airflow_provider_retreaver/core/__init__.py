"""The rules of talking to the API, without I/O and without Airflow."""
