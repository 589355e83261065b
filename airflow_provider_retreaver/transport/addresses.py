"""Resolving host names, and judging the addresses that are then connected to.

A name is resolved once for a connection, what it resolves to is judged, and the connection is made to that: a name
that resolves to another address a moment later changes nothing. Names are resolved on threads of their own, one at
most for each name, since the system's resolver cannot be interrupted: nobody waits for one that hangs, and it keeps
no process.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from airflow_provider_retreaver.core.futures import fill

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# Family, type, protocol, canonical name, socket address: a row of `socket.getaddrinfo`.
AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
Resolver = Callable[[str, int], Sequence[AddressInfo]]

# IPv6 addresses that contain the IPv4 address to which a gateway passes the connection on (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The only IPv6 addresses of the internet (IANA's registry of global unicast addresses): others are of a network, such
# as site-local ones and those of a local NAT64, or contain an IPv4 address in ways that are no longer used.
_UNICAST = ipaddress.IPv6Network("2000::/3")
# Of protocols, for which older versions of Python take some of the internet's.
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")


# Seconds in which a name that is compared with an address must be resolved.
RESOLVING = 10.0

# Names that are being resolved: further requests wait for the same result.
_pending: dict[tuple[Resolver, str, int], Future[Sequence[AddressInfo]]] = {}
_lock = threading.Lock()


def system_resolver(host: str, port: int) -> Sequence[AddressInfo]:
    """Resolve a name as this machine does.

    :param host: a host name, or an address in any notation.
    :param port: the port.
    :return: rows of `socket.getaddrinfo`.
    :raises OSError: when the name does not exist.
    """
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def start_resolving(resolver: Resolver, host: str, port: int) -> Future[Sequence[AddressInfo]]:
    """Resolve a name on a thread of its own; an address needs none, and a name that is being resolved no other one.

    :param resolver: resolves it.
    :param host: a host name or an address.
    :param port: the port.
    :return: the addresses to come.
    """
    name = (resolver, host, port)
    with _lock:
        waiting = _pending.get(name)
        if waiting is not None:
            return waiting
        future = _pending[name] = Future[Sequence[AddressInfo]]()
    # Of a running one no waiter can cancel it for the others.
    future.set_running_or_notify_cancel()
    if literal(host) is not None:
        _resolve(name, future)
    else:
        threading.Thread(target=_resolve, args=(name, future), name="retreaver-resolver", daemon=True).start()
    return future


def _resolve(name: tuple[Resolver, str, int], future: Future[Sequence[AddressInfo]]) -> None:
    resolver, host, port = name

    def found() -> Sequence[AddressInfo]:
        try:
            return resolver(host, port)
        finally:
            # Before the result is there: who asks afterwards resolves anew.
            with _lock:
                del _pending[name]

    fill(future, found)


def literal(host: str) -> IPAddress | None:
    """Return the address that a host is, in any notation that systems accept (`127.1`, `0x7f.1`, `2130706433`).

    :param host: the host of a URL, without brackets.
    :return: the address, None for a name.
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    with suppress(OSError, UnicodeError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one of the internet, not of this machine or a private network.

    :param address: the address; those that contain an IPv4 address are judged by that.
    :return: True for an address of the internet.
    """
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo[1] if address.teredo else None
        inner = address.ipv4_mapped or address.sixtofour or teredo
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST:
            return False
    elif address in _PROTOCOLS:
        return False
    return address.is_global and not address.is_multicast


class AddressRule:
    """Which addresses may be connected to: those of the internet, and those of the named hosts.

    :param hosts: hosts and ports that may also be connected to, wherever they are.
    :param resolver: resolves their names when it matters.
    """

    def __init__(self, hosts: Iterable[tuple[str, int]], resolver: Resolver) -> None:
        self._hosts = frozenset(hosts)
        self._resolver = resolver

    def allows(self, address: str, port: int) -> bool:
        """Judge an address.

        :param address: the address, as a socket shows it.
        :param port: the port.
        :return: whether it may be connected to.
        """
        judged = literal(address)
        if judged is None:
            return False
        return is_public(judged) or any(
            port == named and judged in self._addresses(host, port) for host, named in self._hosts
        )

    def _addresses(self, host: str, port: int) -> set[IPAddress | None]:
        address = literal(host)
        if address is not None:
            return {address}
        with suppress(OSError, UnicodeError):
            rows = start_resolving(self._resolver, host, port).result(RESOLVING)
            return {literal(row[4][0]) for row in rows}
        return set()
