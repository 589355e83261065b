"""Everything that is wrong with files, each with its place."""

from __future__ import annotations

from airflow_provider_retreaver.account.nodes import Place
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import one_line

MAX_PROBLEMS = 10


class Problems:
    """Everything that is wrong with files, so that one run names it all."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, place: Place, key: str, problem: str) -> None:
        """Note a problem.

        :param place: where it is.
        :param key: that it is about.
        :param problem: what is wrong and what to do.
        """
        at = f"{one_line(key, numbers=False)}: " if key else ""
        self._lines[f"{place}: {at}{problem.rstrip('.')}"] = None

    def refuse(self) -> None:
        """Raise an error when there is a problem.

        :raises InvalidArgument: naming every place.
        """
        if self._lines:
            lines = list(self._lines)
            more = f"; and {len(lines) - MAX_PROBLEMS} more" if len(lines) > MAX_PROBLEMS else ""
            text = f"{'; '.join(lines[:MAX_PROBLEMS])}{more}"
            raise InvalidArgument(text if text.endswith("?") else f"{text}.")
