"""Requests and answers, and errors with Retreaver's status codes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from airflow_provider_retreaver.sandbox.http import bodies, markup


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    :param status: Its status code.
    :param headers: Names and values in their order.
    :param body: Its body.
    :param delay: How many seconds pass before it is sent.
    :param cut: Whether the connection is dropped instead of sending it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    delay: float = 0.0
    cut: bool = False


class ApiError(Exception):
    """An error that is answered to the client.

    :param status: Status code of the answer.
    :param body: Its JSON body.
    :param headers: Headers of the answer.
    """

    def __init__(self, status: int, body: Mapping[str, Any], headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers


def api_error(status: int, message: str) -> ApiError:
    """Make an error with a message.

    :param status: Status code of the answer.
    :param message: The message.
    :return: The error, to be raised.
    """
    return ApiError(status, {"error": message})


def validation_error(errors: Mapping[str, Sequence[str]]) -> ApiError:
    """Make an error 422 that names attributes and what is wrong with them.

    :param errors: Messages by attribute.
    :return: The error, to be raised.
    """
    return ApiError(422, {"errors": {name: list(texts) for name, texts in errors.items()}})


@dataclass(frozen=True, slots=True)
class Reply:
    """A handler's result, before it is written as JSON or XML.

    :param value: The body as plain Python values; None is an empty body.
    :param status: Status code of the answer.
    :param headers: Headers of the answer.
    :param content: The body of a file, which is written as it is.
    :param content_type: Type of the file.
    """

    value: Any = None
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    content_type: str = ""


class Request:
    """One request: its path is split, its format is separated, and its body is parsed when it is first read.

    :param method: HTTP method.
    :param path: Path, percent-encoded as it was sent.
    :param query: Decoded query parameters in their order.
    :param headers: Headers by name.
    :param body: Body as it was sent.
    """

    def __init__(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str], body: bytes
    ) -> None:
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

        :raises ApiError: With status 400, if the body cannot be parsed.
        """
        if self._content is None:
            try:
                self._content = bodies.read(self.headers.get("content-type", ""), self.body)
            except ValueError as error:
                raise api_error(400, f"the body could not be read: {error}") from error
        return self._content

    def param(self, name: str) -> str | None:
        """Return a query parameter, or a field of a form body, as Rails merges them.

        :param name: Name of the parameter.
        :return: Its value, the last one if there are several; None if there is none.
        """
        for key, value in reversed(self.query):
            if key == name:
                return value
        if self.headers.get("content-type", "").startswith(bodies.FORMS):
            posted = self.content.get(name)
            return posted if isinstance(posted, str) else None
        return None

    def envelope(self, name: str) -> dict[str, Any]:
        """Return the object that the body wraps.

        :param name: Name of the envelope, for example ``target``.
        :return: The object.
        :raises ApiError: With status 400, if the body has no such object.
        """
        inner = self.content.get(name)
        if not isinstance(inner, dict):
            raise api_error(400, f"param is missing or the value is empty: {name}")
        return inner

    def answer_format(self, only: str | None = None, formats: Sequence[str] = ()) -> str:
        """Choose the format of the answer by the path's extension, or by the ``Accept`` header without one.

        :param only: The only format that is served here, a blank for a path without one; None serves JSON and XML.
        :param formats: The extensions that are served here, besides none.
        :return: ``json`` or ``xml``; ``json`` also for the errors of another format.
        :raises ApiError: With status 406 for any other format.
        """
        if formats:
            if self.format is not None and self.format not in formats:
                raise api_error(406, f"Only {', '.join(formats)} are served here.")
            return "json"
        if only is not None:
            if (self.format or "") != only:
                raise api_error(406, f"Only .{only} is served here." if only else "This path has no extension.")
            return "json"
        if self.format in ("json", "xml"):
            return self.format
        accept = self.headers.get("accept", "")
        if self.format is None and "json" in accept:
            return "json"
        if self.format is None and "xml" in accept and "html" not in accept:
            return "xml"
        raise api_error(406, "Only .json and .xml are served here.")


def refuse(error: ApiError, form: str = "json") -> Answer:
    """Write an error as an HTTP response.

    :param error: The error.
    :param form: ``json`` or ``xml``.
    :return: The response.
    """
    return write(Reply(dict(error.body), error.status, list(error.headers)), form)


def write(reply: Reply, form: str = "json") -> Answer:
    """Write a handler's result as an HTTP response.

    :param reply: The result.
    :param form: ``json`` or ``xml``.
    :return: The response.
    """
    headers = list(reply.headers)
    if reply.value is None:
        if reply.content:
            headers.insert(0, ("Content-Type", reply.content_type))
        return Answer(reply.status, headers, reply.content)
    if form == "xml":
        headers.insert(0, ("Content-Type", "application/xml; charset=utf-8"))
        return Answer(reply.status, headers, markup.document(reply.value))
    headers.insert(0, ("Content-Type", "application/json; charset=utf-8"))
    body = json.dumps(reply.value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(reply.status, headers, body)
