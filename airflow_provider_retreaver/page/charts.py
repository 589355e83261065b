"""Charts as SVG, drawn on the server: nothing is loaded for them, and what they show is written beside them too."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from airflow_provider_retreaver.page.calls import Hour
from airflow_provider_retreaver.page.caps import Bar

BAR_WIDTH, BAR_HEIGHT = 120, 10
# From this share on a cap counts as nearly full.
NEAR = 0.9
CHART_WIDTH, CHART_HEIGHT, LEFT, BOTTOM, TOP = 960, 260, 44, 28, 12


def level(share: float) -> str:
    """Return how a cap is colored; the text beside it says the same.

    :param share: filled of the cap.
    :return: `full`, `near` or `room`.
    """
    return "full" if share >= 1 else "near" if share >= NEAR else "room"


def bar_text(bar: Bar) -> str:
    """Return what a bar shows, in words.

    :param bar: of a cap.
    :return: e.g. `hard cap: 45 of 50, 90 %, nearly full`.
    """
    word = {"full": ", full", "near": ", nearly full", "room": ""}[level(bar.share)]
    return f"{bar.name} cap: {bar.filled:,} of {bar.cap:,}, {percent(bar.share)}{word}"


def percent(share: float) -> str:
    """Return a share as text; a cap that is not full never reads 100 %.

    :param share: filled of the cap.
    :return: e.g. `90 %`.
    """
    return f"{int(share * 100):,} %"


def cap_bar(bar: Bar) -> Markup:
    """Draw how far a cap is filled.

    :param bar: of the cap.
    :return: SVG with its text.
    """
    width = round(BAR_WIDTH * min(1.0, max(0.0, bar.share)), 1)
    return Markup(
        '<svg class="bar {level}" role="img" aria-label="{text}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '<rect class="room" width="{w}" height="{h}" rx="3"/><rect class="filled" width="{filled}" height="{h}" '
        'rx="3"/></svg>'
    ).format(level=level(bar.share), text=bar_text(bar), w=BAR_WIDTH, h=BAR_HEIGHT, filled=width)


def nice_top(most: float) -> int:
    """Return the top of a scale: 1, 2 or 5 times a power of ten, at least 5.

    :param most: largest value that is shown.
    :return: not less than it.
    """
    top = 5
    while top < most:
        text = str(top)
        top = int({"1": "2", "2": "5", "5": "10"}[text[0]] + text[1:])
    return top


def hours_chart(hours: Sequence[Hour], title: str) -> Markup:
    """Draw the calls of today by hour, beside the average of earlier weeks.

    :param hours: of the day.
    :param title: what the chart shows, in words.
    :return: SVG; each hour has a text that a pointer and a screen reader find.
    """
    most = max((max(one.usual, one.today.calls if one.today else 0) for one in hours), default=0)
    top = nice_top(most)
    step = (CHART_WIDTH - LEFT) / max(1, len(hours))
    height = CHART_HEIGHT - BOTTOM - TOP

    def y(value: float) -> float:
        return round(TOP + height * (1 - value / top), 1)

    parts = [_grid(y(value), f"{value:,.10g}") for value in (0, top / 2, top)]
    for index, one in enumerate(hours):
        x = round(LEFT + step * index, 1)
        today = one.today.calls if one.today is not None else None
        text = f"{one.label}: {'to come' if today is None else f'{today:,} calls'}, usually {one.usual:,.1f}"
        columns = [_column("usual", x + step * 0.12, y(one.usual), step * 0.36, y(0))]
        if today is not None:
            columns.append(_column("today", x + step * 0.5, y(today), step * 0.36, y(0)))
        label = Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            round(x + step / 2, 1), CHART_HEIGHT - 10, one.label[:2]
        )
        parts.append(Markup("<g><title>{}</title>{}{}</g>").format(text, Markup("").join(columns), label))
    return Markup('<svg class="hours" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>').format(
        title, CHART_WIDTH, CHART_HEIGHT, Markup("").join(parts)
    )


def _grid(y: float, label: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        '<text class="axis" x="{text}" y="{below}" text-anchor="end">{label}</text>'
    ).format(left=LEFT, right=CHART_WIDTH, y=y, text=LEFT - 6, below=y + 4, label=escape(label))


def _column(kind: str, x: float, y: float, width: float, base: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, round(x, 1), y, round(width, 1), round(base - y, 1)
    )
