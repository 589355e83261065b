"""The plugin of Airflow's api-server."""
