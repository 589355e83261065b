"""Write docs/api-coverage.md: every endpoint, its function, its generic operator, and whether the sandbox serves it.

The requests are made by the package's own functions and sent to a sandbox in memory, so the table always matches the
code. `--check` changes nothing and fails when the file is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_provider_retreaver.core.messages import Auth, Request
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation
from airflow_provider_retreaver.core.routes import CALLS_VERSIONS
from airflow_provider_retreaver.core.trackdrive_settings import API_PATH
from airflow_provider_retreaver.resources.caller_lists import Owner
from airflow_provider_retreaver.resources.entry import VERBS
from airflow_provider_retreaver.resources.registry import RESOURCES
from airflow_provider_retreaver.resources.trackdrive.entry import BUYER_GROUPS
from airflow_provider_retreaver.sandbox import Sandbox

DESTINATION = Path(__file__).resolve().parent.parent / "docs" / "api-coverage.md"
MODULES = (
    "companies",
    "calls",
    "affiliates",
    "targets",
    "target_groups",
    "campaigns",
    "numbers",
    "number_pools",
    "contacts",
    "suppression",
    "static_caller_numbers",
    "caller_lists",
    "reports",
    "rtb",
    "payout_tables",
    "rtb_inbounds",
    "call_reservations",
    "data_writing",
    "trackdrive.buyer_groups",
    "trackdrive.buyers",
)
PHONE, CAMPAIGN = "+15550001111", 15550002222
SPAN = {"created_at_start": "2026-01-01", "created_at_end": "2026-01-02"}
# Arguments of the functions; each name of an object appears as itself in the path.
ARGUMENTS: dict[str, Any] = {
    "id": "{id}",
    "uuid": "{uuid}",
    "afid": "{afid}",
    "cid": "{cid}",
    "tid": "{tid}",
    "number": PHONE,
    "name": "{name}",
    "numbers": [PHONE],
    "action": "create",
    "publisher_id": "x",
    "caller_number": PHONE,
    "call_uuid": "{uuid}",
    "tags": {"x": "x"},
    "can_resubscribe": True,
    "facet": "daily",
    "campaign_id": CAMPAIGN,
    "csv_data": "x",
    "job": {"id": 1, "file_upload_url": "/v2/reports/rtb_inbounds/1/download"},
    **SPAN,
}
ATTRIBUTES = {
    "targets": {"number": PHONE},
    "target_groups": {"name": "x"},
    "affiliates": {"afid": "x"},
    "campaigns": {"name": "x"},
    "numbers": {"type": "Local", "afid": "x", "cid": "x"},
    "number_pools": {"cid": "x"},
    "companies": {"name": "x"},
    "contacts": {"contact_numbers_attributes": [{"number": PHONE}]},
    "static_caller_numbers": {"number": PHONE},
    "trackdrive.buyer_groups": {"name": "x"},
}
CONTACT_NUMBER = {"description": "x"}
INTRODUCTION = f"""# Coverage of Retreaver's API

Written by `scripts/api_coverage.py` from the code; a test keeps it up to date. Every request here was made by the
function beside it and sent to the sandbox; `yes` means that the sandbox has a route for it (the number counts the
routes: current and legacy, and every version of the call log). `{{calls_version}}` is {CALLS_VERSIONS[0]} to
{CALLS_VERSIONS[-1]}.

The generic operators are `RetreaverListOperator`, `RetreaverGetOperator` and so on, with the resource in brackets;
both clients run every function."""
# Parameters that are given although a function of some resources can do without.
ALWAYS = ("can_resubscribe", *SPAN)
# Parameters of which one names the object.
ID_PARAMETERS = ("id", "afid", "cid", "tid", "number", "call_uuid")


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    current: str
    legacy: str
    function: str
    operators: str
    served: str

    def __str__(self) -> str:
        return f"| {self.current} | {self.legacy} | {self.function} | {self.operators} | {self.served} |"


def functions() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield every public function that makes a request."""
    for module in MODULES:
        loaded = import_module(f"airflow_provider_retreaver.resources.{module}")
        for name, value in vars(loaded).items():
            if not (inspect.isfunction(value) and value.__module__ == loaded.__name__) or name.startswith("_"):
                continue
            if str(value.__annotations__.get("return")).startswith(("Operation", "Listing")):
                yield module, name, value


