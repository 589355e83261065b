"""Files of an account on the disk, and what was applied of them, for tests with Airflow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_retreaver.account.drifting import Applied
from airflow_provider_retreaver.account.files import read_files
from airflow_provider_retreaver.operators.account import RetreaverAccountPlanOperator
from tests.airflow.support.account import context_of


def files(text: str) -> Path:
    """Return a new folder with a file of an account."""
    folder = Path(tempfile.mkdtemp(prefix="account-")) / "account"
    (folder / "environments").mkdir(parents=True)
    (folder / "account.yaml").write_text(text, encoding="utf-8")
    (folder / "environments" / "prod.yaml").write_text("{}", encoding="utf-8")
    return folder


def applied(text: str) -> str:
    """Return the address of what is applied, by files that change nothing."""
    folder = files(text)
    url = f"file://{folder.parent}/applied.json"
    RetreaverAccountPlanOperator(
        task_id="plan",
        paths=str(folder),
        plan_path=f"file://{folder.parent}/plan.json",
        applied_path=url,
        skip_empty=False,
    ).execute(context_of())
    return url


def noted(text: str, managed: dict[str, dict[str, Any]] | None = None) -> str:
    """Return the address of what was applied, made without an account."""
    folder = files(text)
    content = read_files([("account.yaml", text)]).content
    record = Applied(company=1, plan="0" * 64, files=content, managed=managed or {})
    (folder.parent / "applied.json").write_bytes(record.dump())
    return f"file://{folder.parent}/applied.json"
