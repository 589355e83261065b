"""Connections, secrets and files of the command."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.account.drifting import applied_by, drift_of, load_applied
from airflow_provider_retreaver.account.kinds import read_company
from airflow_provider_retreaver.account.schema import SecretReference
from airflow_provider_retreaver.account.sources import Sources, connected, find_secret, read_bytes, write_whole
from airflow_provider_retreaver.core.errors import InvalidArgument, StorageFailed
from airflow_provider_retreaver.core.secrets import redact
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from tests.account.support import Account


def test_an_airflow_connection_and_variables_lead_to_the_same_company(monkeypatch):
    """By `--conn-id` or by the environment."""
    with run_sandbox() as running:
        uri = f"retreaver://1:sandbox-key@{running.url.removeprefix('http://')}/http?allow_http=true"
        monkeypatch.setenv("AIRFLOW_CONN_MINE", uri)
        with connected("mine") as runs:
            assert runs.run(read_company()) == 1
        variables = {
            "RETREAVER_API_KEY": "sandbox-key",
            "RETREAVER_COMPANY_ID": "1",
            "RETREAVER_HOST": running.url,
            "RETREAVER_EXTRA": '{"allow_http": true}',
        }
        with connected(None, variables) as runs:
            assert runs.run(read_company()) == 1


def test_secrets_are_found_by_reference_and_masked(monkeypatch):
    """The password of a connection, or a variable; one that does not exist is none."""
    monkeypatch.setenv("AIRFLOW_CONN_ACME_SIP", "generic://user:first-sip-secret@host")
    monkeypatch.setenv("ACME_SIP", "second-sip-secret")
    assert find_secret(SecretReference(connection="acme_sip")) == "first-sip-secret"
    assert find_secret(SecretReference(env="ACME_SIP")) == "second-sip-secret"
    assert find_secret(SecretReference(env="NOBODY")) is None
    assert find_secret(SecretReference(connection="no_such_connection")) is None
    assert "sip-secret" not in redact("first-sip-secret and second-sip-secret")


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    """A folder in the place of a file, bytes that are no UTF-8, and a folder without a file."""
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        Sources([str(tmp_path)]).read()
    (tmp_path / "a.yaml").unlink()
    with pytest.raises(InvalidArgument, match="no file to read"):
        Sources([str(tmp_path)]).read()
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_bytes(tmp_path, "a plan")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be written"):
        write_whole(tmp_path / "file" / "plan.json", b"")


def test_the_commit_of_the_files_is_in_the_plan(tmp_path, monkeypatch):
    """None outside of git, and where there is no git."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert Sources([str(tmp_path)]).git_commit() is None
    monkeypatch.setenv("PATH", "")
    assert Sources([str(tmp_path)]).git_commit() is None


def test_drift_of_objects_and_companies():
    """A deleted object is drift, a new one is not applied yet, and what failed keeps what was applied before."""
    account = Account()
    text = 'targets: {a: {number: "+12125550101"}, b: {number: "+12125550102"}}'
    plan = account.plan(text)
    account.apply(plan)
    applied = load_applied(account.applied.dump(), "x")
    account.ask("DELETE", "/targets/tid/a.json")
    rows = drift_of(account.plan(f"{text[:-1]}, c: {{number: '+12125550103'}}}}\nremoved: [targets/d]"), applied)
    assert [(row["address"], row["reason"], row["now"]) for row in rows] == [
        ("targets/a", "drift", "missing"),
        ("targets/c", "not applied", "missing"),
    ]
    assert applied_by(plan, applied).managed == applied.managed
    assert applied_by(plan, None).managed == {}
    account.add("targets", tid="d", number="+12125550104")
    assert drift_of(account.plan("removed: [targets/d]"), applied)[0]["wanted"] == "removed"
    other = load_applied(applied.dump().replace(b'"company":1', b'"company":2'), "x")
    with pytest.raises(InvalidArgument, match="company 2"):
        drift_of(plan, other)
