"""The vendor's API on this machine: a sandbox to develop and test against.

It imports nothing from the rest of the package, so that a misreading of the vendor's
documents on the client's side cannot repeat itself here.
"""

from __future__ import annotations

from airflow_provider_retreaver.sandbox.handle import Sandbox
from airflow_provider_retreaver.sandbox.http.wire import Answer
from airflow_provider_retreaver.sandbox.options import SandboxOptions

__all__ = ["Answer", "Sandbox", "SandboxOptions"]
