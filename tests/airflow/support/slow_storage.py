"""A storage within this process whose library waits for ever in the calls that a test chooses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from fsspec import AbstractFileSystem, register_implementation
from fsspec.spec import AbstractBufferedFile

URL = "slow://bucket"


class _File(AbstractBufferedFile):  # type: ignore[misc]
    """Sends what was written when it is closed, as object storages do; a late one to the storage of its test."""

    def __init__(self, fs: SlowStorage, path: str, mode: str, **options: Any) -> None:
        self.stored = fs.files
        super().__init__(fs, path, mode, **options)

    def _initiate_upload(self) -> None:
        self.sent = b""

    def _upload_chunk(self, final: bool = False) -> bool:
        self.fs.wait("upload", self.path)
        self.sent += self.buffer.getvalue()
        if final:
            self.stored[self.path] = self.sent
        return True

    def _fetch_range(self, start: int, end: int) -> bytes:
        self.fs.wait("read", self.path)
        return bytes(self.fs.files[self.path][start:end])


class SlowStorage(AbstractFileSystem):  # type: ignore[misc]
    """Objects in a dictionary; `hangs` says of a call and a path whether it waits."""

    protocol = "slow"
    cachable = False
    files: ClassVar[dict[str, bytes]] = {}
    hangs: ClassVar[Callable[[str, str], bool]]
    hung: ClassVar[list[tuple[str, str]]] = []
    release: ClassVar[threading.Event] = threading.Event()

    def wait(self, call: str, path: str) -> None:
        """Wait for the end of the test, if the call is one that hangs."""
        if type(self).hangs(call, path):
            self.hung.append((call, threading.current_thread().name))
            self.release.wait(60)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> _File:
        self.wait("open", path)
        if mode == "rb" and path not in self.files:
            raise FileNotFoundError(path)
        return _File(self, path, mode, size=len(self.files.get(path, b"")), cache_type="none")

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder, folders within it included."""
        path = self._strip_protocol(path)
        self.wait("ls", path)
        found: dict[str, dict[str, Any]] = {}
        for name, content in self.files.items():
            if name == path:
                found[name] = {"name": name, "type": "file", "size": len(content)}
            elif name.startswith(f"{path}/"):
                first = name[len(path) + 1 :].partition("/")[0]
                child, whole = f"{path}/{first}", f"{path}/{first}" == name
                kind = "file" if whole else "directory"
                found[child] = {"name": child, "type": kind, "size": len(content) if whole else 0}
        if not found:
            raise FileNotFoundError(path)
        return list(found.values()) if detail else list(found)

    def rm_file(self, path: str) -> None:
        """Remove an object."""
        self.wait("rm", path)
        del self.files[self._strip_protocol(path)]

    _rm = rm_file

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy an object."""
        self.wait("mv", path2)
        self.files[self._strip_protocol(path2)] = self.files[self._strip_protocol(path1)]

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Do nothing: there are no folders."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: there are no folders."""


@contextmanager
def slow_storage(hangs: Callable[[str, str], bool] = lambda _call, _path: False) -> Iterator[type[SlowStorage]]:
    """Install the storage; its calls go on when the block ends."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath
    from upath.implementations.cloud import CloudPath
    from upath.registry import available_implementations
    from upath.registry import register_implementation as register_path

    SlowStorage.files = {}
    SlowStorage.hung.clear()
    SlowStorage.release.clear()
    SlowStorage.hangs = staticmethod(hangs)
    register_implementation("slow", SlowStorage, clobber=True)
    if "slow" not in available_implementations():
        register_path("slow", CloudPath)
    # As a provider does; each line of Airflow has its own place for that.
    sys.modules[ObjectStoragePath.__module__].attach("slow", fs=SlowStorage())
    assert isinstance(ObjectStoragePath(URL).fs, SlowStorage)
    try:
        yield SlowStorage
    finally:
        SlowStorage.release.set()
