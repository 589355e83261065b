"""What can be asked of a client: one operation, a listing, or a procedure of several steps.

An operation is a value: which request, and how its answer is read. A procedure is a generator that yields
steps and receives their results, so that the same logic runs under the blocking and the asynchronous client.

Steps of a procedure:

* an `Operation` – its result is sent back, its error is thrown in;
* a `Listing` – the list of all its rows;
* `Each` – nothing; its rows were handed over one by one as they came;
* `Count` – how many rows a listing has;
* `Together` – several operations at once, as one list of `Outcome`;
* `VendorTime` – a `Moment`: what time it is at the vendor's;
* `Wait` – seconds pass.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from airflow_provider_retreaver.core.answers import beginning, excerpt
from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError, RetreaverError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.routes import Routes

T = TypeVar("T")
Row = dict[str, Any]

# Statuses with which the vendor says "done" without a promised body.
SUCCESS = range(200, 300)


def json_body(request: Request, response: Response) -> Any:
    """Parse an answer.

    :raises ProtocolError: with status, path and a short excerpt when it is not JSON.
    """
    # Raised outside the handler: the decoder's exception holds the whole body and would be kept as the context.
    with suppress(ValueError):
        return response.json()
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    shown = excerpt(beginning(response.body))
    raise protocol_error(
        request, response, f"is not JSON ({kind}, {len(response.body)} bytes{f': {shown}' if shown else ''})"
    )


def protocol_error(request: Request, response: Response, what: str) -> ProtocolError:
    """Return the error for an answer that is not what the documents promise."""
    return ProtocolError(
        f"The answer ({response.status}) to {request.label} {what}; check that the connection's host is the "
        f"vendor's API and not a proxy or login page.",
        method=request.method,
        path=request.path,
        status=response.status,
    )


def unwrap(request: Request, response: Response, value: Any, envelope: str) -> Row:
    """Return an object that comes as `{envelope: {...}}`, or bare where it has an `id` or `uuid` of its own.

    :raises ProtocolError: when it is neither.
    """
    if isinstance(value, dict):
        inner = value.get(envelope)
        if isinstance(inner, dict):
            return inner
        if "id" in value or "uuid" in value:
            return value
    raise protocol_error(request, response, f"holds no {envelope!r} object")


def read_item(envelope: str) -> Callable[[Request, Response], Row]:
    """Return a reader for one wrapped object."""

    def read(request: Request, response: Response) -> Row:
        return unwrap(request, response, json_body(request, response), envelope)

    return read


def read_nothing(request: Request, response: Response) -> None:
    """Read an answer whose body is not promised."""


def read_array(request: Request, response: Response, envelope: str) -> tuple[list[Row], int | None]:
    """Return the rows of one page of a list; how many the whole list has, the answer does not say.

    :raises ProtocolError: when it is not an array of wrapped objects.
    """
    body = json_body(request, response)
    if not isinstance(body, list):
        raise protocol_error(request, response, f"is not an array of {envelope!r} objects")
    return [unwrap(request, response, value, envelope) for value in body], None


@dataclass(frozen=True, slots=True)
class CurrentOnly:
    """Stands for a request that the legacy routes do not have.

    :param reason: what to do instead, as the end of a sentence.
    """

    reason: str = "set the connection's extra api_routes to current to use it"


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One documented endpoint, filled in.

    :param request: the request under the current routes; `{calls_version}` in its path is the connection's.
    :param read: how the result is taken from the answer.
    :param legacy: the request under the legacy routes, where it differs or there is none.
    """

    request: Request
    read: Callable[[Request, Response], T]
    legacy: Request | CurrentOnly | None = None

    def request_for(self, routes: Routes) -> Request:
        """Return the request in the edition of a connection.

        :raises InvalidArgument: when that edition does not have it.
        """
        return in_edition(self.request, self.legacy, routes)


