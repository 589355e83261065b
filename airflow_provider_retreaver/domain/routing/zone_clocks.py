"""What the clocks of two time zones have in common in the coming years, by the zone database in force.

That is the database that `zoneinfo` reads: the system's, or the package `tzdata` where the system has none or
`PYTHONTZPATH` is empty. Governments change clocks at short notice and systems keep their databases for years, so a
zone about which the system's database and the package disagree is refused unless the system's is the newer one.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow_provider_retreaver.core.errors import InvalidArgument

# Hours stay until someone changes them again.
YEARS = 5
_DAYS = YEARS * 366
# Files that name the version of a folder of zones, on Linux and on macOS.
_VERSION_FILES = ("tzdata.zi", "+VERSION")
_VERSION = re.compile(r"(?:# version )?(\d{4}[a-z]+)")
_MINUTE = timedelta(minutes=1)

# Offsets from UTC at noon UTC of every day.
_Offsets = tuple[timedelta, ...]


def keeps_clock(zone: str, other: str, since: date) -> bool:
    """Return whether the clocks of two zones certainly show the same time in the coming years.

    :param zone: zone of the tz database.
    :param other: zone of the tz database.
    :param since: first day that is compared.
    :return: True when they always do; False also when two databases disagree about one of the zones.
    """
    if any(_disputed_since(name, since) for name in (zone, other)):
        return False
    return _first_difference(ZoneInfo(zone), ZoneInfo(other), since) is None


def first_difference(zone: str, other: str, since: date) -> date | None:
    """Return when the clocks of two zones first differ in the coming years.

    :param zone: zone of the tz database.
    :param other: zone of the tz database.
    :param since: first day that is compared.
    :return: the day; None when they never do.
    :raises InvalidArgument: when two databases disagree about one of the zones.
    """
    for name in (zone, other):
        _refuse_disputed(name, since)
    return _first_difference(ZoneInfo(zone), ZoneInfo(other), since)


@lru_cache(maxsize=256)
def minutes_ahead(zone: str, other: str, since: date) -> int | None:
    """Return by how many minutes the clocks of one zone are ahead of another's in the coming years.

    Compared at noon UTC of every day: by then both of two zones that change their clocks in the same night have done
    so.

    :param zone: zone of the tz database.
    :param other: zone of the tz database.
    :param since: first day that is compared.
    :return: minutes, None when they change.
    :raises InvalidArgument: when two databases disagree about one of the zones.
    """
    for name in (zone, other):
        _refuse_disputed(name, since)
    pairs = zip(_offsets(ZoneInfo(zone), since), _offsets(ZoneInfo(other), since), strict=True)
    ahead = {round((one - two) / _MINUTE) for one, two in pairs}
    return ahead.pop() if len(ahead) == 1 else None


def _refuse_disputed(zone: str, since: date) -> None:
    difference = _disputed_since(zone, since)
    if difference is not None:
        raise InvalidArgument(
            f"The time zone database of this system ({_system_version() or 'of an unknown version'}) and the Python "
            f"package tzdata ({_package_version()}) disagree about the clocks of {zone} from {difference} on. The "
            f"older one must be updated; with the environment variable PYTHONTZPATH set to an empty text Python uses "
            f"the package."
        )


@lru_cache(maxsize=256)
def _disputed_since(zone: str, since: date) -> date | None:
    """Return from when the package disagrees with the database in force, unless that is newer."""
    system = _system_version()
    if not zoneinfo.TZPATH or (system is not None and system > _package_version()):
        return None
    packaged = _packaged(zone)
    return None if packaged is None else _first_difference(ZoneInfo(zone), packaged, since)


def _packaged(zone: str) -> ZoneInfo | None:
    file = resources.files("tzdata").joinpath("zoneinfo", *zone.split("/"))
    if not file.is_file():
        return None
    with file.open("rb") as data:
        return ZoneInfo.from_file(data, key=zone)


def _package_version() -> str:
    return str(import_module("tzdata").IANA_VERSION)


def _system_version() -> str | None:
    """Return the version that the first of the system's folders with zones names, e.g. `2025b`."""
    for folder in map(Path, zoneinfo.TZPATH):
        if folder.is_dir():
            files = [folder / name for name in _VERSION_FILES if (folder / name).is_file()]
            found = _VERSION.match(files[0].read_text(encoding="utf-8")) if files else None
            return found[1] if found else None
    return None


@lru_cache(maxsize=256)
def _first_difference(one: ZoneInfo, other: ZoneInfo, since: date) -> date | None:
    if one is other:
        return None
    first, second = _offsets(one, since), _offsets(other, since)
    for day, (noon, offset, other_offset) in enumerate(zip(_noons(since), first, second, strict=True)):
        changed = day and offset != first[day - 1]
        if offset != other_offset or (changed and _change(one, noon) != _change(other, noon)):
            return noon.date()
    return None


def _change(zone: ZoneInfo, noon: datetime) -> datetime:
    """Return the first minute of the day before noon at which the clock shows the offset of noon."""
    after, before = noon, noon - timedelta(days=1)
    while after - before > _MINUTE:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == noon.astimezone(zone).utcoffset():
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=256)
def _offsets(zone: ZoneInfo, since: date) -> _Offsets:
    return tuple(noon.astimezone(zone).utcoffset() or timedelta(0) for noon in _noons(since))


def _noons(since: date) -> Iterator[datetime]:
    noon = datetime(since.year, since.month, since.day, 12, tzinfo=UTC)
    return (noon + timedelta(days=days) for days in range(_DAYS))
