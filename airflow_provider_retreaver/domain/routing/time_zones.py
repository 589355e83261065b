"""Retreaver's time zone names and those of the tz database (Retreaver's reference: "Valid Time Zones").

Retreaver uses Rails' names ("Eastern Time (US & Canada)"), users those of the tz database ("America/New_York").
Several of Retreaver's names may be the same zone. The name to write is then the first one in the table below: the
zone's own city where it is among the names (London, not Edinburgh), otherwise the largest one. A target with another
name of the same zone keeps it.

A zone that Retreaver has no name for stands for another one (America/Toronto for New York) only as long as the zone
database in force says that both keep the same clock in the coming years.
"""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import did_you_mean, quoted
from airflow_provider_retreaver.domain.routing.zone_clocks import first_difference, keeps_clock

# Zone of the tz database: Retreaver's names for it, the one to use first.
NAMES: dict[str, tuple[str, ...]] = {
    # Pacific
    "Etc/GMT+12": ("International Date Line West",),
    "Pacific/Midway": ("Midway Island",),
    "Pacific/Pago_Pago": ("American Samoa",),
    "Pacific/Honolulu": ("Hawaii",),
    "Pacific/Guam": ("Guam",),
    "Pacific/Port_Moresby": ("Port Moresby",),
    "Pacific/Guadalcanal": ("Solomon Is.",),
    "Pacific/Noumea": ("New Caledonia",),
    "Pacific/Fiji": ("Fiji",),
    "Pacific/Majuro": ("Marshall Is.",),
    "Pacific/Auckland": ("Auckland", "Wellington"),
    "Pacific/Tongatapu": ("Nuku'alofa",),
    "Pacific/Fakaofo": ("Tokelau Is.",),
    "Pacific/Chatham": ("Chatham Is.",),
    "Pacific/Apia": ("Samoa",),
    # America
    "America/Juneau": ("Alaska",),
    "America/Los_Angeles": ("Pacific Time (US & Canada)",),
    "America/Tijuana": ("Tijuana",),
    "America/Denver": ("Mountain Time (US & Canada)",),
    "America/Phoenix": ("Arizona",),
    "America/Chihuahua": ("Chihuahua",),
    "America/Mazatlan": ("Mazatlan",),
    "America/Chicago": ("Central Time (US & Canada)",),
    "America/Regina": ("Saskatchewan",),
    "America/Mexico_City": ("Mexico City", "Guadalajara"),
    "America/Monterrey": ("Monterrey",),
    "America/Guatemala": ("Central America",),
    "America/New_York": ("Eastern Time (US & Canada)",),
    "America/Indiana/Indianapolis": ("Indiana (East)",),
    "America/Bogota": ("Bogota",),
    "America/Lima": ("Lima", "Quito"),
    "America/Halifax": ("Atlantic Time (Canada)",),
    "America/Caracas": ("Caracas",),
    "America/La_Paz": ("La Paz",),
    "America/Santiago": ("Santiago",),
    "America/St_Johns": ("Newfoundland",),
    "America/Sao_Paulo": ("Brasilia",),
    "America/Argentina/Buenos_Aires": ("Buenos Aires",),
    "America/Montevideo": ("Montevideo",),
    "America/Guyana": ("Georgetown",),
    "America/Nuuk": ("Greenland",),
    # Atlantic and Africa
    "Atlantic/South_Georgia": ("Mid-Atlantic",),
    "Atlantic/Azores": ("Azores",),
    "Atlantic/Cape_Verde": ("Cape Verde Is.",),
    "Africa/Casablanca": ("Casablanca",),
    "Africa/Monrovia": ("Monrovia",),
    "Africa/Algiers": ("West Central Africa",),
    "Africa/Cairo": ("Cairo",),
    "Africa/Harare": ("Harare",),
    "Africa/Johannesburg": ("Pretoria",),
    "Africa/Nairobi": ("Nairobi",),
    "Etc/UTC": ("UTC",),
    # Europe
    "Europe/Dublin": ("Dublin",),
    "Europe/London": ("London", "Edinburgh"),
    "Europe/Lisbon": ("Lisbon",),
    "Europe/Belgrade": ("Belgrade",),
    "Europe/Bratislava": ("Bratislava",),
    "Europe/Budapest": ("Budapest",),
    "Europe/Ljubljana": ("Ljubljana",),
    "Europe/Prague": ("Prague",),
    "Europe/Sarajevo": ("Sarajevo",),
    "Europe/Skopje": ("Skopje",),
    "Europe/Warsaw": ("Warsaw",),
    "Europe/Zagreb": ("Zagreb",),
    "Europe/Brussels": ("Brussels",),
    "Europe/Copenhagen": ("Copenhagen",),
    "Europe/Madrid": ("Madrid",),
    "Europe/Paris": ("Paris",),
    "Europe/Amsterdam": ("Amsterdam",),
    "Europe/Berlin": ("Berlin",),
    "Europe/Zurich": ("Bern",),
    "Europe/Rome": ("Rome",),
    "Europe/Stockholm": ("Stockholm",),
    "Europe/Vienna": ("Vienna",),
    "Europe/Bucharest": ("Bucharest",),
    "Europe/Helsinki": ("Helsinki",),
    "Europe/Kyiv": ("Kyiv",),
    "Europe/Riga": ("Riga",),
    "Europe/Sofia": ("Sofia",),
    "Europe/Tallinn": ("Tallinn",),
    "Europe/Vilnius": ("Vilnius",),
    "Europe/Athens": ("Athens",),
    "Europe/Istanbul": ("Istanbul",),
    "Europe/Minsk": ("Minsk",),
    "Europe/Moscow": ("Moscow", "St. Petersburg"),
    "Europe/Volgograd": ("Volgograd",),
    # Asia
    "Asia/Jerusalem": ("Jerusalem",),
    "Asia/Kuwait": ("Kuwait",),
    "Asia/Riyadh": ("Riyadh",),
    "Asia/Baghdad": ("Baghdad",),
    "Asia/Tehran": ("Tehran",),
    "Asia/Muscat": ("Muscat", "Abu Dhabi"),
    "Asia/Baku": ("Baku",),
    "Asia/Tbilisi": ("Tbilisi",),
    "Asia/Yerevan": ("Yerevan",),
    "Asia/Kabul": ("Kabul",),
    "Asia/Yekaterinburg": ("Ekaterinburg",),
    "Asia/Karachi": ("Karachi", "Islamabad"),
    "Asia/Tashkent": ("Tashkent",),
    "Asia/Kolkata": ("Kolkata", "New Delhi", "Mumbai", "Chennai"),
    "Asia/Kathmandu": ("Kathmandu",),
    # Rails has kept Astana at +06:00, where Kazakhstan's capital once was.
    "Asia/Dhaka": ("Dhaka", "Astana"),
    "Asia/Colombo": ("Sri Jayawardenepura",),
    "Asia/Almaty": ("Almaty",),
    "Asia/Novosibirsk": ("Novosibirsk",),
    "Asia/Yangon": ("Rangoon",),
    "Asia/Bangkok": ("Bangkok", "Hanoi"),
    "Asia/Jakarta": ("Jakarta",),
    "Asia/Krasnoyarsk": ("Krasnoyarsk",),
    "Asia/Shanghai": ("Beijing", "Chongqing"),
    "Asia/Hong_Kong": ("Hong Kong",),
    "Asia/Urumqi": ("Urumqi",),
    "Asia/Kuala_Lumpur": ("Kuala Lumpur",),
    "Asia/Singapore": ("Singapore",),
    "Asia/Taipei": ("Taipei",),
    "Asia/Irkutsk": ("Irkutsk",),
    "Asia/Ulaanbaatar": ("Ulaanbaatar",),
    "Asia/Seoul": ("Seoul",),
    "Asia/Tokyo": ("Tokyo", "Osaka", "Sapporo"),
    "Asia/Yakutsk": ("Yakutsk",),
    "Asia/Vladivostok": ("Vladivostok",),
    "Asia/Magadan": ("Magadan",),
    "Asia/Kamchatka": ("Kamchatka",),
    # Australia
    "Australia/Perth": ("Perth",),
    "Australia/Darwin": ("Darwin",),
    "Australia/Adelaide": ("Adelaide",),
    "Australia/Melbourne": ("Melbourne", "Canberra"),
    "Australia/Sydney": ("Sydney",),
    "Australia/Brisbane": ("Brisbane",),
    "Australia/Hobart": ("Hobart",),
}

