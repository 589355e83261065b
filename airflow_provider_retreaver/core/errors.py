"""Every error that this package raises, as a tree.

::

    RetreaverError
    ├── InvalidArgument        refused here, before anything was sent (also a ValueError)
    │   └── InvalidConnection  a field of the Airflow connection
    ├── ChangeRefused          refused here by a guard or because it would lose something; it was not sent
    ├── VendorError            the vendor answered, and not with success
    │   ├── AuthenticationError  401
    │   ├── PermissionDenied     403
    │   ├── NotFound             404
    │   ├── Gone                 410
    │   ├── InvalidRequest       400, 405, 406, 418, 422 and other 4xx
    │   ├── RateLimited          429
    │   └── Unavailable          5xx
    ├── ConnectionFailed       no answer: refused, timed out, broken off
    ├── OutcomeUnknown         a write whose answer was lost: it may have happened
    ├── ProtocolError          an answer that is not what the documents promise
    ├── ListingIncomplete      a list that could not be read to its end
    ├── TableNotWritten        a database that did not take calls
    ├── StorageFailed          an object storage that did not take a file
    └── PartialFailure         some of several were done, some not
"""

from __future__ import annotations

from typing import Any

from airflow_provider_retreaver.core.secrets import redact


class RetreaverError(Exception):
    """Base of all errors of this package.

    :param message: one sentence: what was wrong, where, what to do; secrets in it are masked.
    :param method: HTTP method of the request concerned.
    :param path: its path, without query.
    """

    def __init__(self, message: str, *, method: str | None = None, path: str | None = None) -> None:
        message = redact(message)
        super().__init__(message)
        self.message = message
        self.method = method
        self.path = path

    def __str__(self) -> str:
        return self.message


class InvalidArgument(RetreaverError, ValueError):
    """A parameter that cannot be right; nothing was sent."""


class InvalidConnection(InvalidArgument):
    """A field of the Airflow connection that cannot be right; nothing was sent."""


class ChangeRefused(RetreaverError):
    """A change that a guard stops, or that cannot be said to the vendor without losing something; it was not sent."""


class VendorError(RetreaverError):
    """The vendor answered with an error.

    :param status: HTTP status.
    :param retry_after: seconds that the vendor asked to wait, when it did.
    :param details: the vendor's own field messages, when the answer held some.
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
    """404: there is no such object in this company."""


class Gone(VendorError):
    """410: the object was deleted, or the route is no longer served."""


class InvalidRequest(VendorError):
    """400, 405, 406, 422 …: the vendor refused the request as it was written."""


class RateLimited(VendorError):
    """429: still told to slow down after all the waiting that the policy allows."""


class Unavailable(VendorError):
    """5xx: the vendor failed, for longer than the policy waits."""


class ConnectionFailed(RetreaverError):
    """No answer came.

    :param sent: False when the connection was never made, so that nothing can have happened.
    :param final: True when trying again cannot help (a certificate that is not accepted).
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
    """A write whose answer was lost: look before it is repeated."""


class ProtocolError(RetreaverError):
    """The answer is not JSON, or not in the documented envelope.

    :param status: HTTP status of that answer.
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
    """A list ended before its end: what was read so far must not be taken for the whole."""


class TableNotWritten(RetreaverError):
    """A database did not take a batch of calls, which was rolled back.

    :param uuid: of the call that it did not take, as far as that is known.
    :param column: that cannot hold the call's value, as far as that is known.
    """

    def __init__(self, message: str, *, uuid: str | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.uuid = uuid
        self.column = column


class StorageFailed(RetreaverError):
    """An object storage did not take what was to be written; nothing half-written was put in place."""


class PartialFailure(RetreaverError):
    """Some of several changes were made and some were not.

    :param result: what was done and what was not, as the operator would have returned it.
    """

    def __init__(self, message: str, *, result: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result if result is not None else {}
