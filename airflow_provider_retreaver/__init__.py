"""Apache Airflow provider for Retreaver, the call tracking and routing platform.

The hooks can be imported from here too: `from airflow_provider_retreaver import RetreaverHook`. They are loaded when
they are first used, so that Airflow reads the provider's metadata without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = ["RetreaverAsyncHook", "RetreaverHook", "TrackDriveAsyncHook", "TrackDriveHook"]

if TYPE_CHECKING:
    from airflow_provider_retreaver.hooks.retreaver import RetreaverAsyncHook, RetreaverHook
    from airflow_provider_retreaver.hooks.trackdrive import TrackDriveAsyncHook, TrackDriveHook
else:
    # Hidden from type checkers, for which every name would exist otherwise.
    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = "trackdrive" if name.startswith("TrackDrive") else "retreaver"
        return getattr(import_module(f"{__name__}.hooks.{module}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
