"""Writing rows to object storage so that a reader sees a whole file or none."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_retreaver.core.errors import InvalidArgument

log = logging.getLogger(__name__)


def write_jsonl(destination: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Write one JSON object a line under a temporary name beside the destination, then move it into place.

    A file that is there is replaced. When the rows end in an error, nothing is left behind and what was there stays.

    :param destination: object-storage path of a file, e.g. `s3://conn@bucket/targets.jsonl`.
    :return: `{"path", "rows", "bytes"}`.
    :raises InvalidArgument: when the destination is a folder.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if destination.endswith("/"):
        raise InvalidArgument(f"destination must be a file, like {destination}rows.jsonl, not a folder.")
    path = ObjectStoragePath(destination)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    count = size = 0
    moved = False
    try:
        with draft.fs.open(draft.path, "wb") as file:
            for row in rows:
                line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
                file.write(line)
                count, size = count + 1, size + len(line)
        draft.fs.mv(draft.path, path.path)
        moved = True
    finally:
        if not moved and draft.exists():
            draft.unlink()
    log.info("Wrote %d rows (%d bytes) to %s", count, size, destination)
    return {"path": destination, "rows": count, "bytes": size}
