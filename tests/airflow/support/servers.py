"""Installs the servers that `make test-celery` needs, or says in one sentence which is not on this machine.

They are installed from the system's packages, which takes root and apt-get.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.airflow.support import postgres, redis


def missing() -> dict[str, str]:
    """Return a sentence for each server that was not found, by the package that has it."""
    found = {
        "postgresql": (postgres.MISSING, postgres.binaries()),
        "redis-server": (redis.MISSING, redis.program()),
    }
    return {package: sentence for package, (sentence, program) in found.items() if program is None}


def install(packages: list[str]) -> None:
    """Install packages of the system, where this user can."""
    program = shutil.which("apt-get")
    if packages and program is not None and os.geteuid() == 0:
        print(f"installing {' and '.join(packages)} with apt-get", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([program, "install", "--yes", "--quiet", *packages], env=environment, check=False)


if __name__ == "__main__":
    install(list(missing()))
    if sentences := missing().values():
        raise SystemExit("\n".join(f"error: {sentence}" for sentence in sentences))
