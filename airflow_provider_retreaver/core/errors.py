"""Every error that this package raises, as a tree.

::

    RetreaverError
    ├── InvalidArgument        refused here, before anything was sent (also a ValueError)
    │   └── InvalidConnection  a field of the Airflow connection
    ├── ChangeRefused          refused here, by a guard or because something would be lost; nothing was sent
    ├── RunUnderWay            another run changes the same objects; a retry starts when it has ended
    ├── VendorError            the server answered with an error
    │   ├── AuthenticationError  401
    │   ├── PermissionDenied     403
    │   ├── NotFound             404
    │   ├── Gone                 410
    │   ├── InvalidRequest       400, 405, 406, 418, 422 and other 4xx
    │   ├── RateLimited          429
    │   └── Unavailable          5xx
    ├── ConnectionFailed       no response: refused, timed out, broken off
    ├── OutcomeUnknown         a write whose response was lost: it may have happened
    ├── Stopped                the task was told to stop before the request was completed
    ├── ProtocolError          a response that is not as documented
    ├── ListingIncomplete      a list that could not be read completely
    ├── ExportFailed           an export job of Retreaver's that ended without its file, or not in time
    ├── TableNotWritten        a database that did not accept calls
    ├── StorageFailed          an object storage that did not accept a file
    └── PartialFailure         some of several changes were made, some not
"""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.core.quoting import message_line


class RetreaverError(Exception):
    """Base of all errors of this package.

    :param message: one sentence: what was wrong, where, what to do; it becomes one printable line without secrets.
    :param method: HTTP method of the request concerned.
    :param path: its path, without query.
    """

    def __init__(self, message: str, *, method: str | None = None, path: str | None = None) -> None:
        message = message_line(message)
        super().__init__(message)
        self.message = message
        self.method = method
        self.path = path

    def __str__(self) -> str:
        return self.message


class InvalidArgument(RetreaverError, ValueError):
    """A parameter that is invalid; nothing was sent."""


class InvalidConnection(InvalidArgument):
    """A field of the Airflow connection that is invalid; nothing was sent."""


class ChangeRefused(RetreaverError):
    """A change that a guard refuses, or that cannot be sent without losing something; nothing was sent."""


class RunUnderWay(RetreaverError):
    """Another run is at work on the same objects, or has taken over; a retry starts when it has ended.

    :param message: see `RetreaverError`.
    :param holder: who is at work.
    """

    def __init__(self, message: str, *, holder: str = "another run") -> None:
        super().__init__(message)
        self.holder = message_line(holder)


class VendorError(RetreaverError):
    """The server answered with an error.

    :param message: see `RetreaverError`.
    :param method: see `RetreaverError`.
    :param path: see `RetreaverError`.
    :param status: HTTP status.
    :param retry_after: seconds that the server asked to wait, if it did.
    :param details: the server's own messages, if the response had some.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        details: Any = None,
    ) -> None:
        super().__init__(message, method=method, path=path)
        self.status = status
        self.retry_after = retry_after
        self.details = details


class AuthenticationError(VendorError):
    """401: the key is wrong, missing or was reset."""


class PermissionDenied(VendorError):
    """403: the company is missing or not this key's, or a caller-list key lacks a permission."""


class NotFound(VendorError):
    """404: the object does not exist in this company."""


class Gone(VendorError):
    """410: the object was deleted, or the route no longer exists."""


class InvalidRequest(VendorError):
    """400, 405, 406, 422 …: the server refused the request."""


class RateLimited(VendorError):
    """429: too many requests, even after all the waiting that the retry policy allows."""


class Unavailable(VendorError):
    """5xx: the server failed for longer than the retry policy waits."""


class ConnectionFailed(RetreaverError):
    """No response was received.

    :param message: see `RetreaverError`.
    :param method: see `RetreaverError`.
    :param path: see `RetreaverError`.
    :param sent: False when the connection was never made, so that nothing can have happened.
    :param final: True when a retry cannot help (a certificate that is not accepted).
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        sent: bool = True,
        final: bool = False,
    ) -> None:
        super().__init__(message, method=method, path=path)
        self.sent = sent
        self.final = final


class OutcomeUnknown(RetreaverError):
    """A write whose response was lost: read the object before sending it again."""


class Stopped(RetreaverError):
    """The task was told to stop before the request was completed."""


# Errors after which a run of several changes notes what was done and sends nothing more.
RUN_ENDING = (AuthenticationError, PermissionDenied, Stopped)


class ProtocolError(RetreaverError):
    """The response is not JSON, or not in the documented envelope.

    :param message: see `RetreaverError`.
    :param method: see `RetreaverError`.
    :param path: see `RetreaverError`.
    :param status: HTTP status of the response.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, method=method, path=path)
        self.status = status


class ListingIncomplete(RetreaverError):
    """A list that could not be read completely: the rows read so far are not the whole list."""


class ExportFailed(RetreaverError):
    """An export job of Retreaver's that ended without a whole file, or did not end in time."""


class TableNotWritten(RetreaverError):
    """A database that did not accept a batch of calls, which was rolled back.

    :param message: see `RetreaverError`.
    :param uuid: uuid of the call that was not accepted, if known; no retry mends what a table cannot hold.
    :param column: column that cannot hold the call's value, if known.
    """

    def __init__(self, message: str, *, uuid: str | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.uuid = uuid
        self.column = column

    @property
    def final(self) -> bool:
        """Whether a retry cannot help."""
        return self.uuid is not None


class StorageFailed(RetreaverError):
    """An object storage that did not accept a file; no partial file was left in its place."""


class PartialFailure(RetreaverError):
    """Some of several changes were made and some were not.

    :param message: see `RetreaverError`.
    :param result: what was done and what was not, as the operator would have returned it.
    :param final: True when each of the failures is one that no retry mends.
    """

    def __init__(self, message: str, *, result: dict[str, Any] | None = None, final: bool = False) -> None:
        super().__init__(message)
        self.result = result if result is not None else {}
        self.final = final


_FINAL = (InvalidArgument, ChangeRefused, AuthenticationError, PermissionDenied, NotFound, Gone)


def is_final(error: BaseException) -> bool:
    """Return whether an error stays the same however often the same is tried.

    :param error: any error; of those of other packages nothing is known.
    :return: True when no retry mends it.
    """
    return isinstance(error, _FINAL) or (
        isinstance(error, (ConnectionFailed, PartialFailure, TableNotWritten)) and error.final
    )
