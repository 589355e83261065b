"""Resolving a host's name in a coroutine, without a thread: by a process that is killed when nobody waits any more.

The system's resolver cannot be interrupted. On a thread it would outlive the trigger that asked, as a triggerer lives
on; a library that asks name servers by itself would not know what this machine knows besides (`/etc/hosts`, search
domains, the services of `nsswitch.conf`). So a small process asks the system, as this one would.
"""

from __future__ import annotations

import ast
import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from airflow_provider_retreaver.transport.addresses import AddressInfo, literal, system_resolver

AsyncResolver = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]

# Seconds after which the process ends by itself, should this one be killed while it waits.
LONGEST = 60
# Rows of `getaddrinfo`, or the number and text of its error, as Python's literals. Importing `socket` takes longer.
PROGRAM = f"""
import _socket, os, signal, sys
signal.alarm({LONGEST})
try:
    found = _socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), 0, _socket.SOCK_STREAM)
except OSError as error:
    found = (error.errno, error.strerror)
os.write(1, repr(found).encode())
os._exit(0)
"""


async def look_up(host: str, port: int, program: str = PROGRAM) -> Sequence[AddressInfo]:
    """Resolve a name as this machine does.

    :param host: a host name, or an address in any notation.
    :param port: the port.
    :param program: that asks the system (tests pass one that does not answer).
    :return: rows of `socket.getaddrinfo`.
    :raises OSError: when the name does not exist, or the process cannot be started.
    """
    if literal(host) is not None:
        return system_resolver(host, port)
    sys.audit("socket.getaddrinfo", host, port, socket.AF_UNSPEC, socket.SOCK_STREAM, 0)
    found: Any = ()
    output = await _output_of(program, host, str(port))
    # A process that is ended from outside says nothing, or a part.
    with suppress(ValueError, SyntaxError):
        found = ast.literal_eval(output.decode())
    if isinstance(found, tuple):
        raise socket.gaierror(*found)
    rows: list[AddressInfo] = found
    return rows


async def _output_of(program: str, *arguments: str) -> bytes:
    # Of the interpreter only: `-I` and `-S` leave out the site's packages, whose import would take most of the time.
    command = [sys.executable, "-I", "-S", "-c", program, *arguments]
    with subprocess.Popen(  # noqa: ASYNC220, S603 - it returns at once, and asyncio's would start a thread on Python 3.11
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), process.stdout
            )
            try:
                return await reader.read()
            finally:
                transport.close()
        finally:
            # It has ended, or nobody waits for it any more.
            process.kill()
