"""Write docs/api-coverage.md: every endpoint, its function, its generic operator, and whether the sandbox serves it.

The requests are made by the package's own functions and sent to a sandbox in memory, so the table cannot say more
than is there. `--check` changes nothing and fails when the file is not what would be written.
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

from airflow_provider_retreaver.core.messages import Request
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation
from airflow_provider_retreaver.core.routes import CALLS_VERSIONS
from airflow_provider_retreaver.resources.caller_lists import Owner
from airflow_provider_retreaver.resources.entry import VERBS
from airflow_provider_retreaver.resources.registry import RESOURCES
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
)
PHONE = "+15550001111"
SPAN = {"created_at_start": "2026-01-01", "created_at_end": "2026-01-02"}
# What functions are asked with; each name of an object shows as itself in the path.
GIVEN: dict[str, Any] = {
    "id": "{id}",
    "uuid": "{uuid}",
    "afid": "{afid}",
    "cid": "{cid}",
    "tid": "{tid}",
    "number": PHONE,
    "name": "{name}",
    "numbers": [PHONE],
    "action": "create",
    "can_resubscribe": True,
    "facet": "daily",
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
}
CONTACT_NUMBER = {"description": "x"}
INTRODUCTION = f"""# What of the vendor's API is covered

Made by `scripts/api_coverage.py` from the code; a test keeps it true. Every request here was made by the function
beside it and asked of the sandbox, which has a route for it where it says yes (the number counts the routes asked:
both editions, and every version of the call log). `{{calls_version}}` is {CALLS_VERSIONS[0]} to {CALLS_VERSIONS[-1]}.

The generic operators are `RetreaverListOperator`, `RetreaverGetOperator` and so on, with the resource in brackets;
both clients run every function."""
# Parameters of which one names the object.
NAMES = ("id", "afid", "cid", "tid", "number")


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


def ways(module: str, function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """Yield arguments for every way in which a function names its object."""
    parameters = inspect.signature(function).parameters
    fixed: dict[str, Any] = {}
    for name in parameters:
        if name == "attributes":
            fixed[name] = CONTACT_NUMBER if "contact_number" in function.__name__ else ATTRIBUTES[module]
        elif name in GIVEN and (parameters[name].default is inspect.Parameter.empty or name == "can_resubscribe"):
            fixed[name] = GIVEN[name]
    lists = function.__name__.startswith("list_")
    either = [name for name in parameters if name in NAMES and name not in fixed and not lists]
    owners = [Owner(target_id="{target_id}"), Owner(campaign_id="{campaign_id}")] if "owner" in parameters else [None]
    for owner in owners:
        owned = {"owner": owner} if owner is not None else {}
        for name in either or [None]:
            yield fixed | owned | ({name: GIVEN[name]} if name is not None else {})


def operators() -> dict[Callable[..., Any], str]:
    """Return the generic operators of functions, and those that stand behind others."""
    found: dict[Callable[..., Any], str] = {}
    for entry in RESOURCES.values():
        for verb in VERBS:
            if entry.has(verb):
                upsert = ", Upsert" if verb == "create" and entry.natural_key else ""
                text = f"{verb.capitalize()}{upsert} (`{entry.name}`)"
                for behind in _behind(entry.function(verb)):
                    found[behind] = text
    return found


def _behind(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
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
    """Ask the sandbox, without a key, whether it has the route."""
    body = sandbox.handle(request.method, request.path, [], {}, b"")
    return body.status != 405 and b"no such route" not in body.body


def shown(request: Request) -> str:
    """Return method and path with names in the place of values."""
    path = unquote(request.path).replace(PHONE, "{number}")
    return f"`{request.method} {path}`"


def other_edition(made: Operation[Any] | Listing) -> str:
    """Return the request of the legacy edition."""
    if isinstance(made.legacy, CurrentOnly):
        return "–"
    if made.legacy is None:
        return "the same"
    return shown(made.legacy) + (" with other filters" if made.legacy.path == made.request.path else "")


def lines() -> Iterator[tuple[str, Line]]:
    """Yield the rows with the module that they belong to."""
    behind = operators()
    sandbox = Sandbox()
    for module, name, function in functions():
        for arguments in ways(module, function):
            made: Operation[Any] | Listing = function(**arguments)
            current = [
                Request(made.request.method, made.request.path.replace("{calls_version}", version))
                for version in CALLS_VERSIONS
            ]
            current = current if "{calls_version}" in made.request.path else [made.request]
            legacy = made.legacy if isinstance(made.legacy, Request) else None
            asked = [*current, *([legacy] if legacy else [])]
            there = [one for one in asked if served(sandbox, one)]
            all_there = f"yes ({len(there)})" if len(there) == len(asked) else f"{len(there)} of {len(asked)}"
            operator = behind.get(function, "–")
            yield module, Line(shown(made.request), other_edition(made), f"`{module}.{name}`", operator, all_there)
    sandbox.close()


def document() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION]
    before = None
    for module, line in lines():
        if module != before:
            parts += ["", f"## {module.replace('_', ' ').capitalize()}", ""]
            parts += ["| current | legacy | function | generic operator | sandbox |", "|---|---|---|---|---|"]
            before = module
        parts.append(str(line))
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is not up to date")
    given = parser.parse_args()
    text = document()
    if given.check:
        fresh = DESTINATION.exists() and DESTINATION.read_text(encoding="utf-8") == text
        print(f"{DESTINATION.name} is {'up to date' if fresh else 'out of date: run scripts/api_coverage.py'}")
        return 0 if fresh else 1
    DESTINATION.write_text(text, encoding="utf-8")
    print(f"wrote {DESTINATION.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
