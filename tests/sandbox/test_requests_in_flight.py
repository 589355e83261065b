"""What `make test-celery` counts: requests in flight, by the doors of a sandbox."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import urlopen

from airflow_provider_retreaver.sandbox.options import SandboxOptions
from tests.airflow.support.in_flight import Door, highest, picture, sandbox_with_doors, steps

HELD = 0.4


def _status(url):
    try:
        with urlopen(f"{url}/targets.json?api_key=sandbox-key&company_id=1", timeout=30) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def test_requests_are_counted_where_they_overlap():
    """A request that ends when another begins is not counted with it."""
    spans = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (5.0, 6.0)]
    assert steps(spans) == [(0.0, 1), (1.0, 2), (2.0, 1), (2.0, 2), (3.0, 1), (4.0, 0), (5.0, 1), (6.0, 0)]
    assert highest(spans) == 2
    assert highest([]) == 0


def test_each_door_has_its_own_count_and_limit():
    """Three requests at once by one door and one by another of the same account: one is refused, and logged so."""
    workers, triggerer = Door("workers", 2), Door("triggerer", 1)
    with sandbox_with_doors(SandboxOptions(latency_ms=HELD * 1000), [workers, triggerer]) as running:
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(_status, [workers.url] * 3 + [triggerer.url]))
        log = json.loads(running.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body)
    assert sorted(statuses) == [200, 200, 200, 429]
    assert statuses[3] == 200
    assert sorted(entry["status"] for entry in log) == [200, 200, 200, 429]
    assert (len(workers.spans), len(triggerer.spans)) == (3, 1)
    assert highest(workers.spans) >= 2
    assert highest(triggerer.spans) == 1


def test_the_picture_shows_counts_limits_and_moments():
    """The picture is an SVG that names each door with its figures, and the marked moments."""
    doors = [Door("workers <2>", 2, spans=[(0.0, 2.0), (1.0, 3.0)]), Door("triggerer", 1, spans=[(0.0, 1.0)])]
    root = ET.fromstring(picture("in flight", doors, [2, 1], [(1.5, "worker killed"), (2.0, "worker restarted")]))  # noqa: S314 - made here
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "workers <2>: limit 2, at most 2, 2 requests" in texts
    assert "triggerer: limit 1, at most 1, 1 requests" in texts
    assert {"in flight", "1", "1 worker killed, 2 worker restarted", "0 s", "3 s"} <= set(texts)
