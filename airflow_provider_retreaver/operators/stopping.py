"""What ends a task that is told to stop, on both lines of Airflow.

`execution_timeout`, and SIGTERM on Airflow 2.11, raise an exception in the task's main thread. On Airflow 3, SIGTERM
("mark failed", a worker that shuts down) only calls `on_kill`, which raises one here; Airflow kills the process five
seconds later.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_retreaver.hooks.stopping import TaskStopped


class StopsOnKill:
    """Ends `execute` when Airflow calls `on_kill`."""

    _may_be_stopped = False

    @contextmanager
    def stopped_on_kill(self) -> Generator[None]:
        """End the block when Airflow calls `on_kill`.

        :yield: a context manager.
        :raises TaskStopped: when it was called.
        """
        self._may_be_stopped = True
        try:
            yield
        finally:
            self._may_be_stopped = False

    def on_kill(self) -> None:
        """End the task; called by Airflow's handler of SIGTERM, in the thread that runs `execute`.

        Also called after `execution_timeout`, when `execute` has ended already.

        :raises TaskStopped: on Airflow 3; the handler of Airflow 2.11 raises an exception of its own.
        """
        # Once: a second signal must not keep the task from noting what was done.
        stop, self._may_be_stopped = self._may_be_stopped, False
        if stop and AIRFLOW_V_3_0_PLUS:
            raise TaskStopped("The task was told to stop (SIGTERM).")
