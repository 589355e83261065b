"""The rules of talking to the vendor, without I/O and without Airflow."""
