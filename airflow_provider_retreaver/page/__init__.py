"""The page about an account in Airflow's web interface; it only reads."""
