"""Prints the extra links of the task instances of all runs, as Airflow's own REST API returns them."""

from __future__ import annotations

import json
from importlib import import_module

import airflow


def main() -> None:
    """Ask the API of this AIRFLOW_HOME, in this process, and print JSON: links by task, with the map index."""
    version = "v1" if airflow.__version__.startswith("2.") else "v2"
    client = _client()
    found = {}
    for run in _get(client, f"/api/{version}/dags/~/dagRuns")["dag_runs"]:
        place = f"/api/{version}/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        for task in _get(client, place)["task_instances"]:
            links = _get(client, f"{place}/{task['task_id']}/links?map_index={task['map_index']}")
            name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"
            # Airflow 3 returns them with their number.
            found[name] = links.get("extra_links", links)
    print(f"links: {json.dumps(found)}")


def _client():
    if airflow.__version__.startswith("2."):
        # The web server reads DAGs from the database, where `dag.test()` of Airflow 2 does not write them.
        import_module("airflow.models.dagbag").DagBag().sync_to_db()
        return import_module("airflow.www.app").create_app({"AUTH_ROLE_PUBLIC": "Admin"}, testing=True).test_client()
    app = import_module("airflow.api_fastapi.app").create_app(apps="core")
    client = import_module("fastapi.testclient").TestClient(app)
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def _get(client, path):
    answer = client.get(path)
    assert answer.status_code < 300, (path, answer.text)
    return answer.get_json() if hasattr(answer, "get_json") else answer.json()


if __name__ == "__main__":
    main()
