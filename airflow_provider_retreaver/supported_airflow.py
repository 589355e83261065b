"""Which Airflow the provider works with: importing this module is refused on any other one.

The packages of hooks, operators, sensors, triggers and transfers import it before anything else of Airflow, so that a
DAG file on an Airflow that is too old ends with this sentence and not with a name that cannot be imported.
"""

from __future__ import annotations

from airflow import __version__ as airflow_version
from packaging.version import Version

from airflow_provider_retreaver import __version__

# From the first of each pair on, and before the second. A test compares them with the requirement of `apache-airflow`
# in `pyproject.toml`; reading such a requirement here would be a tenth of what importing all operators costs.
RANGES = (("2.11.1", "3"), ("3.1.6", "4"))


def refuse_unsupported(version: str) -> None:
    """Refuse an Airflow that the provider does not support.

    A candidate counts as its release, and a distributor's build (`3.1.8+astro.1`) as the release it is made from.

    :param version: of Airflow, as it says itself.
    :raises RuntimeError: it is not supported; names it and what is.
    """
    release = Version(Version(version).base_version)
    if not any(Version(first) <= release < Version(end) for first, end in RANGES):
        supported = " or ".join(f"from {first} on and before {end}" for first, end in RANGES)
        raise RuntimeError(
            f"This is Airflow {version}, which airflow-provider-retreaver {__version__} does not support: install "
            f"apache-airflow {supported}, or a release of the provider that supports it."
        )


refuse_unsupported(airflow_version)
