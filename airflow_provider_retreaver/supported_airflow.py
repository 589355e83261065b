"""Which Airflow the provider works with: importing this module is refused on any other one.

The packages of hooks, operators, sensors, triggers and transfers import it before anything else of Airflow, so that a
DAG file on an Airflow that is too old ends with this sentence and not with a name that cannot be imported.
"""

from __future__ import annotations

from airflow import __version__ as airflow_version
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from airflow_provider_retreaver import __version__

#: The same as the requirement of `apache-airflow` in `pyproject.toml`, which a test compares.
SUPPORTED = ">=2.11.1,!=3.0.*,!=3.1.0,!=3.1.1,!=3.1.2,!=3.1.3,!=3.1.4,!=3.1.5,<4"


def refuse_unsupported(version: str) -> None:
    """Refuse an Airflow that the provider does not support.

    A candidate counts as its release, and a distributor's build (`3.1.8+astro.1`) as the release it is made from.

    :param version: of Airflow, as it says itself.
    :raises RuntimeError: it is not supported; names it and what is.
    """
    if Version(version).base_version not in SpecifierSet(SUPPORTED):
        raise RuntimeError(
            f"This is Airflow {version}, which airflow-provider-retreaver {__version__} does not support: install "
            f"apache-airflow{SUPPORTED}, or a release of the provider that supports it."
        )


refuse_unsupported(airflow_version)
