"""Links of tasks in Airflow's web interface: the object in its portal, and the file that was written.

A task notes the address as an XCom, since Airflow's web server never reads a connection. On Airflow 3 the API server
returns that XCom, to which the worker writes what `get_link` returns; on 2.11 the web server calls `get_link`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_retreaver.core.secrets import redact

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_retreaver.core.client_settings import ClientSettings

# Of the kinds in results (`domain/objects/key.py`).
RESOURCES = {
    "target": "targets",
    "group": "target_groups",
    "contact": "contacts",
    "campaign": "campaigns",
    "buyer group": "buyer_groups",
}


class NotedLink(BaseOperatorLink):
    """A link whose address the task has noted."""

    key = ""

    @property
    def xcom_key(self) -> str:
        """The key of the XCom that holds the address."""
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the address that the task noted.

        :param operator: not needed.
        :param ti_key: of the task instance; with its map index.
        :return: the address; blank for none, which shows no link.
        """
        from airflow.providers.common.compat.sdk import XCom

        noted = XCom.get_value(ti_key=ti_key, key=self.key)
        return noted if isinstance(noted, str) and noted.startswith(("https://", "http://")) else ""


class RetreaverLink(NotedLink):
    """Leads to the target, target group, campaign, affiliate, number or call in Retreaver's portal."""

    name = "Open in Retreaver"
    key = "retreaver_link"


class TrackDriveLink(NotedLink):
    """Leads to the buyer group in TrackDrive's portal."""

    name = "Open in TrackDrive"
    key = "trackdrive_link"


class FileLink(NotedLink):
    """Leads to the file, or to the manifest of the files, that the task wrote."""

    name = "Written file"
    key = "retreaver_file_link"


class Linked(Protocol):
    """An operator or sensor that has a link to objects."""

    @property
    def object_link(self) -> type[NotedLink]:
        """The link."""


class Connected(Protocol):
    """A hook, whose connection was read."""

    @property
    def settings(self) -> ClientSettings:
        """The settings of the connection."""


def note_objects(
    task: Linked, context: Context, hook: Connected, resource: str, ids: Collection[object] = ()
) -> None:
    """Note where objects are shown.

    :param task: the operator or sensor.
    :param context: of the task.
    :param hook: of the account.
    :param resource: e.g. `targets`.
    :param ids: the account's own IDs; several, or none, lead to the list of them.
    """
    _note(context, task.object_link, hook.settings.portal.page(resource, ids))


def note_rows(task: Linked, context: Context, hook: Connected, rows: Iterable[Mapping[str, Any]]) -> None:
    """Note where the objects of a result are shown, if all of them have the same kind.

    :param task: the operator or sensor.
    :param context: of the task.
    :param hook: of the account.
    :param rows: with `kind` and `id`; of a row without `kind`, `id` is that of a target.
    """
    found = {_object_of(row) for row in rows}
    ids = {one for _, one in found if one is not None}
    resources = {resource for resource, _ in found}
    if len(resources) == 1 and ids:
        note_objects(task, context, hook, resources.pop(), ids)


def note_file(context: Context, hook: Connected | None, path: object) -> None:
    """Note where a browser opens a file.

    :param context: of the task.
    :param hook: of the account, whose connection says where files are shown; None for a task without account.
    :param path: of the file on object storage.
    """
    from airflow_provider_retreaver.core.portal import file_page
    from airflow_provider_retreaver.storage.paths import has_other_endpoint, storage_path

    elsewhere = has_other_endpoint(storage_path(path, "path"))
    links = {} if hook is None else hook.settings.file_links
    _note(context, FileLink, file_page(str(path), links, other_endpoint=elsewhere))


def _object_of(row: Mapping[str, Any]) -> tuple[str, object]:
    if "kind" in row:
        return RESOURCES.get(row["kind"], ""), row.get("id")
    if "id" not in row and "target_group_id" in row:
        return "target_groups", row["target_group_id"]
    return "targets", row.get("id")


def _note(context: Context, link: type[NotedLink], page: str | None) -> None:
    instance = context.get("ti")
    # A path of the connection that holds a key is shown nowhere.
    if instance is not None and page is not None and redact(page) == page:
        instance.xcom_push(key=link.key, value=page)
