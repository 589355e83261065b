"""Plans and results for people: Markdown for an approval or a pull request, a colored diff for a terminal."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_retreaver.account.applying import ApplyResult
from airflow_provider_retreaver.account.plan import Change, Plan
from airflow_provider_retreaver.core.quoting import one_line

# Word, sign and color of each action.
ACTIONS = {"create": ("Create", "+", "32"), "update": ("Change", "~", "33"), "delete": ("Delete", "-", "31")}
LONGEST_VALUE = 120
# A pull request's comment and an approval's body have a length, and people an attention.
MOST_SHOWN = 200


def summary(plan: Plan) -> str:
    """Return what a plan does in one line.

    :param plan: the plan.
    :return: e.g. `2 to create, 1 to change, 0 to delete of 63 objects in company 1`.
    """
    counts = plan.counts
    return (
        f"{counts['create']} to create, {counts['update']} to change, {counts['delete']} to delete; {plan.objects} "
        f"objects in the files of company {plan.company}"
    )


def markdown(plan: Plan) -> str:
    """Return a plan as Markdown.

    :param plan: the plan.
    :return: a heading, the changes as a table, costs, risks, warnings and the hash.
    """
    lines = [f"### Retreaver account: {summary(plan)}", ""]
    if plan.changes:
        lines += ["| | object | field | before | after |", "|---|---|---|---|---|"]
        lines += [line for change in plan.changes[:MOST_SHOWN] for line in _table_lines(change)]
        if len(plan.changes) > MOST_SHOWN:
            lines.append(f"| | … and {len(plan.changes) - MOST_SHOWN} more objects | | | |")
        lines.append("")
    lines += _section("Risks", [f"**{_cell(one.address)}** {risk}" for one in plan.changes for risk in one.risks])
    lines += [f"**Cost:** {text}", ""] if (text := cost_text(plan)) else []
    lines += _section("Not compared", [_cell(one) for one in plan.warnings])
    commit = f", git commit `{plan.git_commit[:12]}`" if plan.git_commit else ""
    environment = f", environment `{_cell(plan.environment)}`" if plan.environment else ""
    return "\n".join([*lines, f"Plan `{plan.sha256}`{commit}{environment}", ""])


def diff(plan: Plan, *, color: bool = False) -> str:
    """Return a plan as a diff.

    :param plan: the plan.
    :param color: whether to write colors for a terminal.
    :return: lines.
    """
    lines: list[str] = []
    for change in plan.changes:
        name = f'  "{one_line(change.name)}"' if change.name else ""
        risks = f"  ! {'; '.join(change.risks)}" if change.risks else ""
        _, sign, shade = ACTIONS[change.action]
        line = f"{sign} {one_line(change.address, numbers=False)}{name}{risks}"
        lines.append(f"\x1b[{shade}m{line}\x1b[0m" if color else line)
        lines += [f"    {field}: {' -> '.join(values)}" for field, *values in _rows(change)]
    lines += [f"! {one_line(warning, numbers=False)}" for warning in plan.warnings]
    if text := cost_text(plan):
        lines.append(f"Cost: {text}")
    return "\n".join([*lines, f"{summary(plan)}.", f"Plan {plan.sha256}"]) + "\n"


def cost_text(plan: Plan) -> str:
    """Return what a plan costs.

    :param plan: the plan.
    :return: a sentence; blank when it neither buys nor releases a number.
    """
    cost = plan.cost
    parts = [f"{count} {type_} bought" for type_, count in sorted(cost.bought.items())]
    parts += [f"{count} {type_} released" for type_, count in sorted(cost.released.items())]
    parts += [f"pools may hold {cost.pools:+} numbers"] if cost.pools else []
    if not parts:
        return ""
    month = f"{cost.monthly:+.2f} a month" if cost.monthly is not None else "no prices are given"
    return f"numbers: {', '.join(parts)}; {month}"


def result_text(result: ApplyResult) -> str:
    """Return what an apply did.

    :param result: of the apply.
    :return: a line for each object that was not changed as planned, and the counts.
    """
    lines = [
        f"{one['status']}: {one_line(one['address'], numbers=False)}: {one.get('error', '')}"
        for one in result["outcomes"]
        if one["status"] != "done"
    ]
    counts = ", ".join(f"{count} {status}" for status, count in result["counts"].items())
    return "\n".join([*lines, f"Plan {result['plan'][:12]}: {counts}."]) + "\n"


def _section(title: str, items: Sequence[str]) -> list[str]:
    return [f"**{title}**", "", *(f"- {item}" for item in items[:MOST_SHOWN]), ""] if items else []


def _table_lines(change: Change) -> Iterable[str]:
    # A line break of HTML is shown by some readers of Markdown only.
    name = f" ({_cell(change.name)})" if change.name else ""
    first = f"| {ACTIONS[change.action][0]} | {_cell(change.address)}{name} |"
    for field, *values in _rows(change) or [("", "", "")]:
        before, after = map(_cell, values if len(values) > 1 else ("", *values))
        yield f"{first} {_cell(field)} | {before} | {after} |"
        first = "|  |  |"


def _rows(change: Change) -> list[tuple[str, ...]]:
    """Return each field with its values: before and after, of a new object the one that it gets."""
    shown = {"create": ("after",), "update": ("before", "after"), "delete": ()}[change.action]
    return [(field, *(_text(getattr(one, name)) for name in shown)) for field, one in change.fields.items() if shown]


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        value = ", ".join(map(str, value)) or "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, LONGEST_VALUE, numbers=False)


def _cell(text: object) -> str:
    """Return a text of Retreaver's in a cell, where it can neither end the cell nor be a link, an image or a tag."""
    escaped = html.escape(one_line(text, 2 * LONGEST_VALUE, numbers=False), quote=False)
    return "".join(f"\\{char}" if char in "\\`*_[]()#!|~@" else char for char in escaped)
