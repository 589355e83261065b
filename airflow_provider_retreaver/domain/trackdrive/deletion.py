"""Deleting a buyer group: read it, delete it, read that it is gone.

TrackDrive's reference: "DELETE /api/v1/buyer_groups/:id".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NoReturn, NotRequired, cast

from airflow_provider_retreaver.core.errors import (
    RUN_ENDING,
    AuthenticationError,
    Gone,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RetreaverError,
    Stopped,
)
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.domain.changes.change_run import ChangeRun
from airflow_provider_retreaver.domain.changes.differences import FieldChange
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.changes.report import ChangeResult
from airflow_provider_retreaver.domain.objects.key import buyer_group_key
from airflow_provider_retreaver.domain.objects.reading import find_buyer_groups
from airflow_provider_retreaver.domain.resources.result import Action
from airflow_provider_retreaver.resources.trackdrive.buyer_groups import delete_buyer_group

log = logging.getLogger(__name__)

DELETED = FieldChange("deleted", before=False, after=True)


class DeleteResult(ChangeResult):
    """The result of a deletion: that of every run of changes, and what became of the one group.

    `gone` says whether the group was read as gone; `already_gone` that it was so before this attempt sent anything.
    """

    id: NotRequired[int]
    customer_id: NotRequired[None]
    action: NotRequired[Action]
    gone: NotRequired[bool]
    already_gone: NotRequired[bool]


class DeleteGroup(ChangeRun):
    """One run that deletes a group: a request before, the delete, and a request after.

    :param group_id: TrackDrive's ID of the group.
    :param missing_ok: a group that does not exist is success.
    :param record: what earlier attempts of the same run did; None for nothing.
    :param save: saves the record; called before the delete is sent.
    :param dry_run: only read the group.
    """

    def __init__(
        self,
        group_id: int,
        *,
        missing_ok: bool = True,
        record: Record | None = None,
        save: Callable[[Record], None] | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(record=record, save=save, dry_run=dry_run)
        self._key = buyer_group_key(group_id)
        self._missing_ok = missing_ok
        self._outcome: dict[str, object] = {}

    def result(self) -> DeleteResult:
        """Return what was done until now.

        :return: plain JSON.
        """
        return cast("DeleteResult", {**self._outcome, **super().result()})

    def procedure(self) -> Procedure[DeleteResult]:
        """Read the group, delete it, and read it again.

        :return: the result; it has `failed` where the delete was accepted and the group is not read as gone.
        :raises NotFound: when there is no such group, and neither `missing_ok` is set nor did an earlier attempt of
            the same run send the delete.
        :raises RetreaverError: when the group cannot be read, or the delete failed and the group is there still.
        """
        error = yield from self._read()
        if _is_gone(error):
            self._already_gone(error)
        elif error is not None:
            self._fail(error)
        elif self._dry_run:
            self._end("would_delete", gone=False)
            self._report.would_change(self._key, [DELETED])
        else:
            yield from self._delete()
        return self.result()

    def _read(self) -> Procedure[RetreaverError | None]:
        """Read the group; return why it could not be read, or None."""
        found = yield from find_buyer_groups([int(self._key.label)])
        self._rows.update(found.rows)
        return found.errors.get(self._key)

    def _already_gone(self, error: RetreaverError | None) -> None:
        planned = str(self._key) in self._record.plan
        if error is not None and not (planned or self._missing_ok):
            self._fail(error)
        if planned:
            log.info("The %s is already gone: an earlier attempt of this run sent its delete.", self._key)
            self._report.changed(self._key, [DELETED])
        else:
            log.info("The %s is already gone; nothing was sent.", self._key)
            self._report.unchanged(self._key)
        self._end("deleted" if planned else "missing", gone=True, already=True)

    def _delete(self) -> Procedure[None]:
        self._record.plan[str(self._key)] = [DELETED.as_json()]
        self.save_record()
        failure: RetreaverError | None = None
        try:
            yield delete_buyer_group(self._key.label)
        except (NotFound, Gone):
            log.info("The %s was there when it was read, and is gone.", self._key)
        except Stopped:
            raise
        except RetreaverError as error:
            failure = error
            if isinstance(error, (InvalidRequest, AuthenticationError, PermissionDenied)):
                # It was refused: what a later attempt finds gone was not deleted by this run.
                self._record.plan.pop(str(self._key))
                self.save_record()
            if isinstance(error, RUN_ENDING):
                raise
        yield from self._read_back(failure)

    def _read_back(self, failure: RetreaverError | None) -> Procedure[None]:
        try:
            error = yield from self._read()
        except RUN_ENDING:
            if failure is None:
                # It was accepted, and the run ends here.
                self._end("deleted")
                self._report.changed(self._key, [DELETED])
            raise
        if _is_gone(error):
            if failure is not None:
                log.warning("%s The %s is gone.", failure, self._key)
            self._end("deleted", gone=True, already=False)
            self._report.changed(self._key, [DELETED])
        elif failure is not None:
            self._fail(failure)
        elif error is not None:
            self._report.fail(self._key, f"Its delete was accepted, but it could not be read back: {error}")
        else:
            self._report.fail(self._key, "Its delete was accepted, but TrackDrive returns it still.")

    def _fail(self, error: RetreaverError) -> NoReturn:
        self._report.fail(self._key, error)
        raise error

    def _end(self, action: Action, *, gone: bool | None = None, already: bool | None = None) -> None:
        known = {"gone": gone, "already_gone": already}
        self._outcome = {"id": int(self._key.label), "customer_id": None, "action": action}
        self._outcome |= {name: value for name, value in known.items() if value is not None}


def _is_gone(error: RetreaverError | None) -> bool:
    return isinstance(error, (NotFound, Gone))
