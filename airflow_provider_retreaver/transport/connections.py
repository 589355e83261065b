"""Connections of the blocking transports: judged, bounded in time and size, and broken off by another thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Collection, Generator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_provider_retreaver.transport.addresses import (
    AddressInfo,
    AddressRule,
    Resolver,
    start_resolving,
    system_resolver,
)
from airflow_provider_retreaver.transport.received import BoundedResponse

# Seconds between two looks whether a request was broken off while its host's name is resolved.
LOOK = 0.05


class AddressRefused(Exception):
    """A host whose addresses may not be connected to."""


class Running:
    """The requests of a transport that are running, by their threads.

    :param clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._requests: dict[int, RunningRequest] = {}

    @contextmanager
    def request(self, seconds: float, size: int) -> Generator[RunningRequest]:
        """Register the request of this thread.

        :param seconds: for which it may run in total.
        :param size: bytes that its response may have as it is sent.
        :yield: the request.
        :return: a context manager.
        """
        request = RunningRequest(self.clock() + seconds, size)
        thread = threading.get_ident()
        self._requests[thread] = request
        try:
            yield request
        finally:
            del self._requests[thread]
            request.connected = None

    def current(self) -> RunningRequest:
        """Return the request of this thread.

        :return: the request.
        """
        return self._requests[threading.get_ident()]

    def interrupt(self, threads: Collection[int]) -> None:
        """Break off the requests of some threads, by closing their connections.

        :param threads: their ids.
        """
        for thread in threads:
            request = self._requests.get(thread)
            if request is not None:
                request.interrupt()


@dataclass(slots=True)
class RunningRequest:
    """One request that is running.

    :param deadline: when it must have ended, by the clock of `Running`.
    :param size: bytes of its response that may still be received.
    :param connected: its socket, once there is one.
    :param interrupted: whether it was broken off.
    """

    deadline: float
    size: int
    connected: socket.socket | None = None
    interrupted: bool = False

    def attach(self, connected: socket.socket) -> None:
        """Name the socket of the request.

        :param connected: the socket.
        :raises ConnectionAbortedError: when the request was broken off.
        """
        self.connected = connected
        if self.interrupted:
            raise ConnectionAbortedError("the request was broken off")

    def interrupt(self) -> None:
        """Break it off: reading from its socket ends at once."""
        self.interrupted = True
        connected = self.connected
        if connected is not None:
            with suppress(OSError):
                # Of the base class: that of a TLS socket removes what another thread is reading from.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


class _Watched:
    """What the connections of both schemes add to those of `urllib3`."""

    running: Running
    resolver: Resolver
    rule: AddressRule | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.response_class = partial(BoundedResponse, running=self.running)
        self._handle: socket.socket | None = None

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._handle is not None:
                self._handle.close()
                self._handle = None
        self.running.current().attach(self.sock)  # type: ignore[attr-defined]

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.sock is not None:  # type: ignore[attr-defined]
            self.running.current().attach(self.sock)  # type: ignore[attr-defined]
        super().request(*arguments, **options)  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        host, port = self._dns_host.strip("[]"), self.port  # type: ignore[attr-defined]
        try:
            connected = self._connected(self._resolved(host, port))
        except TimeoutError:
            raise ConnectTimeoutError(self, "the connection timed out") from None
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"no connection: {error}") from None  # type: ignore[arg-type]
        # TLS takes the socket over: until it has, the connection is broken off by this one.
        self._handle = connected.dup()
        try:
            self.running.current().attach(self._handle)
        except ConnectionAbortedError:
            # Broken off since it was connected: nobody else knows this socket yet.
            connected.close()
            raise
        return connected

    def _resolved(self, host: str, port: int) -> list[AddressInfo]:
        request = self.running.current()
        until = min(request.deadline, self.running.clock() + self.timeout)  # type: ignore[attr-defined]
        resolving = start_resolving(self.resolver, host, port)
        while True:
            try:
                rows = list(resolving.result(LOOK))
                break
            except FutureTimeout:
                if request.interrupted or resolving.done() or self.running.clock() >= until:
                    raise TimeoutError("the name was not resolved in time") from None
        if self.rule is None:
            return rows
        allowed = [row for row in rows if self.rule.allows(str(row[4][0]), port)]
        if rows and not allowed:
            raise AddressRefused
        return allowed

    def _connected(self, rows: list[AddressInfo]) -> socket.socket:
        request = self.running.current()
        failure: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in rows:
            left = request.deadline - self.running.clock()
            try:
                connected = socket.socket(family, kind, protocol)
            except OSError as error:
                failure = error
                continue
            try:
                request.attach(connected)
                for option in self.socket_options or ():  # type: ignore[attr-defined]
                    connected.setsockopt(*option)
                connected.settimeout(max(0.001, min(self.timeout, left)))  # type: ignore[attr-defined]
                connected.connect(address)
            except OSError as error:
                failure = error
                connected.close()
            except BaseException:
                connected.close()
                raise
            else:
                return connected
        raise failure


class WatchedAdapter(HTTPAdapter):
    """Connects with `requests` as these connections do.

    :param running: the transport's running requests.
    :param resolver: resolves host names.
    :param rule: judges addresses; None for all. Connections to a proxy are not judged: they are the settings' own.
    :param maxsize: connections that are kept for a host.
    """

    def __init__(
        self, running: Running, *, resolver: Resolver = system_resolver, rule: AddressRule | None = None, maxsize: int
    ) -> None:
        self._direct = _pools(running, resolver, rule)
        self._by_proxy = _pools(running, resolver, None)
        super().__init__(pool_connections=4, pool_maxsize=maxsize, pool_block=False)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Use these connections for hosts.

        :param arguments: of `requests`.
        :param options: of `requests`.
        """
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._direct

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Use these connections for a proxy.

        :param proxy: its URL.
        :param options: of `requests`.
        :return: the manager of its pools.
        """
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._by_proxy
        return manager

    def close(self) -> None:
        """Close the kept connections; `urllib3` leaves them open as long as anything refers to their pool."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated
                if (pool := manager.pools.get(key)) is not None:
                    pool.close()
        super().close()


def _pools(running: Running, resolver: Resolver, rule: AddressRule | None) -> dict[str, Any]:
    watch = {"running": running, "resolver": staticmethod(resolver), "rule": rule}
    plain = type("_PlainConnection", (_Watched, HTTPConnection), watch)
    tls = type("_TlsConnection", (_Watched, HTTPSConnection), watch)
    return {
        "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
