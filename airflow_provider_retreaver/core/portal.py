"""Addresses of pages that show what a task worked on: an object in the portal of its account, or a file.

No document of Retreaver or TrackDrive gives the addresses of their portals' pages (docs/assumptions.md). They can be
set in a connection, and where an address is not known there is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from airflow_provider_retreaver.core.base_url import read_base_url, url_text
from airflow_provider_retreaver.core.extras import Fields

RETREAVER_PORTAL = "https://retreaver.com"
RETREAVER_PATHS = {
    name: f"/{name}/{{id}}"
    for name in ("affiliates", "calls", "campaigns", "numbers", "suppressed_numbers", "target_groups", "targets")
}
# Objects that may have a page too; none is assumed.
OTHER_RESOURCES = ("contacts", "number_pools")
TRACKDRIVE_PATHS = {"buyer_groups": "/buyer_groups/{id}"}

_ID = "{id}"
_PATH = re.compile(r"/[!-z|~]*\{id\}[!-z|~]*")


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal of an account.

    :param base: its address, without a slash at the end; None where it is not known.
    :param paths: path of an object's page by resource, with `{id}` in it.
    """

    base: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)

    def page(self, resource: str, ids: Collection[object]) -> str | None:
        """Return the address of the page of one object, or of the list of several.

        :param resource: e.g. `targets`.
        :param ids: of the objects; several, or none, mean the list.
        :return: the address; None where it is not known.
        """
        path = self.paths.get(resource)
        if self.base is None or not path:
            return None
        if len(ids) == 1:
            (one,) = ids
            return f"{self.base}{path.replace(_ID, quote(str(one), safe=''))}"
        return f"{self.base}{path.removesuffix('/' + _ID)}" if path.endswith("/" + _ID) else None


def read_portal(fields: Fields, base: str | None, paths: Mapping[str, str], others: Collection[str] = ()) -> Portal:
    """Read the extras `portal_url` and `portal_paths`.

    :param fields: of the connection.
    :param base: address of the portal where the extra is blank; None where it is not known.
    :param paths: of the pages, where the extra does not say otherwise.
    :param others: further resources that the extra may name.
    :return: the portal.
    :raises InvalidConnection: naming the extra.
    """
    # Nobody's key is sent there, so that http:// is as good.
    url = url_text(fields, "portal_url", read_base_url(fields, "portal_url", ""), allow_http=True)
    known = sorted({*paths, *others})
    given = fields.texts("portal_paths")
    if any(name not in known for name in given):
        raise fields.error("portal_paths", f"has a name that is none of {', '.join(known)}")
    if any(path and (not _PATH.fullmatch(path) or path.count("{") > 1) for path in given.values()):
        raise fields.error("portal_paths", "must map names to paths with one {id}, like /targets/{id}, or to blanks")
    return Portal(url or base, {**paths, **given})


def read_file_links(fields: Fields) -> dict[str, str]:
    """Read the extra `file_links`: where folders of a storage can be opened in a browser.

    :param fields: of the connection.
    :return: http(s) addresses by the URL of a folder.
    :raises InvalidConnection: naming the extra.
    """
    links = fields.texts("file_links")
    if not all(_is_folder(folder) and _is_page(page) for folder, page in links.items()):
        raise fields.error(
            "file_links",
            'must map folders that end with a slash to http(s) addresses, like {"s3://bucket/": "https://files/"}',
        )
    return links


def file_page(url: str, links: Mapping[str, str], *, other_endpoint: bool = False) -> str | None:
    """Return the address at which a browser opens a file or folder on object storage.

    :param url: of the file, or of the folder with a slash at the end; the ID of a connection in it is left out.
    :param links: see `read_file_links`; the longest folder that holds the file decides.
    :param other_endpoint: whether the storage is not at Amazon's or Google's own address.
    :return: the address; None where it is not known.
    """
    # By hand: in the key of an object, any character is a part of the key.
    scheme, separator, rest = url.partition("://")
    place, _, key = (rest if separator else f"/{url.lstrip('/')}").partition("/")
    scheme, bucket = scheme if separator else "file", place.rpartition("@")[2]
    plain = f"{scheme}://{bucket}/{key}"
    if folders := [folder for folder in links if plain.startswith(folder)]:
        folder = max(folders, key=len)
        return f"{links[folder]}{quote(plain.removeprefix(folder))}"
    if other_endpoint or not bucket:
        return None
    is_folder = key.endswith("/")
    if scheme in {"s3", "s3a", "s3n"}:
        kind = "buckets" if is_folder else "object"
        return f"https://console.aws.amazon.com/s3/{kind}/{quote(bucket)}?prefix={quote(key, safe='')}"
    if scheme in {"gs", "gcs"}:
        details = "" if is_folder else "_details/"
        return f"https://console.cloud.google.com/storage/browser/{details}{quote(bucket)}/{quote(key)}"
    return None


def _is_folder(url: str) -> bool:
    # Folders of a disk may have spaces.
    return re.fullmatch(r"[a-z][a-z0-9+.-]*://(?:[^\s@]| )*/", url) is not None


def _is_page(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
