"""Claims: which run has a batch. A claim is created only if there is none, and stays when its run is killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_retreaver.core.errors import StorageFailed
from airflow_provider_retreaver.storage.run_state import path_part
from airflow_provider_retreaver.storage.whole_files import create_file, file_names

if TYPE_CHECKING:
    from airflow_provider_retreaver.webhooks.spool import Spool

_DIGITS = 12


def claim(spool: Spool, number: int, consumer: str, holder: Mapping[str, object]) -> Mapping[str, object] | None:
    """Claim a batch for a run.

    :param spool: of the batch.
    :param number: of the batch.
    :param consumer: who may have each batch once, such as one task of a DAG.
    :param holder: the run, plain JSON.
    :return: None when the batch is the holder's, now or since an earlier attempt; otherwise who has it.
    :raises StorageFailed: when the claim that is there cannot be read.
    """
    spool.make_folders()
    file = spool.claims / f"{number:0{_DIGITS}}.{path_part(consumer)}.json"
    if create_file(file, json.dumps(holder).encode()):
        return None
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        raise StorageFailed(
            f"The claim {file} cannot be read; delete it, then the batch is handed out again."
        ) from None
    return None if found == dict(holder) else dict(found)


def claimed(spool: Spool) -> frozenset[int]:
    """Return the numbers of batches that anybody has claimed.

    :param spool: the spool.
    :return: the numbers.
    """
    return frozenset(number for number in map(_number, file_names(spool.claims)) if number)


def remove_claims(spool: Spool, before: int) -> None:
    """Remove the claims of batches that do not exist any more.

    :param spool: the spool.
    :param before: number of the first batch whose claims are kept.
    """
    for name in file_names(spool.claims) if before else ():
        if 0 < _number(name) < before:
            with suppress(FileNotFoundError):
                (spool.claims / name).unlink()


def _number(name: str) -> int:
    text = name.partition(".")[0]
    return int(text) if len(text) == _DIGITS and text.isascii() and text.isdigit() else 0
