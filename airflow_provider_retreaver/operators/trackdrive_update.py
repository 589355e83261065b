"""The operator that changes buyer groups of TrackDrive: attributes, buyers, resets, teams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import flag, is_given
from airflow_provider_retreaver.operators.caps import MAX_STALENESS, skip_if_stale
from airflow_provider_retreaver.operators.generic.creating import unremembered
from airflow_provider_retreaver.operators.run_base import ChangesRuns, Run, load_record, save_record
from airflow_provider_retreaver.operators.trackdrive_base import TrackDriveWriteOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.domain.changes.edit import ChangeSpec

Ids = int | str | Sequence[int | str]
# Parameters that say what is changed, one of which is needed.
OWN_IDS = ("add_user_buyer_ids", "remove_user_buyer_ids")
CHANGES = ("attributes", "add", "remove", *OWN_IDS, "replace")


class TrackDriveBuyerGroupUpdateOperator(ChangesRuns, TrackDriveWriteOperator):
    """Change buyer groups: read them, send what differs, read them back.

    Returns what the routing operators of Retreaver return: `{"changed": [{"kind", "id", "name", "field", "before",
    "after"}, …], "unchanged": […], "failed": […]}`, where the kind is `buyer group` and a dry run has `would_change`.
    When some fail, the others are still done, the result is still pushed, and the task fails naming those that
    failed. Each of these is a task of its own:

    * attributes (a limit is cleared by None or blank text) and single buyers, which are sent by the parameters that
      TrackDrive calls thread safe, or `replace`, which reads, compares and sends the whole list;
    * `reset_total_caps`: sets what the total caps have counted to 0, decided by the counts as Retreaver's reset is;
    * the attributes `generate_team`, `team_users_emails` and `team_offer_ids`: they cannot be read back, and the
      invitations that they send by e-mail are sent once in a run, never again after a lost answer.

    TrackDrive's reference: "PUT /api/v1/buyer_groups/:id"; see docs/trackdrive.md.

    :param buyer_group_ids: TrackDrive's own IDs of the groups, one or several; an empty list selects none.
    :param attributes: as they should be, e.g. `{"paused": True, "attempt_daily_limit": 40}`; others stay.
    :param add: TrackDrive's own IDs of buyers to add.
    :param remove: TrackDrive's own IDs of buyers to remove.
    :param add_user_buyer_ids: the customer's IDs of buyers to add.
    :param remove_user_buyer_ids: the customer's IDs of buyers to remove.
    :param replace: TrackDrive's own IDs of the buyers to have instead of all others; `[]` for none.
    :param reset_total_caps: set the counts of the total caps to 0, where they have counted something.
    :param max_staleness: of a reset: a run that was due longer ago is skipped; a timedelta or seconds, None for no
        limit.
    :param force: reset although the run is stale.
    :param max_changes: a number of groups (of memberships, where only buyers change), or a share (`0.1`, `"10%"`),
        above which nothing is sent; None for no limit.
    :param state_path: folder on object storage for what a run has done; None for Airflow's task state store.
    :param dry_run: read and return what would change; nothing is sent.
    :param trackdrive_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is invalid; nothing was sent.
    :raises ChangeRefused: when there would be more changes than `max_changes`; nothing was sent.
    :raises PartialFailure: when some groups could not be changed as requested.
    :raises RunUnderWay: of a reset or team, when another run holds the lease below `state_path` for long.
    """

    template_fields = (
        *TrackDriveWriteOperator.template_fields,
        *("buyer_group_ids", *CHANGES, "reset_total_caps", "force", "max_changes", "state_path"),
    )

    def __init__(
        self,
        *,
        buyer_group_ids: Ids,
        attributes: Mapping[str, object] | str | None = None,
        add: Ids | None = None,
        remove: Ids | None = None,
        add_user_buyer_ids: str | Sequence[str] | None = None,
        remove_user_buyer_ids: str | Sequence[str] | None = None,
        replace: Ids | None = None,
        reset_total_caps: bool | str = False,
        max_staleness: timedelta | float | None = MAX_STALENESS,
        force: bool | str = False,
        max_changes: float | str | None = None,
        state_path: str | None = None,
        dry_run: bool | str = False,
        trackdrive_conn_id: str = "trackdrive_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, trackdrive_conn_id=trackdrive_conn_id, **kwargs)
        self.buyer_group_ids = buyer_group_ids
        self.attributes = attributes
        self.add = add
        self.remove = remove
        self.add_user_buyer_ids = add_user_buyer_ids
        self.remove_user_buyer_ids = remove_user_buyer_ids
        self.replace = replace
        self.reset_total_caps = reset_total_caps
        self.max_staleness = max_staleness
        self.force = force
        self.max_changes = max_changes
        self.state_path = state_path

    def create_run(self, context: Context) -> Run:
        """Return the run: a reset, a team, or a change of what can be compared."""
        from airflow_provider_retreaver.resources.trackdrive.fields import RESET, TEAM

        reset = flag(self.reset_total_caps, RESET)
        attributes = parameters.mapping(self.attributes, "attributes")
        team = [name for name in TEAM if name in attributes]
        given = [name for name in CHANGES if is_given(getattr(self, name)) and getattr(self, name) != {}]
        if reset and given:
            raise InvalidArgument(
                f"A reset is no change that may be repeated: give reset_total_caps in a task without {given[0]}."
            )
        if team and given != ["attributes"]:
            raise InvalidArgument(f"{team[0]} cannot be read back: give it in a task without {given[1]}.")
        if reset:
            return self._reset(context)
        return self._team(context, attributes) if team else super().create_run(context)

    def change_spec(self, context: Context) -> ChangeSpec:  # noqa: ARG002
        """Return what is to be changed."""
        from airflow_provider_retreaver.domain.trackdrive.group_change import BuyerGroupChange, MemberChange

        if isinstance(self.replace, str) and not self.replace.strip():
            raise InvalidArgument("replace is blank text; give [] to remove all buyers, or leave it out.")
        add_own, remove_own = (parameters.texts(getattr(self, name), name) or () for name in OWN_IDS)
        members = MemberChange(self._ids("add") or (), self._ids("remove") or (), add_own, remove_own)
        attributes = parameters.mapping(self.attributes, "attributes")
        return BuyerGroupChange(self._groups(), attributes, members, self._ids("replace")).spec()

    def _ids(self, name: str) -> list[int] | None:
        from airflow_provider_retreaver.resources.trackdrive.checks import NOT_AN_ID

        return parameters.ids(getattr(self, name), name, NOT_AN_ID)

    def _groups(self) -> list[int]:
        groups = self._ids("buyer_group_ids")
        if groups is None:
            raise InvalidArgument("buyer_group_ids is None: give the IDs of the groups that are meant.")
        return groups

    def _reset(self, context: Context) -> Run:
        from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
        from airflow_provider_retreaver.domain.trackdrive.total_cap_reset import ResetTotalCaps

        groups, limit, dry_run = self._groups(), ChangeLimit.parse(self.max_changes), self.is_dry_run()
        if not (flag(self.force, "force") or dry_run):
            skip_if_stale(context, self.max_staleness)
        warning = (
            "a retry after a lost worker could reset a group twice and lose the calls in between; set state_path."
        )
        state = self.run_state(context, "reset_total_caps", warning=warning)
        load, save = load_record(state), save_record(state)
        return ResetTotalCaps(groups, limit=limit, record=load(), save=save, reload=load, dry_run=dry_run)

    def _team(self, context: Context, attributes: Mapping[str, object]) -> Run:
        from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
        from airflow_provider_retreaver.domain.trackdrive.team import SetTeam

        groups, limit, dry_run = self._groups(), ChangeLimit.parse(self.max_changes), self.is_dry_run()
        state = self.run_state(context, "team", warning=None)
        if self.retries and not (state.lasting or dry_run):
            raise unremembered("send the invitations again")
        load, save = load_record(state), save_record(state)
        return SetTeam(groups, attributes, limit=limit, record=load(), save=save, reload=load, dry_run=dry_run)
