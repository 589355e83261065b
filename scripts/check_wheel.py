"""Checks an installed wheel; run by the Python of an environment that has only the wheel and its dependencies."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = "airflow_provider_retreaver"
HEAVY = {"aiohttp", "requests", "starlette", "uvicorn"}  # must not be loaded by a DAG file


def main() -> int:
    """Run the checks; exit with an error message at the first that fails."""
    package = import_module(PACKAGE)
    home = Path(str(package.__file__)).resolve()
    expect(PROJECT / PACKAGE not in home.parents, f"{home} is the source and not an installed copy")
    expect(files(PACKAGE).joinpath("py.typed").is_file(), "py.typed is missing")
    (point,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.dist is not None and point.dist.name == "airflow-provider-retreaver"
    ]
    info = point.load()()
    expect(info["versions"] == [distribution("airflow-provider-retreaver").version], "the provider's version differs")
    modules = [name for kind in ("operators", "hooks") for group in info[kind] for name in group["python-modules"]]
    for name in modules:
        import_module(name)
    loaded = {name.split(".")[0] for name in sys.modules}
    expect(not loaded & HEAVY, f"importing {', '.join(modules)} loads {', '.join(sorted(loaded & HEAVY))}")
    command = Path(sys.executable).parent / "retreaver-sandbox"
    help_text = subprocess.run([str(command), "--help"], capture_output=True, text=True, check=True).stdout
    expect("--api-key" in help_text, "retreaver-sandbox --help does not list its options")
    print(f"the wheel is fine: {len(modules)} modules of operators and hooks, in {home.parent}")
    return 0


def expect(condition: bool, message: str) -> None:  # noqa: FBT001 - like assert
    """Exit with the message unless the condition is true."""
    if not condition:
        sys.exit(f"error: {message}")


if __name__ == "__main__":
    sys.exit(main())
