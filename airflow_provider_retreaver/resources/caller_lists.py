"""Caller lists of a target or a campaign (Retreaver's reference: "Caller Lists").

They are reached with a postback key of type "Caller List Management" (extras `caller_list_key` and
`caller_list_secret`), not with the API key. A list whose name begins with `suppressed` blocks its callers, one that
begins with `accepted` lets only its callers through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypedDict, TypeVar, cast, get_args

from airflow_provider_retreaver.core import parameters, phone_parameters
from airflow_provider_retreaver.core.envelopes import json_body, protocol_error, read_nothing
from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.messages import Auth, Request, Response, segment
from airflow_provider_retreaver.core.operations import Listing, Operation, Row
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources import checks
from airflow_provider_retreaver.resources.resource import Id

# A list whose name begins so blocks every caller who is not on it.
ACCEPT_PREFIX = "accepted"
UploadAction = Literal["create", "delete"]
UPLOAD_ACTIONS: tuple[UploadAction, ...] = get_args(UploadAction)
ObjectT = TypeVar("ObjectT")


class CallerList(TypedDict, total=False):
    """A caller list as Retreaver sends it."""

    name: str
    caller_listable_type: str
    caller_listable_id: int


class CallerListNumber(TypedDict, total=False):
    """One number on a caller list."""

    number: str
    created_at: str


class CallerListUpload(TypedDict, total=False):
    """An upload as Retreaver takes it; it is applied after the answer.

    The URL of the file is left out: whoever has it can read the list.
    """

    status: str
    created_at: str
    error_messages: object
    action: str
    clear_before_upload: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """The target or campaign that caller lists belong to; lists of one name on both are independent.

    :param target_id: Retreaver's own ID of a target, or
    :param campaign_id: of a campaign; exactly one of the two is given.
    """

    target_id: Id | None = None
    campaign_id: Id | None = None

    @property
    def path(self) -> str:
        """Path of its caller lists.

        :raises InvalidArgument: when none or both are given.
        """
        if (self.target_id is None) == (self.campaign_id is None):
            raise InvalidArgument("A caller list belongs to a target_id or to a campaign_id: exactly one of the two.")
        if self.campaign_id is None:
            return f"/api/v2/targets/{segment(self.target_id, 'target_id')}/caller_lists"
        return f"/api/v2/campaigns/{segment(self.campaign_id, 'campaign_id')}/caller_lists"

    def list_path(self, name: str, rest: str = "") -> str:
        """Return the path of one of its caller lists.

        :param name: of the list.
        :param rest: what follows the name in the path.
        :return: the path.
        """
        return f"{self.path}/{segment(name, 'caller list name')}{rest}.json"

    def number_path(self, name: str, number: str) -> str:
        """Return the path of one number of a caller list.

        :param name: of the list.
        :param number: E.164.
        :return: the path.
        """
        return self.list_path(name, f"/caller_list_numbers/{segment(phone_parameters.phone(number), 'number')}")


def blocks_unlisted_callers(name: str) -> bool:
    """Return whether a list of this name lets only its own callers through (`accepted…`).

    :param name: of the caller list; space around it and the case of its letters do not matter.
    :return: True when creating the list blocks every caller who is not on it.
    """
    return name.strip().lower().startswith(ACCEPT_PREFIX)


def create_caller_list(owner: Owner, name: str) -> Operation[CallerList]:
    """Create a caller list.

    :param owner: the target or campaign that the list belongs to.
    :param name: its beginning decides what the list does, see `blocks_unlisted_callers`; it is sent stripped.
    :return: a `CallerList`, or `{}` where Retreaver answers without one.
    """
    segment(name, "caller list name")
    body = {"caller_list": {"name": str(name).strip()}}
    return Operation(_request("POST", f"{owner.path}.json", body), _reader(CallerList, "caller_list"))


def get_caller_list(owner: Owner, name: str) -> Operation[CallerList]:
    """Get a caller list.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :return: a `CallerList`.
    """
    return Operation(_request("GET", owner.list_path(name)), _reader(CallerList, "caller_list", "name"))


def delete_caller_list(owner: Owner, name: str) -> Operation[None]:
    """Delete a caller list with its numbers.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :return: an operation without a result.
    """
    return Operation(_request("DELETE", owner.list_path(name)), read_nothing)


def list_caller_list_numbers(owner: Owner, name: str) -> Listing:
    """List the numbers of a caller list, newest first.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :return: a listing of `CallerListNumber` rows; its count is Retreaver's own `Total`.
    """
    request = _request("GET", owner.list_path(name, "/caller_list_numbers"))
    return Listing(request, "caller_list_number", key="number", page_size=None, read=_read_numbers)


def add_caller_list_number(owner: Owner, name: str, number: str) -> Operation[CallerListNumber]:
    """Put one number on a caller list.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :param number: E.164.
    :return: a `CallerListNumber`, or `{}` where Retreaver answers without one.
    """
    body = {"caller_list_number": {"number": phone_parameters.phone(number)}}
    request = _request("POST", owner.list_path(name, "/caller_list_numbers"), body)
    return Operation(request, _reader(CallerListNumber, "caller_list_number"))


def get_caller_list_number(owner: Owner, name: str, number: str) -> Operation[None]:
    """Check that a number is on a caller list; the operation raises `NotFound` when it is not.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :param number: E.164.
    :return: an operation without a result.
    """
    return Operation(_request("GET", owner.number_path(name, number)), read_nothing)


def remove_caller_list_number(owner: Owner, name: str, number: str) -> Operation[None]:
    """Take one number off a caller list.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :param number: E.164.
    :return: an operation without a result.
    """
    return Operation(_request("DELETE", owner.number_path(name, number)), read_nothing)


def check_caller_list(owner: Owner, name: str, number: str) -> Operation[bool]:
    """Check whether a number is on a caller list.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :param number: E.164.
    :return: an operation whose result is True when it is.
    """
    body = {"caller_list_check": {"number": phone_parameters.phone(number)}}
    return Operation(_request("POST", owner.list_path(name, "/caller_list_checks"), body), _read_check)


def upload_caller_list(
    owner: Owner, name: str, numbers: Iterable[str], *, action: UploadAction, clear_before_upload: bool = False
) -> Operation[CallerListUpload]:
    """Upload numbers to a caller list; Retreaver applies them after its answer.

    There is no documented way to read the state of an upload: count the list, or check numbers.

    :param owner: the target or campaign that the list belongs to.
    :param name: of the list.
    :param numbers: E.164.
    :param action: `create` puts them on the list, `delete` takes them off.
    :param clear_before_upload: empties the list first, so it is empty for a short time.
    :return: a `CallerListUpload`, without the URL of the file.
    """
    upload = {
        "numbers": "\n".join(phone_parameters.phone(number, "numbers") for number in numbers),
        "action": parameters.one_of(action, UPLOAD_ACTIONS, "action"),
        "clear_before_upload": checks.truth(clear_before_upload, "clear_before_upload"),
    }
    request = _request("POST", owner.list_path(name, "/caller_list_uploads"), {"caller_list_upload": upload})
    return Operation(request, _read_upload)


def _request(method: str, path: str, body: Row | None = None) -> Request:
    return Request(method, path, body=body, auth=Auth.CALLER_LIST)


def _reader(kind: type[ObjectT], envelope: str, field: str | None = None) -> Callable[[Request, Response], ObjectT]:  # noqa: ARG001
    """Return a reader for an object with a field that it must have; without one, for an undocumented body."""

    def read(request: Request, response: Response) -> ObjectT:
        row = (
            _read_if_any(request, response, envelope) if field is None else _read(request, response, envelope, field)
        )
        return cast("ObjectT", row)

    return read


def _read_if_any(request: Request, response: Response, envelope: str) -> Row:
    body = json_body(request, response) if response.body.strip() else {}
    inner = body.get(envelope, body) if isinstance(body, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _read(request: Request, response: Response, envelope: str, field: str) -> Row:
    body = json_body(request, response)
    inner = body.get(envelope, body) if isinstance(body, dict) else None
    if not isinstance(inner, dict) or field not in inner:
        raise protocol_error(request, response, f"holds no {envelope!r} object with {quoted(field)}")
    return inner


def _read_numbers(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    body = json_body(request, response)
    rows = [row.get(envelope, row) for row in body if isinstance(row, dict)] if isinstance(body, list) else []
    if not isinstance(body, list) or len(rows) < len(body) or not all("number" in row for row in rows):
        raise protocol_error(request, response, f"is not an array of {envelope!r} objects with 'number'")
    return rows, None


def _read_check(request: Request, response: Response) -> bool:
    status = _read(request, response, "caller_list_check", "status")["status"]
    if status not in {"present", "not-present"}:
        raise protocol_error(request, response, "holds a 'status' that is neither present nor not-present")
    return bool(status == "present")


def _read_upload(request: Request, response: Response) -> CallerListUpload:
    upload = _read(request, response, "caller_list_upload", "status")
    return cast("CallerListUpload", {name: value for name, value in upload.items() if name != "csv_file_url"})
