"""Files on this machine: reading folders of YAML, and writing so that a reader never sees half of a file."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_retreaver.account.files import AccountFiles, read_files
from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.core.quoting import quoted

ENDINGS = (".yaml", ".yml")
# Folder of the overlays, beside the files; they are read only when they are asked for.
ENVIRONMENTS = "environments"
GIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sources:
    """Files and folders of one account.

    :param paths: of files and folders.
    :param environment: name of an overlay, `environments/<name>.yaml` in one of the folders; None for none.
    :param variables: which override those of the files.
    """

    paths: Sequence[str]
    environment: str | None = None
    variables: Mapping[str, object] | None = None

    def read(self) -> AccountFiles:
        """Read the files.

        :return: what they say.
        :raises InvalidArgument: naming every place where something is wrong.
        """
        files = [(str(path), _text(path)) for path in self._files()]
        overlay = self._overlay()
        return read_files(files, (str(overlay), _text(overlay)) if overlay else None, self.variables)

    def git_commit(self) -> str | None:
        """Return the commit of the files.

        :return: its hash; None where they are not in git.
        """
        command = ["git", "-C", str(self._folders()[0]), "rev-parse", "HEAD"]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command; the folder is one argument
                command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def _folders(self) -> list[Path]:
        return [path if path.is_dir() else path.parent for path in map(Path, self.paths)]

    def _files(self) -> list[Path]:
        found: dict[Path, None] = {}
        for path in map(Path, self.paths):
            if not path.exists():
                raise InvalidArgument(f"There is no file or folder {quoted(str(path))}; correct the path.")
            inside = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in inside:
                parts = file.relative_to(path).parts
                hidden = any(part.startswith(".") for part in parts)
                if file.is_file() and file.suffix in ENDINGS and not hidden and ENVIRONMENTS not in parts[:-1]:
                    found[file] = None
        return list(found)

    def _overlay(self) -> Path | None:
        if self.environment is None:
            return None
        folders = [folder / ENVIRONMENTS for folder in self._folders()]
        names = [folder / f"{self.environment}{ending}" for folder in folders for ending in ENDINGS]
        found = next((name for name in names if name.is_file() and name.parent.name == ENVIRONMENTS), None)
        if found is None:
            known = sorted({one.stem for folder in folders for one in folder.glob("*.y*ml")})
            raise InvalidArgument(
                f"There is no environment {quoted(self.environment)} in the folder {ENVIRONMENTS}; known are "
                f"{', '.join(known) or 'none'}."
            )
        return found


def _text(path: Path) -> str:
    try:
        return read_bytes(path, "a file of the account").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument(f"{path} cannot be read: it is not UTF-8.") from None


def read_bytes(path: Path, what: str) -> bytes:
    """Read a file.

    :param path: of the file.
    :param what: it is, for the error.
    :return: its content.
    :raises InvalidArgument: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path} ({what}) cannot be read: {error.strerror or error}.") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also when the machine stops.

    :param path: of the file; its folder is made.
    :param content: of the file.
    :raises StorageFailed: when it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StorageFailed(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        # It is there only when it was not moved; an error here must not hide the one before.
        with suppress(OSError):
            draft.unlink(missing_ok=True)
