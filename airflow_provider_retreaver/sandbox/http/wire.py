"""Requests as they came, answers as they go, and refusals with the vendor's status codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from airflow_provider_retreaver.sandbox.http import bodies, markup


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: with ``delay`` seconds first, or (``cut``) a dropped connection."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    delay: float = 0.0
    cut: bool = False


class Refusal(Exception):
    """The vendor says no: a status and a JSON body."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]] = ()) -> None:
        """Keep what the answer will be made of."""
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


def refused(status: int, message: str) -> Refusal:
    """Make a refusal with one sentence."""
    return Refusal(status, {"error": message})


def invalid(errors: Mapping[str, Sequence[str]]) -> Refusal:
    """Make the 422 that names fields and what is wrong with them."""
    return Refusal(422, {"errors": {name: list(texts) for name, texts in errors.items()}})


@dataclass(frozen=True, slots=True)
class Reply:
    """A handler's result before it is written as JSON or XML; ``value`` None is an empty body."""

    value: Any = None
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)


class Request:
    """One request, with the path split, the format taken off, and the body read on demand."""

    def __init__(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> None:
        """Split a path that is still percent-encoded; nothing is judged yet."""
        self.method = method.upper()
        self.path = path
        self.query = list(query)
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        trimmed = path.strip("/")
        parts = trimmed.split("/") if trimmed else []
        self.format: str | None = None
        if parts and "." in parts[-1]:
            parts[-1], self.format = parts[-1].rsplit(".", 1)
        self.segments = [unquote(part) for part in parts]
        self._content: dict[str, Any] | None = None

    @property
    def content(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty object.

        Raises Refusal 400 when the body cannot be read.
        """
        if self._content is None:
            try:
                self._content = bodies.read(self.headers.get("content-type", ""), self.body)
            except ValueError as error:
                raise refused(400, f"the body could not be read: {error}") from error
        return self._content

    def param(self, name: str) -> str | None:
        """Give a query parameter (the last one wins), or the same from a form body, as Rails merges them."""
        for key, value in reversed(self.query):
            if key == name:
                return value
        if self.headers.get("content-type", "").startswith(bodies.FORMS):
            posted = self.content.get(name)
            return posted if isinstance(posted, str) else None
        return None

    def envelope(self, name: str) -> dict[str, Any]:
        """Give the object wrapped in ``name``; Refusal 400 when the body has none."""
        inner = self.content.get(name)
        if not isinstance(inner, dict):
            raise refused(400, f"param is missing or the value is empty: {name}")
        return inner

    def answer_format(self) -> str:
        """Choose json or xml from the extension, or the Accept header without one; Refusal 406 else."""
        if self.format in ("json", "xml"):
            return self.format
        accept = self.headers.get("accept", "")
        if self.format is None and "json" in accept:
            return "json"
        if self.format is None and "xml" in accept and "html" not in accept:
            return "xml"
        raise refused(406, "Only .json and .xml are served here.")


def write(reply: Reply, form: str = "json") -> Answer:
    """Turn a handler's result into bytes."""
    headers = list(reply.headers)
    if reply.value is None:
        return Answer(reply.status, headers, b"")
    if form == "xml":
        headers.insert(0, ("Content-Type", "application/xml; charset=utf-8"))
        return Answer(reply.status, headers, markup.document(reply.value))
    headers.insert(0, ("Content-Type", "application/json; charset=utf-8"))
    body = json.dumps(reply.value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(reply.status, headers, body)
