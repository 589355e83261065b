"""The calls that the benchmark's server serves: as large as real ones, each with a different UUID."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
SPACING = timedelta(seconds=20)
_PIXEL = "https://pixels.example.com/fire?click={}&revenue=12.5&source=google-search-brand&campaign=roofers-north"


def call(index: int) -> dict[str, object]:
    """Make call number `index` in version 2 of the call log, about 3 kB of JSON."""
    created = FIRST + index * SPACING
    updated = created + timedelta(seconds=330)
    fired = [
        {"fired_pixel": {"id": index * 10 + position, "status": "success", "url": _PIXEL.format(index), "code": 200}}
        for position in range(6)
    ]
    return {
        "uuid": str(uuid.UUID(int=(index + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128)),
        "caller": f"+1415555{index % 10000:04}",
        "caller_zip": "94103",
        "caller_state": "CA",
        "caller_city": "SAN FRANCISCO",
        "caller_country": "US",
        "caller_number_sent": f"+1415555{index % 10000:04}",
        "dialed_call_duration": 240,
        "ivr_duration": 12,
        "hold_duration": 8,
        "total_duration": 260,
        "billable_minutes": 5,
        "status": "finished",
        "start_time": created.isoformat(timespec="milliseconds"),
        "forwarded_time": (created + timedelta(seconds=20)).isoformat(timespec="milliseconds"),
        "end_time": (created + timedelta(seconds=260)).isoformat(timespec="milliseconds"),
        "cid": "116dc0f6",
        "afid": "1020",
        "sid": "google",
        "tid": "roofers-1",
        "dialed_number": "+18668987878",
        "number": "+18668987878",
        "number_id": 77,
        "campaign_id": 12,
        "campaign_name": "Roofers North",
        "target_id": 31,
        "target_name": "Acme Roofing – day shift",
        "target_group": {"id": 4, "name": "Roofers"},
        "affiliate_name": "Example Publishing",
        "system_target_id": 31,
        "system_campaign_id": 12,
        "system_affiliate_id": 9,
        "company_id": 1,
        "revenue": 12.5,
        "payout": 8.25,
        "charge_total": "0.250",
        "profit_gross": "4.250",
        "profit_net": "4.000",
        "total_cost": "0.250",
        "postback_value": None,
        "converted": True,
        "payable": True,
        "receivable": True,
        "duplicate": False,
        "payable_duplicate": False,
        "receivable_duplicate": False,
        "repeat": False,
        "rescued": False,
        "connected": True,
        "hung_up_by": "caller",
        "via": "number",
        "visitor_url": f"https://www.example.com/landing/roofing?gclid={index:032x}&utm_source=google&utm_medium=cpc",
        "keys_pressed": ["1"],
        "upstream_call_uuid": None,
        "downstream_call_uuids": [],
        "conversion_seconds": 90,
        "conversions_determined_at": updated.isoformat(timespec="milliseconds"),
        "time_to_call_in_seconds": 3,
        "time_to_connect_in_seconds": 20,
        "fired_pixels_count": len(fired),
        "fired_pixels": fired,
        "tags": {"source": "google", "device": "mobile", "landing": "roofing-a,roofing-b", "zip": "94103"},
        "recording_url": f"https://recordings.example.com/{index:032x}.mp3",
        "created_at": created.isoformat(timespec="milliseconds"),
        "updated_at": updated.isoformat(timespec="milliseconds"),
    }


# With more calls, pages are built for each request, which takes time instead of memory.
MAX_CACHED = 200_000


class Pages:
    """The bodies of all pages, oldest call first.

    :param count: How many calls.
    :param per_page: Calls a page.
    """

    def __init__(self, count: int, per_page: int) -> None:
        self._count = count
        self._per_page = per_page
        self.last = max(1, -(-count // per_page))
        self._cached = [self._build(number) for number in range(1, self.last + 1)] if count <= MAX_CACHED else None

    def body(self, number: int) -> bytes:
        """Return the body of a page; it is empty after the last page."""
        if number > self.last:
            return b"[]"
        return self._build(number) if self._cached is None else self._cached[number - 1]

    def _build(self, number: int) -> bytes:
        first = (number - 1) * self._per_page
        calls = range(first, min(first + self._per_page, self._count))
        return json.dumps([{"call": call(index)} for index in calls], separators=(",", ":")).encode()
