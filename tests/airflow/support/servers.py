"""Says in one sentence which server `make test-celery` needs is not on this machine."""

from __future__ import annotations

from tests.airflow.support import postgres, redis


def missing() -> list[str]:
    """Return a sentence for each server that was not found."""
    found = {postgres.MISSING: postgres.binaries(), redis.MISSING: redis.program()}
    return [sentence for sentence, program in found.items() if program is None]


if __name__ == "__main__":
    sentences = missing()
    if sentences:
        raise SystemExit("\n".join(f"error: {sentence}" for sentence in sentences))
