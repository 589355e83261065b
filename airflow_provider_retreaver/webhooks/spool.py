"""The spool: a folder on object storage that keeps webhooks until they are in a batch, and the batches.

    <webhook_spool>/<company>/<trigger>/incoming/<time>-<id>.jsonl   webhooks as they were received
                                        batches/<number>.jsonl       a line about the batch, then its webhooks
                                        claims/<number>.<consumer>.json  which run has a batch

Processes share nothing but this folder. A file of `incoming` has a name of its own, so that writers never meet. A
batch is created only if its number is not taken (a conditional write), so of two collectors that make the same batch
one has to read the other's first (`collector.py`); a claim is created in the same way (`claims.py`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.storage.paths import make_folder, storage_path
from airflow_provider_retreaver.storage.whole_files import create_file, file_names
from airflow_provider_retreaver.webhooks.received import Webhook, from_lines, to_line

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_retreaver.core.webhook_settings import WebhookSettings

_TIME = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of webhooks.

    :param number: counted from 1.
    :param made_at: when it was made.
    :param incoming: names of the files whose webhooks it has.
    :param webhooks: each once.
    """

    number: int
    made_at: datetime
    incoming: tuple[str, ...]
    webhooks: tuple[Webhook, ...]


class Spool:
    """The webhooks of one trigger of a company.

    :param settings: of the connection.
    :param trigger: e.g. `always`.
    :raises InvalidArgument: when no installed provider supports the storage.
    """

    def __init__(self, settings: WebhookSettings, trigger: str) -> None:
        self.company, self.trigger = settings.company, trigger
        self.folder: ObjectStoragePath = storage_path(settings.spool, "webhook_spool") / settings.company / trigger
        self.claims = self.folder / "claims"
        self._incoming = self.folder / "incoming"
        self._batches = self.folder / "batches"
        self._made = False

    def make_folders(self) -> None:
        """Make the folders, once; where the storage has folders."""
        if not self._made:
            for folder in (self._incoming, self._batches, self.claims):
                make_folder(folder)
            self._made = True

    def keep(self, lines: bytes) -> None:
        """Write webhooks; they are on the storage when this returns.

        :param lines: of `to_line`.
        :raises Exception: of the storage; then they may be kept or not.
        """
        self.make_folders()
        try:
            self._write(lines)
        except FileNotFoundError:
            # Somebody has removed the folders.
            self._made = False
            self.make_folders()
            self._write(lines)

    def _write(self, lines: bytes) -> None:
        create_file(self._incoming / f"{datetime.now(UTC).strftime(_TIME)}-{uuid.uuid4().hex}.jsonl", lines)

    def waiting(self) -> list[str]:
        """Return the names of the files that are not removed yet, the oldest first.

        :return: names of files of `incoming`.
        """
        return sorted(name for name in file_names(self._incoming) if received_at(name) is not None)

    def read_waiting(self, name: str) -> list[Webhook] | None:
        """Read a file of `incoming`.

        :param name: of the file.
        :return: its webhooks; None for a file that another collector has removed.
        :raises ValueError: when it is damaged.
        """
        with suppress(FileNotFoundError):
            return from_lines((self._incoming / name).read_bytes().splitlines())
        return None

    def remove_waiting(self, names: Iterable[str]) -> None:
        """Remove files of `incoming` whose webhooks are in a batch.

        :param names: of the files.
        """
        for name in names:
            with suppress(FileNotFoundError):
                (self._incoming / name).unlink()

    def put_aside(self, name: str) -> str:
        """Move a damaged file of `incoming` to the folder `damaged`.

        :param name: of the file.
        :return: where it is then.
        """
        damaged = self.folder / "damaged"
        make_folder(damaged)
        self._incoming.fs.mv((self._incoming / name).path, (damaged / name).path)
        return str(damaged / name)

    def numbers(self) -> list[int]:
        """Return the numbers of all batches.

        :return: in their order.
        """
        stems = [name.removesuffix(".jsonl") for name in file_names(self._batches) if name.endswith(".jsonl")]
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())

    def read(self, number: int) -> Batch:
        """Read a batch.

        :param number: of the batch.
        :return: the batch.
        :raises FileNotFoundError: when there is none; old ones are removed.
        :raises InvalidArgument: when its file is damaged.
        """
        return batch_of(self.path(number))

    def append(self, batch: Batch) -> bool:
        """Create a batch.

        :param batch: whose number follows that of the latest batch.
        :return: False when another collector has just created one with this number.
        """
        about = {
            "batch": batch.number,
            "made_at": batch.made_at.isoformat(),
            "webhooks": len(batch.webhooks),
            "incoming": batch.incoming,
        }
        first = json.dumps(about, separators=(",", ":")).encode() + b"\n"
        return create_file(self.path(batch.number), first + b"".join(map(to_line, batch.webhooks)))

    def remove(self, number: int) -> None:
        """Remove an old batch.

        :param number: of the batch.
        """
        with suppress(FileNotFoundError):
            self.path(number).unlink()

    def has_conditional_writes(self) -> bool:
        """Return whether the storage refuses to create a file a second time.

        :return: False for a storage that ignores the condition.
        """
        self.make_folders()
        probe = self._batches / f"probe-{uuid.uuid4().hex}"
        try:
            return create_file(probe, b"1") and not create_file(probe, b"2")
        finally:
            probe.unlink()

    def path(self, number: int) -> ObjectStoragePath:
        """Return the path of a batch.

        :param number: of the batch.
        :return: of its file, which need not exist.
        """
        return self._batches / f"{number:012}.jsonl"


def batch_of(file: ObjectStoragePath) -> Batch:
    """Read the file of a batch.

    :param file: of the batch.
    :return: the batch.
    :raises FileNotFoundError: when there is none.
    :raises InvalidArgument: when it is damaged.
    """
    first, *lines = file.read_bytes().splitlines() or [b""]
    try:
        about: Any = json.loads(first)
        webhooks = tuple(from_lines(lines))
        return Batch(about["batch"], datetime.fromisoformat(about["made_at"]), tuple(about["incoming"]), webhooks)
    except (ValueError, TypeError, KeyError):
        raise InvalidArgument(
            f"{file} (a batch of webhooks) is damaged; restore it from a copy, or move it away to go on without it."
        ) from None


def received_at(name: str) -> datetime | None:
    """Return when a file of `incoming` was written.

    :param name: of the file.
    :return: the time by the clock of its writer; None for any other file.
    """
    stamp, _, rest = name.partition("-")
    if rest.endswith(".jsonl"):
        with suppress(ValueError):
            return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC)
    return None
