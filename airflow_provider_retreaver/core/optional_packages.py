"""The packages that only some work needs: each is asked for before the work begins, by the extra that brings it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, TypeAlias

from airflow_provider_retreaver.core.errors import InvalidArgument

OptionalPackage: TypeAlias = Literal["pyarrow", "pyiceberg", "sqlglot"]

#: The extra of `pyproject.toml` that brings a package.
EXTRAS: dict[OptionalPackage, str] = {"pyarrow": "parquet", "pyiceberg": "iceberg", "sqlglot": "warehouse"}


def require_package(name: OptionalPackage, use: str) -> None:
    """Refuse work whose package is not installed.

    :param name: of the package.
    :param use: what needs it, as the beginning of the sentence.
    :raises InvalidArgument: it is not installed; names the extra that brings it.
    """
    if find_spec(name) is None:
        raise InvalidArgument(
            f"{use} needs {name}: install airflow-provider-retreaver[{EXTRAS[name]}] where the task runs."
        )
