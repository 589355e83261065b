"""Apache Airflow provider for Retreaver, the call tracking and routing platform."""

__version__ = "0.2.0"