# Retreaver's name to the zone of the tz database.
RAILS: dict[str, str] = {name: zone for zone, names in NAMES.items() for name in names}

# Zones of the tz database that have kept the clock of one of those above; whether they still do is asked every time.
ALIKE: dict[str, str] = {
    "UTC": "Etc/UTC",
    "Etc/GMT": "Etc/UTC",
    "GMT": "Etc/UTC",
    "US/Hawaii": "Pacific/Honolulu",
    "US/Alaska": "America/Juneau",
    "America/Anchorage": "America/Juneau",
    "US/Pacific": "America/Los_Angeles",
    "America/Vancouver": "America/Los_Angeles",
    "US/Mountain": "America/Denver",
    "America/Boise": "America/Denver",
    "America/Edmonton": "America/Denver",
    "US/Arizona": "America/Phoenix",
    "US/Central": "America/Chicago",
    "America/Winnipeg": "America/Chicago",
    "US/Eastern": "America/New_York",
    "America/Detroit": "America/New_York",
    "America/Toronto": "America/New_York",
    "America/Montreal": "America/New_York",
    "US/East-Indiana": "America/Indiana/Indianapolis",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "America/Kentucky/Louisville": "America/New_York",
    "Canada/Eastern": "America/New_York",
    "Canada/Central": "America/Chicago",
    "Canada/Mountain": "America/Denver",
    "Canada/Pacific": "America/Los_Angeles",
    "Canada/Atlantic": "America/Halifax",
    "Canada/Newfoundland": "America/St_Johns",
    "America/Guayaquil": "America/Lima",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Godthab": "America/Nuuk",
    "Europe/Kiev": "Europe/Kyiv",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Dubai": "Asia/Muscat",
    "Asia/Ho_Chi_Minh": "Asia/Bangkok",
    "Asia/Chongqing": "Asia/Shanghai",
    "Asia/Tel_Aviv": "Asia/Jerusalem",
    "Africa/Lagos": "Africa/Algiers",
    "Australia/Canberra": "Australia/Melbourne",
    "Australia/ACT": "Australia/Melbourne",
    "Australia/NSW": "Australia/Sydney",
    "Australia/Victoria": "Australia/Melbourne",
}


