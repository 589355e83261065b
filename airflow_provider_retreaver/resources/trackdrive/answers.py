"""How TrackDrive's answers are read; beyond `root` and `metadata` their shapes are not documented."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from airflow_provider_retreaver.core.envelopes import Row, json_body, protocol_error, read_item, read_root
from airflow_provider_retreaver.core.errors import OutcomeUnknown, ProtocolError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.resources.trackdrive.times import check_created


def read_rows(root: str) -> Callable[[Request, Response, str], tuple[list[Row], int | None]]:
    """Return a reader of the pages of a list, with a root node and metadata or without.

    :param root: name of the root node, e.g. `buyer_groups`.
    :return: a function for `Listing.read`; see `read_root` and `check_created`.
    """

    def read(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
        rows, total = read_root(request, response, root)
        check_created(request, response, envelope, rows)
        return rows, total

    return read


def read_csv_rows(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    """Read a page of a list as CSV: every value is a text, blank ones are None.

    :param request: the request that was sent.
    :param response: its response.
    :param envelope: what a row is, for the error.
    :return: the rows, and None, since CSV does not contain the number of all rows.
    :raises ProtocolError: when it is no CSV with an `id`, a row has more or fewer values than its header, or one was
        not asked for.
    """
    try:
        text = response.body.decode("utf-8-sig")
        names, *lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line] or [[]]
    except (UnicodeDecodeError, csv.Error):
        names, lines = [], []
        text = "unreadable"
    if not names and not text.strip():
        return [], None
    if "id" not in names or len(set(names)) < len(names) or any(len(line) != len(names) for line in lines):
        raise protocol_error(request, response, f"is not CSV with one line for each {envelope} and a column 'id'")
    rows: list[Row] = [{name: value or None for name, value in zip(names, line, strict=True)} for line in lines]
    check_created(request, response, envelope, rows)
    return rows, None


def read_created(envelope: str) -> Callable[[Request, Response], Row]:
    """Return a reader of the answer to a create, which has been accepted whatever the answer holds.

    :param envelope: name that may wrap the object, e.g. `buyer_group`.
    :return: a function for `Operation.read`; it raises `OutcomeUnknown` where the answer holds no object.
    """
    read = read_item(envelope)

    def read_object(request: Request, response: Response) -> Row:
        problem: ProtocolError
        try:
            return read(request, response)
        except ProtocolError as error:
            problem = error
        raise OutcomeUnknown(
            f"{request.label} was accepted, but which object was made is not known: {problem.message}",
            method=request.method,
            path=request.path,
        )

    return read_object


def read_changed(envelope: str) -> Callable[[Request, Response], Row]:
    """Return a reader of the answer to a change, whose contents are not documented.

    :param envelope: name that may wrap the object, e.g. `buyer_group`.
    :return: a function for `Operation.read`; its result is the object, empty where the answer is JSON without one.
    """
    read = read_item(envelope)

    def read_object(request: Request, response: Response) -> Row:
        if response.status == 204 or not response.body.strip():
            return {}
        body = json_body(request, response)
        wrapped = isinstance(body, dict) and isinstance(body.get(envelope), dict)
        return read(request, response) if wrapped or (isinstance(body, dict) and "id" in body) else {}

    return read_object
