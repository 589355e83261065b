"""The vendor's two route sets.

`current` is what the vendor documents today, `legacy` what the older reference documents and the vendor calls
"no longer supported"; a connection chooses one by its extra `api_routes`.
"""

from __future__ import annotations

from dataclasses import dataclass

CURRENT, LEGACY = "current", "legacy"
CALLS_VERSIONS = ("v1", "v2", "v3", "v4", "v5")


@dataclass(frozen=True, slots=True)
class Routes:
    """Which edition of the routes a connection speaks.

    :param edition: `current` or `legacy`.
    :param calls_version: version of the call log under the current routes, `v1` … `v5`.
    """

    edition: str = CURRENT
    calls_version: str = "v2"

    @property
    def legacy(self) -> bool:
        """Whether the older routes are spoken."""
        return self.edition == LEGACY