def iana_name(name: object, since: date, parameter: str = "time_zone") -> str:
    """Return the zone of the tz database for a name of either kind.

    :param name: one of Retreaver's names, or one of the tz database that Retreaver has a name for.
    :param since: first day of the coming years in which a zone without such a name must keep another one's clock.
    :param parameter: name of the parameter, for the error.
    :return: a key of `NAMES`.
    :raises InvalidArgument: for another name, or when two zone databases disagree about the zone.
    """
    text = name.strip() if isinstance(name, str) else ""
    for candidate in (RAILS.get(text), text if text in NAMES else None):
        if candidate is not None:
            return candidate
    alike = ALIKE.get(text)
    difference = None if alike is None else first_difference(text, alike, since)
    if alike is not None and difference is None:
        return alike
    if not _exists(text):
        otherwise = "give 'America/New_York' or 'Eastern Time (US & Canada)'."
        hint = did_you_mean(text, (*RAILS, *NAMES, *ALIKE), otherwise)
        raise InvalidArgument(f"{parameter} {quoted(name)} is not a time zone; {hint}")
    reason = f": it differs from {quoted(NAMES[alike][0])} from {difference} on" if alike is not None else ""
    raise InvalidArgument(f"{parameter} {quoted(name)} has no name in Retreaver{reason}; {_hint(text, since)}")


def rails_name(name: object, since: date, parameter: str = "time_zone") -> str:
    """Return Retreaver's name for a zone.

    :param name: a name of either kind; one of Retreaver's is returned as it is.
    :param since: see `iana_name`.
    :param parameter: name of the parameter, for the error.
    :return: Retreaver's name.
    :raises InvalidArgument: for a name that is neither.
    """
    zone = iana_name(name, since, parameter)
    return str(name).strip() if str(name).strip() in RAILS else NAMES[zone][0]


def same_zone(one: object, other: object, since: date) -> bool:
    """Return whether two names of either kind are the same zone.

    :param one: a name.
    :param other: a name.
    :param since: see `iana_name`.
    :return: True when they are; False also for unknown names.
    """
    try:
        return iana_name(one, since) == iana_name(other, since)
    except InvalidArgument:
        return False


def _hint(zone: str, since: date) -> str:
    """Return what to write instead of a zone: names with its clock, which only its author knows to be meant."""
    alike = [names[0] for one, names in NAMES.items() if keeps_clock(zone, one, since)]
    if not alike:
        return "give one of Retreaver's time zones."
    return f"{' and '.join(map(repr, alike[:3]))} will have the same clock, if that is what is meant."


def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
