"""Generic operators: list, get, create, update, upsert and delete the objects of every resource of Retreaver.

Each takes `resource="targets"` and the like; a verb that Retreaver does not have is refused by name before anything
is sent. Retreaver's reference: the chapter of each resource.
"""

from __future__ import annotations

from airflow_provider_retreaver.operators.generic.changing import RetreaverDeleteOperator, RetreaverUpdateOperator
from airflow_provider_retreaver.operators.generic.creating import RetreaverCreateOperator
from airflow_provider_retreaver.operators.generic.reading import RetreaverGetOperator, RetreaverListOperator
from airflow_provider_retreaver.operators.generic.upserting import RetreaverUpsertOperator

__all__ = [
    "RetreaverCreateOperator",
    "RetreaverDeleteOperator",
    "RetreaverGetOperator",
    "RetreaverListOperator",
    "RetreaverUpdateOperator",
    "RetreaverUpsertOperator",
]
