"""A Google Cloud Storage server for tests: the part of its JSON API that gcsfs uses, with a service account's token.

It follows https://cloud.google.com/storage/docs/json_api/v1: objects are replaced as a whole, a resumable upload
is visible after its last part, and listings are consistent. Folders of a hierarchical namespace, which gcsfs requests
by gRPC, are not supported.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.airflow.support.bucket import NAME, Bucket

# Read when gcsfs is imported, also in the processes of attempts.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

TOKEN = "ya29.TESTSTESTSTESTSTESTSTESTS"


@cache
def private_key() -> str:
    """Return a private key, which is generated once."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class ErrorAnswer(Exception):
    """An error: a status and a message."""


class GcsBucket(Bucket):
    """A bucket of Google Cloud Storage."""

    scheme = "gs"
    error_format = ("application/json", '{"error": {"code": STATUS, "message": "CODE, from the tests"}}')
    library_errors: ClassVar[dict[str | None, str]] = {
        "AccessDenied": "OSError: Forbidden", "EntityTooLarge": "HttpError", None: "ServerDisconnectedError",
        "down": "ClientConnectorError",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.secrets = (TOKEN, private_key().splitlines()[3])
        self._buckets: dict[str, dict[str, bytes]] = {}
        self._uploads: dict[str, tuple[str, str, bytearray]] = {}

    def describe(self, environ: dict[str, Any]) -> str:
        """Return method and path of a request, with the name of an uploaded object."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"], environ["tests.body"] = io.BytesIO(body), body
        url = urlsplit(environ["RAW_URI"])
        query = dict(parse_qsl(url.query))
        name = query.get("name") or self._uploads.get(query.get("upload_id", ""), ("", ""))[1]
        if "uploadType=multipart" in url.query:
            name = json.loads(body.split(b"\n\n", 1)[1].split(b"\n--", 1)[0])["name"]
        return f"{environ['REQUEST_METHOD']} {unquote(url.path)}" + (f"/{name}" if name else "")

    def is_write(self, request: str) -> bool:
        """Return whether a request writes, copies or moves an object."""
        return request.startswith("POST") and "/storage/v1/b/" in request

    def connection(self, url: str) -> dict[str, Any]:
        """Return an Airflow connection to a storage of this kind at a URL, with tokens from this server."""
        key = {
            "type": "service_account", "project_id": "tests", "private_key_id": "1", "private_key": private_key(),
            "client_email": "tests@tests.iam.gserviceaccount.com", "client_id": "1", "token_uri": f"{self.url}/token",
        }  # fmt: skip
        return {
            "conn_type": "google_cloud_platform",
            "extra": {"keyfile_dict": json.dumps(key), "gcs.endpoint": url},
        }

    def create(self) -> None:
        """Create the bucket."""
        self._buckets[NAME] = {}

    def names(self) -> list[str]:
        """Return the names of all buckets."""
        return sorted(self._buckets)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._buckets[NAME][key] = data

    def remove(self, key: str) -> None:
        """Remove an object."""
        del self._buckets[NAME][key]

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects under a prefix by the rest of their keys."""
        items = sorted(self._buckets[NAME].items())
        return {key.removeprefix(prefix): data for key, data in items if key.startswith(prefix)}

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Execute a request (WSGI)."""
        url = urlsplit(environ["RAW_URI"])
        path = [unquote(part) for part in url.path.split("/")[1:]]
        query = dict(parse_qsl(url.query))
        status, headers = 200, {"Content-Type": "application/json"}
        try:
            with self._lock:
                answer = self._answer(environ, path, query, headers)
            status = int(headers.pop("status", 200))
        except ErrorAnswer as error:
            status, message = error.args
            answer = {"error": {"code": status, "message": message}}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        start_response(f"{status} Status", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(  # noqa: PLR0911 - one return for each kind of request
        self, environ: dict[str, Any], path: list[str], query: dict[str, str], headers: dict[str, str]
    ) -> Any:
        method = environ["REQUEST_METHOD"]
        if path != ["token"] and environ.get("HTTP_AUTHORIZATION") != f"Bearer {TOKEN}":
            raise ErrorAnswer(401, "Invalid Credentials")
        match [method, *path]:
            case ["POST", "token"]:
                return {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            case ["POST", "storage", "v1", "b"]:
                self._buckets[json.loads(environ["tests.body"])["name"]] = {}
                return {"kind": "storage#bucket"}
            case [_, "upload", "storage", "v1", "b", bucket, "o"]:
                return self._upload(environ, self._bucket(bucket), bucket, query, headers)
            case ["GET", "storage", "v1", "b", bucket]:
                return {"kind": "storage#bucket", "name": bucket, "size": len(self._bucket(bucket))}
            case ["GET", "storage", "v1", "b", bucket, "o"]:
                return self._listing(bucket, query)
            case ["GET", "storage", "v1", "b", bucket, "o", key]:
                return self._metadata(bucket, key)
            case ["GET", "download", "storage", "v1", "b", bucket, "o", key]:
                return self._part(self._object(bucket, key), environ.get("HTTP_RANGE"), headers)
            case ["DELETE", "storage", "v1", "b", bucket, "o", key]:
                self._object(bucket, key)
                del self._buckets[bucket][key]
                return b""
            case ["POST", "storage", "v1", "b", bucket, "o", key, "moveTo", "o", new]:
                self._buckets[bucket][new] = self._object(bucket, key)
                del self._buckets[bucket][key]
                return self._metadata(bucket, new)
            case ["POST", "storage", "v1", "b", bucket, "o", key, "rewriteTo", "b", other, "o", new]:
                self._bucket(other)[new] = self._object(bucket, key)
                return {"done": True, "resource": self._metadata(other, new)}
        raise ErrorAnswer(400, f"The storage server of the tests has no {method} {'/'.join(path)}")

    def _bucket(self, bucket: str) -> dict[str, bytes]:
        if bucket not in self._buckets:
            raise ErrorAnswer(404, "The specified bucket does not exist.")
        return self._buckets[bucket]

    def _object(self, bucket: str, key: str) -> bytes:
        if key not in self._bucket(bucket):
            raise ErrorAnswer(404, f"No such object: {bucket}/{key}")
        return self._buckets[bucket][key]

    def _metadata(self, bucket: str, key: str) -> dict[str, Any]:
        data = self._object(bucket, key)
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        return {"kind": "storage#object", "bucket": bucket, "name": key, "size": str(len(data)), "md5Hash": md5}

    def _listing(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names: dict[str, bool] = {}
        for key in sorted(self._bucket(bucket)):
            if key.startswith(prefix):
                head, cut, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
                names[prefix + head + cut if cut else key] = bool(cut)
        rest = [name for name in names if name > query.get("pageToken", "")]
        page = rest[: int(query.get("maxResults", 1000))]
        return {
            "kind": "storage#objects",
            "items": [self._metadata(bucket, name) for name in page if not names[name]],
            "prefixes": [name for name in page if names[name]],
            **({"nextPageToken": page[-1]} if len(page) < len(rest) else {}),
        }

    @staticmethod
    def _part(data: bytes, requested: str | None, headers: dict[str, str]) -> bytes:
        headers["Content-Type"] = "application/octet-stream"
        if requested is None:
            return data
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", requested).groups()  # type: ignore[union-attr]
        if int(first) >= len(data):
            raise ErrorAnswer(416, "Request range not satisfiable")
        headers["status"] = "206"
        return data[int(first) : int(last) + 1 if last else None]

    def _upload(
        self, environ: dict[str, Any], objects: dict[str, bytes], bucket: str, query: dict[str, str],
        headers: dict[str, str],
    ) -> Any:  # fmt: skip
        body: bytes = environ["tests.body"]
        if query.get("uploadType") == "multipart":
            metadata, data = body.removesuffix(b"\n--==0==--").split(b"\n\n", 2)[1:]
            key = json.loads(metadata.split(b"\n--", 1)[0])["name"]
            _refuse_existing(objects, key, query)
            objects[key] = data
            return self._metadata(bucket, key)
        if "upload_id" not in query:
            _refuse_existing(objects, query["name"], query)
            upload = uuid.uuid4().hex
            self._uploads[upload] = (bucket, query["name"], bytearray())
            headers["Location"] = f"{self.url}/upload/storage/v1/b/{bucket}/o?upload_id={upload}"
            return b""
        bucket, key, parts = self._uploads[query["upload_id"]]
        if environ["REQUEST_METHOD"] == "DELETE":
            del self._uploads[query["upload_id"]]
            raise ErrorAnswer(499, "Cancelled")
        first, total = re.fullmatch(r"bytes (\*|\d+-\d+)/(\*|\d+)", environ["HTTP_CONTENT_RANGE"]).groups()  # type: ignore[union-attr]
        assert first == "*" or int(first.partition("-")[0]) == len(parts)
        parts += body
        if total == "*":
            assert len(body) % 2**18 == 0
            headers |= {"status": "308", "Range": f"bytes=0-{len(parts) - 1}"}
            return b""
        objects[key] = bytes(parts)
        del self._uploads[query["upload_id"]]
        return self._metadata(bucket, key)


def _refuse_existing(objects: dict[str, bytes], key: str, query: dict[str, str]) -> None:
    if query.get("ifGenerationMatch") == "0" and key in objects:
        raise ErrorAnswer(412, "At least one of the pre-conditions you specified did not hold.")
