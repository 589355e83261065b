"""Airflow alone: what every task has imported before its operator begins."""

from __future__ import annotations

from benchmarks.programs.arguments import Task, task


def read(todo: Task) -> None:
    """Import what a task needs, and read nothing."""
    from airflow.sdk import DAG, BaseOperator

    assert issubclass(BaseOperator, object), DAG
    assert todo.url


if __name__ == "__main__":
    read(task())
