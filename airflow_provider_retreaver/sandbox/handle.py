"""The sandbox itself: a request goes in, an answer comes out, and only its own SQLite database changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from airflow_provider_retreaver.sandbox.api import companies
from airflow_provider_retreaver.sandbox.api.columns import InvalidValue
from airflow_provider_retreaver.sandbox.api.context import RequestContext, SandboxState
from airflow_provider_retreaver.sandbox.api.paging import CallPages
from airflow_provider_retreaver.sandbox.api.routes import index, match
from airflow_provider_retreaver.sandbox.api.trackdrive import access
from airflow_provider_retreaver.sandbox.control import surface as control
from airflow_provider_retreaver.sandbox.demo import account as demo
from airflow_provider_retreaver.sandbox.faults import FaultInjector
from airflow_provider_retreaver.sandbox.http.wire import (
    Answer,
    ApiError,
    Request,
    api_error,
    refuse,
    validation_error,
    write,
)
from airflow_provider_retreaver.sandbox.log import RequestLog
from airflow_provider_retreaver.sandbox.options import SandboxOptions
from airflow_provider_retreaver.sandbox.state.clock import Clock, http_date
from airflow_provider_retreaver.sandbox.state.store import Store
from airflow_provider_retreaver.sandbox.webhooks import WebhookSender


class Sandbox:
    """Retreaver's API, with its account in memory or in a file. Safe to call from several threads.

    :meth:`handle` checks in this order: scripted or random faults, 429, 404/405, 410 (legacy routes
    switched off), 406, 401/403, and then whatever the resource itself checks.

    :param options: The account and its failures; an empty account without failures by default. A new
        database is filled with ``options.load``.
    """

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options = options or SandboxOptions()
        store = Store(options.database)
        self.state = SandboxState(options, store, Clock(options.wall), CallPages(store), Random(options.seed))  # noqa: S311 - the same seed, the same account
        self.faults = FaultInjector(options)
        self.log = RequestLog()
        self.webhooks = WebhookSender(store, self.state.clock, Random(options.seed))  # noqa: S311 - see above
        with store.transaction():
            if not store.value("SELECT count(*) FROM companies"):
                demo.load(self.state, options.load)

    def close(self) -> None:
        """Close the database, and send no more webhooks."""
        self.webhooks.close()
        self.state.store.close()

    def handle(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request and log it.

        :param method: HTTP method.
        :param path: Path, percent-encoded as it was sent.
        :param query: Decoded query parameters in their order.
        :param headers: Headers by name.
        :param body: Body as it was sent.
        :return: The answer.
        """
        request = Request(method, path, query, headers, body)
        with self.state.store.lock:
            if path.startswith(control.PREFIX):
                return self._control(request)
            answer = self._answer_or_fail(request)
            answer.headers.append(("Date", http_date(self.state.clock.now())))
            self.log.add(request, answer, self.state.clock.now())
        return answer

    def reject(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer 429 to a request that exceeds ``max_concurrency``, and log it.

        :param method: HTTP method.
        :param path: Path, percent-encoded as it was sent.
        :param query: Decoded query parameters in their order.
        :param headers: Headers by name.
        :param body: Body as it was sent.
        :return: The answer.
        """
        answer = refuse(api_error(429, "Slow down. Highly concurrent requests are frowned upon."))
        with self.state.store.lock:
            self.log.add(Request(method, path, query, headers, body), answer, self.state.clock.now())
        return answer

    def _answer_or_fail(self, request: Request) -> Answer:
        latency = self.faults.latency()
        fault = self.faults.next_fault(request.method, request.path)
        if fault is None and self.faults.exceeds_rate_limit():
            error = api_error(429, "Slow down.")
            return _delayed(refuse(ApiError(429, error.body, [("Retry-After", "1")])), latency)
        if fault is None:
            return _delayed(self.answer(request), latency)
        return _delayed(fault.apply(self.answer(request) if fault.executes else None), latency)

    def answer(self, request: Request) -> Answer:
        """Answer one request, without failures and without a line in the log.

        :param request: The request.
        :return: The answer.
        """
        form = "json"
        try:
            if not request.segments:
                return write(index())
            route, args = match(request)
            if route.legacy and not self.options.legacy_routes:
                raise api_error(410, "This route is no longer supported.")
            form = request.answer_format(route.format, route.formats)
            context = RequestContext(self.state, request, args)
            with self.state.store.transaction():
                if route.access == "trackdrive":
                    access.authorize(context)
                elif route.access != "open":
                    companies.authorize(context, needs_company=route.access == "company")
                return write(route.handler(context), form)
        except InvalidValue as error:
            # A nested value that belongs to no field, such as an id or _destroy.
            return refuse(validation_error({"base": [str(error)]}), form)
        except ApiError as refusal:
            return refuse(refusal, form)

    def _control(self, request: Request) -> Answer:
        try:
            with self.state.store.transaction():
                return write(control.handle(self, request))
        except ApiError as refusal:
            return refuse(refusal)


def _delayed(answer: Answer, latency: float) -> Answer:
    if not latency:
        return answer
    return Answer(answer.status, answer.headers, answer.body, answer.delay + latency, answer.cut)
