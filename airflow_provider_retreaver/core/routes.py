"""The two sets of routes that Retreaver has.

`current` is what Retreaver documents today; `legacy` is what the older reference documents, which Retreaver calls "no
longer supported". The connection's extra `api_routes` selects one.
"""

from __future__ import annotations

from dataclasses import dataclass

CURRENT, LEGACY = "current", "legacy"
CALLS_VERSIONS = ("v1", "v2", "v3", "v4", "v5")


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes that a connection uses.

    :param edition: `current` or `legacy`.
    :param calls_version: version of the call log under the current routes, `v1` to `v5`.
    """

    edition: str = CURRENT
    calls_version: str = "v2"

    @property
    def legacy(self) -> bool:
        """Whether the legacy routes are used."""
        return self.edition == LEGACY
