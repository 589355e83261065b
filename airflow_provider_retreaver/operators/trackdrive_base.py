"""Base of the operators for TrackDrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.links import TrackDriveLink
from airflow_provider_retreaver.operators.base import DRY_RUN_FIELD, ApiOperator, DryRuns

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import BaseOperatorLink

    from airflow_provider_retreaver.hooks.trackdrive import TrackDriveHook


class TrackDriveOperator(ApiOperator):
    """Base of the operators.

    :param trackdrive_conn_id: ID of a connection of type `trackdrive`.
    """

    template_fields: tuple[str, ...] = ("trackdrive_conn_id",)
    ui_color = "#e8eef4"
    object_link = TrackDriveLink
    operator_extra_links: Collection[BaseOperatorLink] = (TrackDriveLink(),)

    def __init__(self, *, trackdrive_conn_id: str = "trackdrive_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trackdrive_conn_id = trackdrive_conn_id

    def create_hook(self) -> TrackDriveHook:
        """Return the hook of the connection."""
        from airflow_provider_retreaver.hooks.trackdrive import TrackDriveHook

        return TrackDriveHook(self.trackdrive_conn_id)


class TrackDriveWriteOperator(DryRuns, TrackDriveOperator):
    """Base of the operators that change something.

    :param dry_run: log and return the change, send nothing. The attribute and the template field have the same name,
        except on Airflow 2.11 (`dry_run_only`).
    :param trackdrive_conn_id: ID of a connection of type `trackdrive`.
    """

    template_fields: tuple[str, ...] = (*TrackDriveOperator.template_fields, DRY_RUN_FIELD)

    def __init__(
        self, *, dry_run: bool | str = False, trackdrive_conn_id: str = "trackdrive_default", **kwargs: Any
    ) -> None:
        super().__init__(trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        # By name: the attribute takes the place of Airflow's method.
        setattr(self, DRY_RUN_FIELD, dry_run)


def one_group_id(buyer_group_id: object) -> int:
    """Return which group is meant.

    :param buyer_group_id: parameter of the operator.
    :return: TrackDrive's ID.
    :raises InvalidArgument: when it is not one ID.
    """
    from airflow_provider_retreaver.core import parameters
    from airflow_provider_retreaver.core.errors import InvalidArgument
    from airflow_provider_retreaver.core.quoting import quoted
    from airflow_provider_retreaver.resources.trackdrive.checks import NOT_AN_ID

    found = parameters.ids(buyer_group_id, "buyer_group_id", NOT_AN_ID) or []
    if len(found) != 1:
        raise InvalidArgument(f"buyer_group_id must be one ID, not {quoted(buyer_group_id)}; map over several.")
    return found[0]
