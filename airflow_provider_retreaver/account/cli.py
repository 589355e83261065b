"""The command `retreaver-account`: export, plan, apply, drift, schema.

Exit codes: 0 nothing to do or all done, 2 there are changes or drift, 1 an error. With `--json` every command writes
one JSON object to standard output, an error too. Nothing is applied without the hash of the plan that was looked at.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from airflow_provider_retreaver.account import sources
from airflow_provider_retreaver.account.applying import DEFAULT_MAX_CHANGES, Apply
from airflow_provider_retreaver.account.drifting import Applied, drift_of, load_applied
from airflow_provider_retreaver.account.exporting import Exporter
from airflow_provider_retreaver.account.kinds import KINDS, read_account
from airflow_provider_retreaver.account.parts import World
from airflow_provider_retreaver.account.plan import Document, Plan, decoded, load_plan
from airflow_provider_retreaver.account.planning import Planner
from airflow_provider_retreaver.account.rendering import diff, markdown, result_text
from airflow_provider_retreaver.account.schema import json_schema
from airflow_provider_retreaver.core.errors import InvalidArgument, RetreaverError, RunUnderWay
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.changes.record import Record
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit

NOTHING, ERROR, CHANGES = 0, 1, 2
SCHEMA_FILE = "retreaver-account.schema.json"
STATE = Path(".retreaver-account")
_EPILOG = f"""connection:
  --conn-id ID, an Airflow connection of type retreaver, or the environment variables
  {sources.API_KEY}, {sources.COMPANY}, {sources.HOST} (a base URL other than Retreaver's) and
  {sources.EXTRA} (JSON).

exit codes:
  0 nothing to change, or all done; 2 there are changes or drift; 1 an error
"""


class Journal(Document, frozen=True):
    """What attempts to apply a plan did, beside the plan.

    :param plan: its hash.
    :param record: what `Record.dump` returned.
    """

    plan: str
    record: dict[str, dict[str, Any]]


class _Parser(argparse.ArgumentParser):
    """Ends with 1 for a wrong command line, since 2 says that there are changes."""

    def error(self, message: str) -> NoReturn:
        """Raise an error that says how the command is used."""
        raise InvalidArgument(f"{message}; {' '.join(self.format_usage().split())}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line.

    :return: the parser.
    """
    parser = _Parser(
        prog="retreaver-account",
        description="Manages a Retreaver account by files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    many: dict[str, Any] = {"action": "append", "default": []}
    file: dict[str, Any] = {"type": Path, "metavar": "FILE"}

    def command(name: str, summary: str, *, reads: bool = False, connects: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=summary, description=summary)
        one.add_argument("--json", action="store_true", help="write one JSON object")
        if connects:
            one.add_argument("--conn-id", metavar="ID", help="Airflow connection; environment variables by default")
        if reads:
            one.add_argument("paths", nargs="+", metavar="PATH", help="files and folders of the account")
            one.add_argument("--env", metavar="NAME", help="lay environments/NAME.yaml over the files")
            one.add_argument("--var", **many, type=_variable, metavar="NAME=VALUE", help="set a variable")
        return one

    export = command("export", "Write the account to files, whose plan is then empty.")
    export.add_argument("folder", type=Path, help="folder for the files")
    export.add_argument("--include", **many, metavar="PATTERN", help="addresses, e.g. targets/a*")
    export.add_argument("--exclude", **many, metavar="PATTERN", help="addresses to leave out")
    export.add_argument("--force", action="store_true", help="overwrite files that exist")
    plan = command("plan", "Show what the files would change.", reads=True)
    plan.add_argument("--out", **file, help="write the plan, for apply")
    plan.add_argument("--markdown", **file, help="write the plan as Markdown")
    apply = command("apply", "Apply a plan.")
    apply.add_argument("plan", type=Path, help="file that plan --out has written")
    digits = "hash of the plan that was approved, 12 digits at least"
    apply.add_argument("--hash", required=True, metavar="SHA256", help=digits)
    apply.add_argument("--only", **many, choices=list(KINDS), help="kinds of objects to change")
    apply.add_argument("--target", **many, metavar="ADDRESS", help="objects to change")
    limit = "objects that may change: a number, a share (from 10 objects on) or none (30%%)"
    apply.add_argument("--max-changes", default=DEFAULT_MAX_CHANGES, metavar="LIMIT", help=limit)
    apply.add_argument("--allow-destroy", action="store_true", help="release numbers and pools that are in removed")
    apply.add_argument("--journal", **file, help="what was done; by default beside the plan")
    apply.add_argument("--applied", **file, help=f"what was applied last, for drift (in {STATE})")
    drift = command("drift", "Show what differs from the files, and whether others have changed it.", reads=True)
    drift.add_argument("--applied", **file, help=f"what was applied last (in {STATE})")
    command("schema", "Print the JSON Schema of the files.", connects=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    :param arguments: command line; that of the process by default.
    :return: exit code: 0, 2 when there are changes, 1 for an error.
    """
    given_arguments = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(message)s")
    try:
        given = build_parser().parse_args(given_arguments)
        return int(globals()[f"_{given.command}"](given))
    except RetreaverError as error:
        if "--json" in given_arguments:
            sys.stdout.write(f"{json.dumps({'error': {'type': type(error).__name__, 'message': error.message}})}\n")
        else:
            sys.stderr.write(f"retreaver-account: {error.message}\n")
        return ERROR


def _export(given: argparse.Namespace) -> int:
    with sources.connected(given.conn_id) as runs:
        live = runs.run(read_account())
    export = Exporter(live, _world(), given.include, given.exclude).export()
    files = {**export.files, SCHEMA_FILE: f"{json.dumps(json_schema(), indent=1)}\n"}
    there = [name for name in files if (given.folder / name).exists()]
    if there and not given.force:
        raise InvalidArgument(
            f"{given.folder / there[0]} exists; give another folder, or --force to overwrite it. Nothing was written."
        )
    for name, text in files.items():
        sources.write_whole(given.folder / name, text.encode())
    again = sources.Sources([str(given.folder / name) for name in export.files]).read()
    plan = Planner(again, live, _world()).plan()
    result = {
        "folder": str(given.folder),
        "files": sorted(files),
        "objects": export.objects,
        "left_out": export.left_out,
        "changes": len(plan.changes),
    }
    written = f"{export.objects} objects written to {given.folder}; their plan has {len(plan.changes)} changes."
    _write(given, json.dumps(result), [*export.left_out, written])
    return CHANGES if plan.changes else NOTHING


def _plan(given: argparse.Namespace) -> int:
    plan = _made(given)
    if given.out is not None:
        sources.write_whole(given.out, plan.dump())
        # The same plan may be made again later, when somebody has undone it: what was done then is not done now.
        _journal_of(given.out).unlink(missing_ok=True)
    if given.markdown is not None:
        sources.write_whole(given.markdown, markdown(plan).encode())
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    _write(given, plan.dump().decode(), [diff(plan, color=color)])
    return CHANGES if plan.changes else NOTHING


def _apply(given: argparse.Namespace) -> int:
    plan = load_plan(sources.read_bytes(given.plan, "the plan"), str(given.plan), given.hash)
    journal = given.journal or _journal_of(given.plan)
    applied_file, applied = _applied(given, plan.company)
    with _alone(journal):
        apply = Apply(
            plan,
            _world(),
            limit=ChangeLimit.parse(given.max_changes),
            allow_destroy=given.allow_destroy,
            only=given.only,
            targets=given.target,
            record=_record(journal, plan),
            save=lambda record: sources.write_whole(journal, Journal(plan.sha256, record.dump()).dump()),
            applied=applied,
            note=lambda applied: sources.write_whole(applied_file, applied.dump()),
        )
        with sources.connected(given.conn_id) as runs:
            result = runs.run(apply.procedure())
    _write(given, json.dumps(result), [result_text(result)])
    return NOTHING if result["counts"]["done"] == len(result["outcomes"]) else ERROR


def _drift(given: argparse.Namespace) -> int:
    plan = _made(given, comparing=True)
    rows = drift_of(plan, _applied(given, plan.company)[1])
    lines = [
        f"{row['reason']}: {row['address']} {row['field']}: wanted {row['wanted']}, is {row['now']}" for row in rows
    ]
    result = {"company": plan.company, "rows": rows, "warnings": plan.warnings}
    _write(given, json.dumps(result), [*lines, f"{len(rows)} differences."])
    return CHANGES if rows else NOTHING


def _schema(given: argparse.Namespace) -> int:
    _write(given, json.dumps(json_schema()), [json.dumps(json_schema(), indent=1)])
    return NOTHING


def _made(given: argparse.Namespace, *, comparing: bool = False) -> Plan:
    files = sources.Sources(given.paths, given.env, dict(given.var))
    return sources.make_plan(files, sources.connected(given.conn_id), comparing=comparing)


def _world() -> World:
    return World(secrets=sources.find_secret)


def _variable(given: str) -> list[str]:
    if "=" not in given:
        raise argparse.ArgumentTypeError(f"it takes NAME=VALUE, not {quoted(given)}")
    return given.split("=", 1)


def _applied(given: argparse.Namespace, company: int) -> tuple[Path, Applied | None]:
    """Return the file of what was applied last, and what it holds."""
    path = given.applied or STATE / f"applied-{company}.json"
    return path, load_applied(sources.read_bytes(path, "what was applied last"), str(path)) if path.exists() else None


def _journal_of(plan: Path) -> Path:
    return plan.with_name(f"{plan.name}.journal.json")


def _record(path: Path, plan: Plan) -> Record:
    """Return what earlier attempts of this plan did."""
    if not path.exists():
        return Record()
    problem = f"{path} is a damaged journal; check what was done by a new plan, then delete it."
    journal = decoded(sources.read_bytes(path, "the journal"), Journal, problem)
    return Record.load(journal.record) if journal.plan == plan.sha256 else Record()


@contextmanager
def _alone(journal: Path) -> Generator[None]:
    """Let no second apply of a plan run on this machine at the same time."""
    lock = journal.with_name(f".{journal.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another apply that ended since the file was opened has removed it: a third one may lock a new file.
            mine = os.path.samestat(os.fstat(file.fileno()), lock.stat())
        except OSError:
            mine = False
        if not mine:
            raise RunUnderWay(f"Another apply of this plan is running; wait until it has ended ({lock}).")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _write(given: argparse.Namespace, result: str, lines: Iterable[str]) -> None:
    """Write a result as JSON or for people."""
    text = result if given.json else "\n".join(lines).rstrip("\n")
    sys.stdout.write(f"{text}\n")
