"""Work for a client: one operation, a listing, or a procedure of several steps.

An operation is a value: the request to send, and how its response is read. A procedure is a generator that yields
steps and receives their results, so that the same logic runs with the blocking and the asynchronous client.

Steps of a procedure:

* an `Operation`: its result is sent back, its error is raised in the generator;
* a `Listing`: the list of all its rows;
* `Each`: None, after its rows were passed on one by one;
* `Count`: the number of rows of a listing;
* `Together`: several operations at once, as a list of `Outcome`;
* `ServerTime`: a `ClockReading`, what time it is on the server;
* `Blocking`: what its function returns;
* `Wait`: None, after the seconds have passed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from airflow_provider_retreaver.core.envelopes import Row, read_array
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.routes import Routes

__all__ = [
    "Blocking", "ClockReading", "Count", "CurrentOnly", "Each", "Listing", "Operation", "Outcome", "Procedure",
    "Progress", "Row", "ServerTime", "Step", "Together", "Wait", "in_edition",
]  # fmt: skip

# Rows of a page where a route takes no `per_page`, or is not given one.
DEFAULT_PAGE_SIZE = 25

T = TypeVar("T")
ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class CurrentOnly:
    """A request that the legacy routes do not have.

    :param reason: what to do instead, as the end of a sentence.
    """

    reason: str = "set the connection's extra api_routes to current to use it"


@dataclass(frozen=True, slots=True)
class Operation(Generic[ResultT_co]):
    """One documented endpoint with its parameters.

    :param request: the request under the current routes; `{calls_version}` in its path is the connection's.
    :param read: returns the result from the response.
    :param legacy: the request under the legacy routes, where it differs or does not exist.
    """

    request: Request
    read: Callable[[Request, Response], ResultT_co]
    legacy: Request | CurrentOnly | None = None

    def request_for(self, routes: Routes) -> Request:
        """Return the request for the routes of a connection.

        :param routes: of the connection.
        :return: the request.
        :raises InvalidArgument: when these routes do not have it.
        """
        return in_edition(self.request, self.legacy, routes)


@dataclass(frozen=True, slots=True)
class Listing:
    """A paged list of rows.

    :param request: request of the list without a page; see `Operation` for `{calls_version}`.
    :param envelope: name that wraps each row, e.g. `target`.
    :param key: field, or fields together, that identify a row which appears on two pages.
    :param page_size: rows of a full page; None where the connection's `per_page` is sent (the legacy routes do not
        take it and have 25).
    :param legacy: the request under the legacy routes, where it differs or does not exist.
    :param read: returns the rows of a page, and the number of rows of the whole list or None, from a response.
    :param oldest_calls_version: oldest version of the call log that takes all of the request's parameters.
    :param linked: whether the API has `Link` headers; without them a list ends with a short or an empty page.
    """

    request: Request
    envelope: str
    key: str | tuple[str, ...] = "id"
    page_size: int | None = DEFAULT_PAGE_SIZE
    legacy: Request | CurrentOnly | None = None
    read: Callable[[Request, Response, str], tuple[list[Row], int | None]] = read_array
    oldest_calls_version: int = 1
    linked: bool = True

    def request_for(self, routes: Routes) -> Request:
        """Return the request for the routes of a connection, without page and page size.

        :param routes: of the connection.
        :return: the request.
        :raises InvalidArgument: when these routes do not have it, or the version of the call log is too old.
        """
        request = in_edition(self.request, self.legacy, routes)
        if not routes.legacy and int(routes.calls_version[1:]) < self.oldest_calls_version:
            raise InvalidArgument(
                f"{request.label} has a parameter that the call log takes from version "
                f"v{self.oldest_calls_version} on; set the connection's extra calls_version."
            )
        return request


@dataclass(frozen=True, slots=True)
class Each:
    """All rows of a listing, passed on one by one, so that memory does not grow with their number.

    :param listing: the listing.
    :param visit: called with each row.
    """

    listing: Listing
    visit: Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Count:
    """The number of rows of a listing, in at most two requests.

    :param listing: the listing.
    """

    listing: Listing


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The time on the server, from the `Date` headers of its responses; sends nothing."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The result of `ServerTime`.

    :param local_time: this machine's time, in UTC.
    :param offset: how far the server's clock is ahead of it; zero until a response has a `Date`.
    :param is_known: whether a response had one.
    """

    local_time: datetime
    offset: timedelta
    is_known: bool = False

    @property
    def server_time(self) -> datetime:
        """The server's time, in UTC."""
        return self.local_time + self.offset


