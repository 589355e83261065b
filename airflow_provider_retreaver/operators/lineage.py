"""What OpenLineage is told about a task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_retreaver.operators.base import RetreaverOperator


def lineage_of(operator: RetreaverOperator) -> OperatorLineage[Any, Any]:
    """Return what an operator itself has read and written, with the inlets and outlets that OpenLineage knows.

    Called by OpenLineage, so it is there.

    :param operator: after its `execute`.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    read, wrote = operator.lineage_datasets()
    convert = ExtractorManager.convert_to_ol_dataset
    return OperatorLineage(
        inputs=_each_once([*read, *map(convert, operator.inlets)]),
        outputs=_each_once([*wrote, *map(convert, operator.outlets)]),
    )


def _each_once(datasets: Iterable[Dataset | None]) -> list[Dataset]:
    found: dict[tuple[str, str], Dataset] = {}
    for dataset in datasets:
        if dataset is not None:
            found.setdefault((dataset.namespace, dataset.name), dataset)
    return list(found.values())
