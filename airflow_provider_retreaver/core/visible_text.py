"""Characters that are in a text and that nobody sees: they make two texts differ that look alike."""

from __future__ import annotations

import re

# Formatting characters of Unicode (category Cf) and variation selectors: marks of direction that address books put
# around numbers, spaces without width, soft hyphens, byte order marks. Not among them is the override U+202E, after
# which a text is shown in reverse: what was meant is not known.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202d\u2060-\u2064\u2066-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")

# How spreadsheets keep a text of digits a text.
_KEPT_AS_TEXT = re.compile(r"""=\s*"([^"]*)"|'([^']*)'?|"([^"]*)\"""")


def visible(text: str) -> str:
    """Return a text without the characters that have no shape.

    :param text: the text.
    :return: the text; other characters, spaces included, are as they were.
    """
    return text if text.isascii() else _INVISIBLE.sub("", text)


def shown_in_cell(text: str) -> str:
    """Return what a spreadsheet shows for a cell.

    :param text: content of the cell, as a csv file has it.
    :return: the text without invisible characters, spaces around it, and what keeps digits a text in a spreadsheet.
    """
    text = visible(text).strip()
    kept = _KEPT_AS_TEXT.fullmatch(text)
    return next((part for part in kept.groups() if part is not None), "").strip() if kept else text


def column_name(text: object) -> str:
    """Return the name of a column as people read it.

    :param text: the name in a header, or as a parameter has it.
    :return: the name as a spreadsheet shows it; every space in it, however wide, is one plain space.
    """
    return " ".join(shown_in_cell(str(text)).split())
