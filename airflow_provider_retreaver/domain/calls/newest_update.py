"""The newest update in a window of calls, up to which an incremental export reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_retreaver.core.client_settings import ClientSettings
from airflow_provider_retreaver.core.errors import ProtocolError
from airflow_provider_retreaver.core.operations import ClockReading, Procedure, ServerTime
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.calls.fields import call_time
from airflow_provider_retreaver.domain.calls.first_pages import calls_of
from airflow_provider_retreaver.domain.calls.page import RawPage
from airflow_provider_retreaver.domain.calls.page_scan import page_operation
from airflow_provider_retreaver.domain.calls.window import CallWindow

# How far clocks may differ.
LATEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NewestUpdate:
    """What one request shows of a window's calls.

    :param time: the newest `updated_at`.
    :param calls: about how many calls there are.
    """

    time: datetime
    calls: int


def newest_update(settings: ClientSettings, window: CallWindow) -> Procedure[NewestUpdate | None]:
    """Find the newest `updated_at` of a window's calls, with one request.

    `sort_by=updated_at` is newest first whatever `order` says (Retreaver's reference: "Calls").

    :param settings: of the connection.
    :param window: which calls.
    :return: what was found, None when the window has no calls.
    :raises ProtocolError: when the call's time has no offset, or lies in the future.
    """
    request, _ = window.request(settings)
    page: RawPage = yield page_operation(request.with_query(sort_by="updated_at", order=None, per_page="1"), 1)
    if not page.keys or page.keys[0].updated_at is None:
        return None
    newest = page.keys[0]
    time = call_time(page.keys[0].updated_at, "updated_at", newest.uuid)
    clock: ClockReading = yield ServerTime()
    if time > clock.server_time + LATEST:
        # As a cursor it would skip all updates until then.
        raise ProtocolError(
            f"Call {one_line(newest.uuid)} has an updated_at ({time.isoformat()}) in the future; report the call to "
            f"Retreaver."
        )
    return NewestUpdate(time, calls_of(page))