def argument_sets(module: str, function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Yield arguments for every parameter by which a function names its object."""
    parameters = inspect.signature(function).parameters
    fixed: dict[str, Any] = {}
    for name in parameters:
        if name == "attributes":
            fixed[name] = CONTACT_NUMBER if "contact_number" in function.__name__ else ATTRIBUTES[module]
        elif name in ARGUMENTS and (parameters[name].default is inspect.Parameter.empty or name in ALWAYS):
            fixed[name] = ARGUMENTS[name]
    lists = function.__name__.startswith("list_")
    either = [name for name in parameters if name in ID_PARAMETERS and name not in fixed and not lists]
    owners = [Owner(target_id="{target_id}"), Owner(campaign_id="{campaign_id}")] if "owner" in parameters else [None]
    for owner in owners:
        owned = {"owner": owner} if owner is not None else {}
        for name in either or [None]:
            yield fixed | owned | ({name: ARGUMENTS[name]} if name is not None else {})


def operators() -> dict[Callable[..., Any], str]:
    """Return the generic operators of each function, also of functions that the registry calls through others."""
    found: dict[Callable[..., Any], str] = {}
    for entry in RESOURCES.values():
        for verb in VERBS:
            if entry.has(verb):
                upsert = ", Upsert" if verb == "create" and entry.natural_key else ""
                text = f"{verb.capitalize()}{upsert} (`{entry.name}`)"
                for called in _called_functions(entry.function(verb)):
                    found[called] = text
    for verb in VERBS:
        found[BUYER_GROUPS.function(verb)] = f"`TrackDriveBuyerGroup{verb.capitalize()}Operator`"
    return found


def _called_functions(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield a function, and the functions of resource modules that it calls."""
    yield function
    public = {value for _, _, value in functions()}
    modules = {value for value in function.__globals__.values() if inspect.ismodule(value)}
    for module in modules:
        for name in function.__code__.co_names:
            value = getattr(module, name, None)
            if inspect.isfunction(value) and value in public:
                yield value


def served(sandbox: Sandbox, request: Request) -> bool:
    """Return whether the sandbox has the route; it is asked without a key."""
    body = sandbox.handle(request.method, full_path(request), [], {}, b"")
    return body.status != 405 and b"no such route" not in body.body


def full_path(request: Request) -> str:
    """Return the path on the host: those of TrackDrive are relative to its base URL."""
    return f"{API_PATH}{request.path}" if request.auth is Auth.BASIC else request.path


def display(request: Request) -> str:
    """Return method and path with names in place of values."""
    path = unquote(full_path(request)).replace(PHONE, "{number}").replace(str(CAMPAIGN), "{campaign_id}")
    return f"`{request.method} {path}`"


def legacy_request(work: Operation[Any] | Listing) -> str:
    """Return the request under the legacy routes."""
    if isinstance(work.legacy, CurrentOnly):
        return "–"
    if work.legacy is None:
        return "the same"
    return display(work.legacy) + (" with other filters" if work.legacy.path == work.request.path else "")


def lines() -> Iterator[tuple[str, Line]]:
    """Yield the rows, each with its module."""
    operator_names = operators()
    sandbox = Sandbox()
    for module, name, function in functions():
        for arguments in argument_sets(module, function):
            work: Operation[Any] | Listing = function(**arguments)
            current = [
                Request(work.request.method, work.request.path.replace("{calls_version}", version))
                for version in CALLS_VERSIONS
            ]
            current = current if "{calls_version}" in work.request.path else [work.request]
            legacy = work.legacy if isinstance(work.legacy, Request) else None
            requests = [*current, *([legacy] if legacy else [])]
            found = [one for one in requests if served(sandbox, one)]
            coverage = f"yes ({len(found)})" if len(found) == len(requests) else f"{len(found)} of {len(requests)}"
            operator = operator_names.get(function, "–")
            yield module, Line(display(work.request), legacy_request(work), f"`{module}.{name}`", operator, coverage)
    sandbox.close()


def title_of(module: str) -> str:
    """Return the heading of a module's functions."""
    folder, _, name = module.replace("_", " ").rpartition(".")
    return f"TrackDrive: {name}" if folder else name.capitalize()


def document() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    before = None
    for module, line in lines():
        if module != before:
            parts += ["", f"## {title_of(module)}", ""]
            parts += ["| current | legacy | function | generic operator | sandbox |", "|---|---|---|---|---|"]
            before = module
        parts.append(str(line))
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is not up to date")
    arguments = parser.parse_args()
    text = document()
    if arguments.check:
        up_to_date = DESTINATION.exists() and DESTINATION.read_text(encoding="utf-8") == text
        print(f"{DESTINATION.name} is {'up to date' if up_to_date else 'out of date: run scripts/api_coverage.py'}")
        return 0 if up_to_date else 1
    DESTINATION.write_text(text, encoding="utf-8")
    print(f"wrote {DESTINATION.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
