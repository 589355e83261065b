"""Runs a sandbox as an HTTP server in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.server import Application, listen, serving
from airflow_provider_retreaver.sandbox.options import SandboxOptions


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that accepts requests over HTTP.

    :param url: Its address, for example ``http://127.0.0.1:8787``.
    :param port: Its port.
    :param sandbox: The sandbox.
    """

    url: str
    port: int
    sandbox: Sandbox


@contextmanager
def run_sandbox(options: SandboxOptions | None = None) -> Iterator[RunningSandbox]:
    """Serve a sandbox from a thread, on a free port of 127.0.0.1, until the block ends.

    :param options: Options of the sandbox; None is the defaults.
    :yield: The running sandbox.
    """
    sandbox = Sandbox(options)
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    application = Application(sandbox, max_concurrency=sandbox.options.max_concurrency)
    try:
        with serving(application, listener):
            yield RunningSandbox(f"http://127.0.0.1:{port}", port, sandbox)
    finally:
        sandbox.close()
