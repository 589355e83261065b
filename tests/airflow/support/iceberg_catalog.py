"""A REST catalog of Iceberg tables on this machine, for pyiceberg's client: namespaces and tables in memory.

Of the Iceberg REST catalog's specification, what adding files takes: tokens, namespaces, tables and commits.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableRequest
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import update_table_metadata

NAMESPACES = re.compile(r"/v1/namespaces(?:/(?P<namespace>[\w%.-]+)(?:/tables(?:/(?P<table>\w+))?)?)?")


class Refused(Exception):
    """A response with an error.

    :param status: of the response.
    :param kind: the error's type in the specification.
    """

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status = status


class RestCatalog:
    """The state of the catalog.

    :param folder: where tables are located.
    :param credential: `login:password` that a token is given for.
    """

    def __init__(self, folder: Path, credential: str) -> None:
        self.folder = folder
        self.credential = credential
        self.namespaces: set[str] = set()
        self.tables: dict[tuple[str, str], TableMetadata] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: str, token: str) -> Any:
        """Return what a request is answered with."""
        if path == "/v1/oauth/tokens":
            client, secret = self.credential.split(":")
            if f"client_id={client}" not in body or f"client_secret={secret}" not in body:
                raise Refused(401, "NotAuthorizedException")
            return {"access_token": "a-token", "token_type": "bearer", "expires_in": 3600}
        if token != "Bearer a-token":
            raise Refused(401, "NotAuthorizedException")
        found = NAMESPACES.fullmatch(path)
        if found is None:
            return {"defaults": {}, "overrides": {}}
        with self._lock:
            return self._answer(method, found["namespace"], found["table"], path, body)

    def _answer(self, method: str, namespace: str | None, table: str | None, path: str, body: str) -> Any:
        if namespace is None:
            [name] = json.loads(body)["namespace"]
            if name in self.namespaces:
                raise Refused(409, "AlreadyExistsException")
            self.namespaces.add(name)
            return {"namespace": [name], "properties": {}}
        if namespace not in self.namespaces:
            raise Refused(404, "NoSuchTableException" if table else "NoSuchNamespaceException")
        if table is None and not path.endswith("/tables"):
            return {"namespace": [namespace], "properties": {}}
        if table is None:
            asked = json.loads(body)
            self.tables[namespace, asked["name"]] = new_table_metadata(
                Schema.model_validate(asked["schema"]),
                UNPARTITIONED_PARTITION_SPEC,
                UNSORTED_SORT_ORDER,
                f"file://{self.folder}/{namespace}/{asked['name']}",
                asked["properties"],
            )
            table = asked["name"]
        elif method == "POST":
            self._commit(namespace, table, CommitTableRequest.model_validate_json(body))
        if (namespace, table) not in self.tables:
            raise Refused(404, "NoSuchTableException")
        metadata = json.loads(self.tables[namespace, table].model_dump_json())
        return {"metadata-location": f"{self.folder}/v.json", "metadata": metadata, "config": {}}

    def _commit(self, namespace: str, table: str, request: CommitTableRequest) -> None:
        base = self.tables[namespace, table]
        try:
            for requirement in request.requirements:
                requirement.validate(base)
        except CommitFailedException:
            raise Refused(409, "CommitFailedException") from None
        self.tables[namespace, table] = update_table_metadata(base, request.updates)


@contextmanager
def rest_catalog(folder: Path, credential: str) -> Iterator[str]:
    """Serve a catalog without tables, and return its URL."""
    catalog = RestCatalog(folder, credential)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            try:
                status, answer = (
                    200,
                    catalog.answer(
                        self.command, self.path.partition("?")[0], body, self.headers.get("Authorization", "")
                    ),
                )
            except Refused as refused:
                status = refused.status
                answer = {"error": {"message": "refused", "type": str(refused), "code": status}}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content)

        do_GET = do_POST = do_HEAD = _handle  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
