"""Charts and templates: well-formed, within their frame, escaped, and readable without seeing them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from airflow_provider_retreaver.page.calls import Hour, Totals
from airflow_provider_retreaver.page.caps import Bar
from airflow_provider_retreaver.page.charts import (
    BAR_WIDTH,
    CHART_HEIGHT,
    CHART_WIDTH,
    cap_bar,
    hours_chart,
    nice_top,
    percent,
)
from airflow_provider_retreaver.page.render import Frame, environment, render

FRAME = Frame("/air/retreaver/page", "/air", "main", ("main", "other"), "caps", datetime(2026, 11, 27, tzinfo=UTC))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.text(max_size=10))
def test_bars(filled, cap, name):
    """A bar is XML, is never wider than its frame, and says in words what it shows."""
    svg = cap_bar(Bar("hard", filled, cap))
    root = ET.fromstring(str(svg))  # noqa: S314 - our own
    widths = [float(rect.get("width")) for rect in root]
    assert 0 <= widths[1] <= widths[0] == BAR_WIDTH
    label = root.get("aria-label")
    assert f"{filled:,} of {cap:,}" in label
    assert label.endswith("full") == (cap == 0 or filled / cap >= 0.9)


@given(st.lists(st.tuples(st.integers(0, 10**6) | st.none(), st.integers(0, 10**6)), min_size=24, max_size=24))
def test_the_chart_of_hours(counts):
    """Columns stay within the chart, one text for each hour has both figures."""
    hours = [
        Hour(index, None if today is None else Totals(today), (usual,)) for index, (today, usual) in enumerate(counts)
    ]
    root = ET.fromstring(str(hours_chart(hours, "Calls <today>")))  # noqa: S314 - our own
    assert root.get("aria-label") == "Calls <today>"
    for rect in root.iter("rect"):
        x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= CHART_WIDTH
        assert 0 <= y <= y + height <= CHART_HEIGHT
    titles = [title.text for title in root.iter("title")]
    assert len(titles) == 24
    assert all(("to come" in title) == (today is None) for title, (today, _) in zip(titles, counts, strict=True))


@given(st.floats(0, 10**12))
def test_the_top_of_a_scale(most):
    """It holds every value, and is less than three times as high."""
    top = nice_top(most)
    assert most <= top <= max(5, 2.5 * most)


@pytest.mark.parametrize(("share", "text"), [(0, "0 %"), (0.999, "99 %"), (1, "100 %"), (12.5, "1,250 %")])
def test_percentages(share, text):
    """A cap that has room never reads 100 %."""
    assert percent(share) == text


@given(st.text(max_size=30))
def test_every_text_is_escaped(text):
    """Whatever a connection is called, it adds no tag and no attribute."""
    frame = Frame("/b", "", text, (text, "x"), "caps", FRAME.now)
    html = render("message.html", frame, heading=text, text=text, link=(f"/x?{text}", text))
    plain = render(
        "message.html", Frame("/b", "", "n", ("n", "x"), "caps", FRAME.now), heading="h", text="t", link=("/", "l")
    )
    if text and text != "x":
        assert re.findall(r"<(\w+)", html) == re.findall(r"<(\w+)", plain)


def test_a_missing_value_is_an_error():
    """A template that lacks a value is not rendered with a hole."""
    with pytest.raises(UndefinedError):
        render("message.html", FRAME, heading="h")


@pytest.mark.parametrize("name", sorted(environment().list_templates()))
def test_templates_load_nothing_from_elsewhere(name):
    """No template names another host, has a style or a script of its own, or marks a value as safe."""
    source = environment().loader.get_source(environment(), name)[0]
    assert not re.search(r"https?:|//[\w.]+/|<style|style=|\son\w+=|\|\s*safe|autoescape", source)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", source))


def test_addresses():
    """Addresses keep the path below which Airflow is served, and encode what is put into them."""
    assert FRAME.url("caps", q="a&b", show="", page=2) == "/air/retreaver/page/main/caps?q=a%26b&page=2"
    assert FRAME.task_url("d", "manual__2026-01-01T00:00:00+00:00", "g.t", 3) == (
        "/air/dags/d/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/g.t/mapped/3"
    )
