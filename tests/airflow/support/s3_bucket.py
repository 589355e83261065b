"""An S3 server for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tests.airflow.support.bucket import NAME, Bucket

LOGIN, PASSWORD = "AKIATESTSTESTSTESTS0", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYTESTSKEY00"


class S3Bucket(Bucket):
    """A bucket of S3."""

    scheme = "s3"
    secrets = (PASSWORD,)
    error_format = (
        "application/xml",
        '<?xml version="1.0"?><Error><Code>CODE</Code><Message>CODE, from the tests</Message></Error>',
    )

    library_errors: ClassVar[dict[str | None, str]] = {
        "AccessDenied": "PermissionError", "EntityTooLarge": "OSError", None: "ConnectionClosedError",
        "down": "EndpointConnectionError",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._app = DomainDispatcherApplication(create_backend_app)

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Execute a request (WSGI)."""
        return self._app(environ, start_response)  # type: ignore[no-any-return]

    def is_write(self, request: str) -> bool:
        """Return whether a request writes, copies or moves an object."""
        return request.startswith("PUT")

    def connection(self, url: str) -> dict[str, Any]:
        """Return an Airflow connection to a storage of this kind at a URL."""
        extra = {"endpoint_url": url, "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": LOGIN, "password": PASSWORD, "extra": extra}

    def _client(self) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=LOGIN, aws_secret_access_key=PASSWORD,
            region_name="us-east-1",
        )  # fmt: skip

    def create(self) -> None:
        """Create the bucket."""
        self._client().create_bucket(Bucket=NAME)

    def names(self) -> list[str]:
        """Return the names of all buckets."""
        return [bucket["Name"] for bucket in self._client().list_buckets()["Buckets"]]

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        self._client().put_object(Bucket=NAME, Key=key, Body=data)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._client().delete_object(Bucket=NAME, Key=key)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects under a prefix by the rest of their keys."""
        client = self._client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {
            key.removeprefix(prefix): client.get_object(Bucket=NAME, Key=key)["Body"].read() for key in sorted(keys)
        }
