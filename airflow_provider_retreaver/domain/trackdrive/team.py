"""Giving a team access to buyer groups, which sends invitations by e-mail and cannot be read back.

TrackDrive's reference: "PUT /api/v1/buyer_groups/:id", `generate_team`, `team_users_emails`, `team_offer_ids`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    ChangeRefused,
    InvalidArgument,
    OutcomeUnknown,
    ProtocolError,
    RetreaverError,
    Stopped,
)
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.domain.objects.key import ObjectKey
from airflow_provider_retreaver.domain.objects.reading import update_object
from airflow_provider_retreaver.domain.trackdrive.once import DoOnce, Planned
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import update_buyer_group
from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS
from airflow_provider_retreaver.resources.trackdrive.fields import TEAM


class SetTeam(DoOnce):
    """One run of invitations: each group is sent one request, and never a second one for the same run.

    :param group_ids: TrackDrive's IDs of the groups.
    :param attributes: some of `generate_team`, `team_users_emails` and `team_offer_ids`.
    :param limit: how many groups may be concerned; None for no limit.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before each request and after it.
    :param reload: reads the record again, after another attempt was at work.
    :param dry_run: only report what would be sent.
    :raises InvalidArgument: naming the attribute that is wrong.
    """

    turn_name = "team"

    def __init__(
        self,
        group_ids: Sequence[int],
        attributes: Mapping[str, object],
        *,
        limit: ChangeLimit | None = None,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        reload: Callable[[], Record] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(group_ids, limit=limit, record=record, save=save, reload=reload, dry_run=dry_run)
        others = [name for name in attributes if name not in TEAM]
        if others:
            raise InvalidArgument(
                f"What a team may do cannot be read back, and invitations are never sent twice: give "
                f"{', '.join(name for name in attributes if name in TEAM)} in a task without {others[0]}."
            )
        self._body = update_buyer_group(attributes, 1).request.body

    def plan(self, key: ObjectKey, row: Row) -> Sequence[FieldChange]:  # noqa: ARG002
        """Return the attributes; addresses only by their number."""
        if str(key) in self._record.plan:
            raise ChangeRefused(
                f"An earlier attempt of this run may have sent the invitations of {key}, which are not sent twice: "
                f"look at its team in TrackDrive, then start a new run if they are missing."
            )
        return [FieldChange(name, None, value) for name, value in BUYER_GROUPS.without_addresses(self._body).items()]

    def send(self, planned: Planned) -> Procedure[None]:
        """Send one request after the other."""
        for key, changes in planned.items():
            self.confirm_turn()
            self._record.plan[str(key)] = [one.as_json() for one in changes]
            self.save_record()
            try:
                yield update_object(key, self._body)
            except Stopped:
                raise
            except (OutcomeUnknown, ProtocolError) as error:
                self._report.fail(
                    key, ChangeRefused(f"{error} Invitations may have been sent, and are not sent again by this run.")
                )
            except RetreaverError as error:
                # It was refused, so that nobody was sent anything.
                self._record.plan.pop(str(key))
                if isinstance(error, RUN_ENDING):
                    self.save_record()
                    raise
                self._report.fail(key, error)
            else:
                self.done(key, changes)
            self.save_record()
