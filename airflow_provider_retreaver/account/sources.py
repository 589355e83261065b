"""Where an account comes from, on this machine: files, connections and secrets; and how files are written."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from airflow_provider_retreaver.account.files import AccountFiles, read_files
from airflow_provider_retreaver.account.kinds import read_account
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Plan
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.account.schema import SecretReference
from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.core.operations import Procedure
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.secrets import Secret, register_secrets
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.transport.client import RetreaverClient

T = TypeVar("T")
API_KEY, COMPANY, HOST, EXTRA = (f"RETREAVER_{name}" for name in ("API_KEY", "COMPANY_ID", "HOST", "EXTRA"))
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
            # A fixed command; the folder is one argument.
            done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

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


class Runs(Protocol):
    """What runs a procedure: a client or a hook."""

    def run(self, work: Procedure[T]) -> T:
        """Run a procedure.

        :param work: the procedure.
        :return: its result.
        """


@contextmanager
def connected(conn_id: str | None, environment: Mapping[str, str] | None = None) -> Generator[Runs]:
    """Provide what runs procedures.

    :param conn_id: ID of an Airflow connection; None for environment variables.
    :param environment: the variables; those of the process by default.
    :yield: the hook or client, closed at the end.
    :raises InvalidArgument: when there is neither.
    """
    if conn_id is not None:
        from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

        with RetreaverHook(conn_id) as hook:
            yield hook
        return
    variables = os.environ if environment is None else environment
    if not variables.get(API_KEY):
        raise InvalidArgument(
            f"There is no connection: give --conn-id, or set {API_KEY} and {COMPANY} in the environment."
        )
    login, password, host, extra = map(variables.get, (COMPANY, API_KEY, HOST, EXTRA))
    settings = Settings.parse("environment", login=login, password=password, host=host, extra=extra)
    register_secrets(settings.secrets)
    with RetreaverClient(settings) as client:
        yield client


def make_plan(sources: Sources, connection: AbstractContextManager[Runs], *, comparing: bool = False) -> Plan:
    """Read the files, then the account as far as they concern it, and plan.

    :param sources: files of the account.
    :param connection: provides what runs procedures; it is entered when the files are right.
    :param comparing: see `Planner`.
    :return: the plan with its hash.
    :raises InvalidArgument: naming every place where something is wrong.
    :raises RetreaverError: when the account cannot be read.
    """
    files = sources.read()
    with connection as runs:
        live = runs.run(read_account(files.kinds()))
    planner = Planner(files, live, World(secrets=find_secret), comparing)
    return planner.plan(git_commit=sources.git_commit(), environment=sources.environment)


def find_secret(reference: SecretReference) -> str | None:
    """Return a secret, which no log or error shows from then on.

    :param reference: of the secret.
    :return: the secret; None when the connection or variable does not exist, or is blank.
    """
    found = os.environ.get(reference.env) if isinstance(reference.env, str) else _password(str(reference.connection))
    if not found:
        return None
    register_secrets([Secret(found)])
    return found


def _password(conn_id: str) -> str | None:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    try:
        password = BaseHook.get_connection(conn_id).password
    except AirflowNotFoundException:
        return None
    return None if password is None else str(password)
