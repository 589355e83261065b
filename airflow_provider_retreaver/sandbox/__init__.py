"""A sandbox of Retreaver's API on this machine, to develop and test against.

It imports nothing from the rest of the package, so that a misreading of Retreaver's
documents in the client is not repeated here.
"""

from __future__ import annotations

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import SandboxOptions

__all__ = ["Answer", "Sandbox", "SandboxOptions"]