@dataclass(frozen=True, slots=True)
class Listing:
    """A paged list of rows.

    :param request: request of the list without a page; see `Operation` for `{calls_version}`.
    :param envelope: name that wraps each row, e.g. `target`.
    :param key: field, or fields together, by which a row is recognised when it appears on two pages.
    :param page_size: rows of a full page; None where `per_page` of the connection is sent along (legacy routes do not
        know it and have 25).
    :param legacy: the request under the legacy routes, where it differs or there is none.
    :param read: takes the rows, and their number in the whole list where it says so, from the answer of a page.
    :param oldest_calls_version: of the call log that knows all of the request's parameters.
    """

    request: Request
    envelope: str
    key: str | tuple[str, ...] = "id"
    page_size: int | None = 25
    legacy: Request | CurrentOnly | None = None
    read: Callable[[Request, Response, str], tuple[list[Row], int | None]] = read_array
    oldest_calls_version: int = 1

    def request_for(self, routes: Routes) -> Request:
        """Return the request in the edition of a connection, without page and page size."""
        request = in_edition(self.request, self.legacy, routes)
        if not routes.legacy and int(routes.calls_version[1:]) < self.oldest_calls_version:
            raise InvalidArgument(
                f"{request.label} was asked with a parameter that the call log knows from version "
                f"v{self.oldest_calls_version} on; set the connection's extra calls_version."
            )
        return request


@dataclass(frozen=True, slots=True)
class Each:
    """All rows of a listing, handed over one by one, so that none is kept longer than it is wanted."""

    listing: Listing
    visit: Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Count:
    """The number of rows of a listing, in at most two requests."""

    listing: Listing


@dataclass(frozen=True, slots=True)
class VendorTime:
    """The time at the vendor's, as far as the `Date` of its answers tells; sends nothing."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The answer to `VendorTime`.

    :param here: this machine's time, in UTC.
    :param ahead: how far the vendor's clock is ahead of it; zero as long as nothing else is known.
    """

    here: datetime
    ahead: timedelta

    @property
    def there(self) -> datetime:
        """The vendor's time."""
        return self.here + self.ahead


@dataclass(frozen=True, slots=True)
class Together:
    """Operations that do not depend on each other, run at once as far as the limiter lets them."""

    operations: Sequence[Operation[Any]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Let seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one operation of several: its value, or its error."""

    value: T | None = None
    error: RetreaverError | None = None


Step = Operation[Any] | Listing | Each | Count | Together | VendorTime | Wait
Procedure = Generator[Step, Any, T]


class Progress(Generic[T]):
    """A procedure on its way: the step to do now, or its result.

    Whoever carries the requests does `step` and reports with `send` or `throw` until `done`.

    :param procedure: a generator that has not been started.
    """

    def __init__(self, procedure: Procedure[T]) -> None:
        self._procedure = procedure
        self.done = False
        self.step: Any = None
        self._result: T | None = None
        self.send(None)

    @property
    def result(self) -> T:
        """What the procedure returned."""
        return cast("T", self._result)

    def send(self, value: Any) -> None:
        """Report the result of the step."""
        self._advance(lambda: self._procedure.send(value))

    def throw(self, error: RetreaverError) -> None:
        """Report that the step failed."""
        self._advance(lambda: self._procedure.throw(error))

    def _advance(self, resume: Callable[[], Step]) -> None:
        try:
            self.step = resume()
        except StopIteration as end:
            self.done, self._result = True, end.value


def in_edition(current: Request, legacy: Request | CurrentOnly | None, routes: Routes) -> Request:
    """Choose between the two editions of a request and fill in the call log's version."""
    if routes.legacy and isinstance(legacy, CurrentOnly):
        raise InvalidArgument(
            f"{current.label} does not exist under the legacy routes as it was asked; {legacy.reason}.",
            method=current.method,
            path=current.path,
        )
    chosen = legacy if routes.legacy and isinstance(legacy, Request) else current
    if "{calls_version}" not in chosen.path:
        return chosen
    path = chosen.path.replace("{calls_version}", routes.calls_version)
    return Request(chosen.method, path, chosen.query, chosen.body, chosen.auth, chosen.host)


def require(row: Mapping[str, Any], name: str, request: Request) -> Any:
    """Return a field that the caller cannot do without.

    :raises ProtocolError: naming the field when it is missing.
    """
    if name not in row:
        raise ProtocolError(
            f"The answer to {request.label} lacks the field {name!r}, which the vendor documents.",
            method=request.method,
            path=request.path,
        )
    return row[name]