@dataclass(frozen=True, slots=True)
class Together:
    """Operations that do not depend on each other, run concurrently as far as the limiter allows.

    :param operations: the operations.
    """

    operations: Sequence[Operation[Any]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait before the next step.

    :param seconds: how long.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Blocking:
    """Work that waits for something else than Retreaver, such as a file; the asynchronous client runs it in a thread.

    :param work: a function without arguments.
    """

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The result of one of several operations.

    :param value: what it returned, None when it failed.
    :param error: why it failed, None when it did not.
    """

    value: T | None = None
    error: RetreaverError | None = None


Step = Operation[Any] | Listing | Each | Count | Together | ServerTime | Wait | Blocking
Procedure = Generator[Step, Any, T]
_STEPS = (Operation, Listing, Each, Count, Together, ServerTime, Wait, Blocking)


class Progress(Generic[T]):
    """A procedure that is running: its current step, or its result.

    The client does `step` and passes on the outcome by `send` or `throw`, until `done`.

    :param procedure: a generator that was not started, or one step, such as a listing.
    :raises InvalidArgument: when it is neither, or yields something else.
    """

    def __init__(self, procedure: Procedure[T] | Step) -> None:
        self._procedure = procedure if isinstance(procedure, Generator) else _alone(procedure)
        self.done = False
        self.step: Any = None
        self._result: T | None = None
        self.send(None)

    @property
    def result(self) -> T:
        """What the procedure returned."""
        return cast("T", self._result)

    def send(self, value: Any) -> None:
        """Pass on the result of the step.

        :param value: the result.
        """
        self._advance(lambda: self._procedure.send(value))

    def throw(self, error: RetreaverError) -> None:
        """Pass on the error of the step.

        :param error: the error.
        """
        self._advance(lambda: self._procedure.throw(error))

    def close(self) -> None:
        """End the procedure where it is; its `finally` clauses run."""
        self._procedure.close()

    def _advance(self, resume: Callable[[], Step]) -> None:
        try:
            self.step = resume()
        except StopIteration as end:
            self.done, self._result = True, end.value
        else:
            if not isinstance(self.step, _STEPS):
                raise InvalidArgument(
                    f"run takes an operation, a listing or a procedure of them, not {type(self.step).__name__}; "
                    f"to read the rows of a listing one by one, give the listing to iterate."
                )


def _alone(step: Step) -> Procedure[Any]:
    return (yield step)


def in_edition(current: Request, legacy: Request | CurrentOnly | None, routes: Routes) -> Request:
    """Return a request for the routes of a connection, with the version of the call log filled in.

    :param current: the request under the current routes.
    :param legacy: the request under the legacy routes, where it differs or does not exist.
    :param routes: of the connection.
    :return: the request.
    :raises InvalidArgument: when these routes do not have it.
    """
    if routes.legacy and isinstance(legacy, CurrentOnly):
        raise InvalidArgument(
            f"{current.label} does not exist under the legacy routes with these parameters; {legacy.reason}.",
            method=current.method,
            path=current.path,
        )
    request = legacy if routes.legacy and isinstance(legacy, Request) else current
    if "{calls_version}" not in request.path:
        return request
    path = request.path.replace("{calls_version}", routes.calls_version)
    return Request(request.method, path, request.query, request.body, request.auth, request.host)
