"""The base of operators that load what manifests of exports list."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_retreaver.links import FileLink, note_file
from airflow_provider_retreaver.operators.base import final_errors
from airflow_provider_retreaver.operators.boundary import TaskBoundary
from airflow_provider_retreaver.operators.stopping import StopsOnKill

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.transfers.manifests import Manifest


class ManifestOperator(StopsOnKill, BaseOperator):
    """Load manifests; a class of its own says where to.

    :param manifest: path of a manifest, or a list of several; None (an export without calls) is left out.
    :param allow_incomplete: load also an export that could not be proved complete, instead of failing.
    """

    ui_color = "#e8f4ea"
    operator_extra_links = (FileLink(),)

    def __init__(
        self,
        *,
        manifest: str | Sequence[str | None] | None,
        allow_incomplete: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest = manifest
        self.allow_incomplete = allow_incomplete

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the manifests."""
        with TaskBoundary(self._bounds(), self.log):
            return self.load(context)

    @contextmanager
    def _bounds(self) -> Generator[None]:
        with self.stopped_on_kill(), final_errors():
            yield

    @abstractmethod
    def load(self, context: Context) -> dict[str, Any]:
        """Load the manifests.

        :param context: of the task.
        :return: result of the task.
        """

    def read_manifests(self, context: Context) -> list[Manifest]:
        """Read the manifests, and link the last one in Airflow's interface.

        :param context: of the task.
        :return: the manifests, in order.
        :raises InvalidArgument: for one that is gone, damaged or of another kind.
        """
        from airflow_provider_retreaver.transfers.merge_statements import read_manifests

        manifests = read_manifests(self.manifest, allow_incomplete=self.allow_incomplete)
        if manifests:
            note_file(context, None, manifests[-1].path)
        return manifests
