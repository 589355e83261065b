"""Airflow's cluster policy of `make ui`: no run starts by the clock, so that a run is what somebody has triggered.

A DAG that is unpaused would otherwise also run for its last interval, and reset the caps before the run that its user
triggers. DAGs that are scheduled on assets keep their schedule.
"""

from __future__ import annotations

from airflow.sdk import DAG
from airflow.sdk.definitions.timetables.assets import AssetTriggeredTimetable
from airflow.sdk.definitions.timetables.simple import NullTimetable


def dag_policy(dag: DAG) -> None:
    """Take away the schedule of a DAG.

    :param dag: as it was parsed.
    """
    if not isinstance(dag.timetable, AssetTriggeredTimetable):
        dag.timetable = NullTimetable()
