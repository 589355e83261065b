"""The command `retreaver-account` against a sandbox that serves over TCP."""

from __future__ import annotations

import fcntl
import json
import os
import random
import subprocess
import sys
import time

import pytest

from airflow_provider_retreaver.account.cli import main
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.sandbox.options import SandboxOptions

# `make test-account` kills twenty.
KILLS = int(os.environ.get("ACCOUNT_KILLS", "3"))


class Company:
    """A served sandbox, its files and the command."""

    def __init__(self, running, folder, capsys, monkeypatch):
        self.running, self.folder, self._capsys = running, folder, capsys
        monkeypatch.chdir(folder)
        monkeypatch.setenv("RETREAVER_API_KEY", "sandbox-key")
        monkeypatch.setenv("RETREAVER_COMPANY_ID", "1")
        monkeypatch.setenv("RETREAVER_HOST", running.url)
        monkeypatch.setenv("RETREAVER_EXTRA", '{"allow_http": true}')

    def run(self, *arguments):
        """Return exit code and output."""
        code = main([str(one) for one in arguments])
        self.errors = self._capsys.readouterr()
        return code, self.errors.out

    def json(self, *arguments):
        """Return exit code and the JSON object."""
        code, text = self.run(*arguments, "--json")
        return code, json.loads(text)

    def write(self, name, text):
        """Write a file of the account."""
        path = self.folder / "account" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rows(self, kind):
        """Return the objects of a resource."""
        found, page = [], 1
        query = [("api_key", "sandbox-key"), ("company_id", "1")]
        while True:
            answer = self.running.sandbox.handle("GET", f"/{kind}.json", [*query, ("page", str(page))], {}, b"")
            rows = [next(iter(row.values())) for row in json.loads(answer.body)]
            found, page = [*found, *rows], page + 1
            if not rows:
                return found

    def change(self, id_, **attributes):
        """Change a target as somebody else."""
        body = json.dumps({"target": attributes}).encode()
        query = [("api_key", "sandbox-key"), ("company_id", "1")]
        headers = {"content-type": "application/json"}
        assert self.running.sandbox.handle("PUT", f"/targets/{id_}.json", query, headers, body).status < 300

    def requests(self):
        """Return how many requests the sandbox has answered."""
        return len(json.loads(self.running.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body))

    def add(self, kind, **attributes):
        """Add an object."""
        body = json.dumps({kind.removesuffix("s"): attributes}).encode()
        query = [("api_key", "sandbox-key"), ("company_id", "1")]
        answer = self.running.sandbox.handle(
            "POST", f"/{kind}.json", query, {"content-type": "application/json"}, body
        )
        assert answer.status < 300, answer


@pytest.fixture
def company(request, tmp_path, capsys, monkeypatch):
    """Return a company; its contents are the parameter, `demo` without one."""
    with run_sandbox(SandboxOptions(load=getattr(request, "param", "demo"))) as running:
        yield Company(running, tmp_path, capsys, monkeypatch)


def test_the_tutorial(company):
    """Export, an empty plan, a cap changed, planned, applied by its hash, changed by hand, and seen as drift."""
    code, text = company.run("export", "account")
    assert (code, "101 objects written to account; their plan has 0 changes." in text) == (0, True)
    assert (company.folder / "account" / "retreaver-account.schema.json").exists()
    code, text = company.run("plan", "account")
    assert (code, "0 to create, 0 to change, 0 to delete" in text) == (0, True)
    targets = company.folder / "account" / "targets.yaml"
    targets.write_text(targets.read_text().replace("hard: 100", "hard: 120", 1))
    code, plan = company.json("plan", "account", "--out", "plan.json", "--markdown", "plan.md")
    assert (code, [list(one["fields"]) for one in plan["changes"]]) == (2, [["caps.hard"]])
    assert plan["sha256"] in (company.folder / "plan.md").read_text()
    assert company.run("apply", "plan.json", "--hash", "0" * 64)[0] == 1
    assert "was approved" in company.errors.err
    code, result = company.json("apply", "plan.json", "--hash", plan["sha256"][:12])
    assert (code, result["counts"]["done"]) == (0, 1)
    assert company.json("drift", "account")[1]["rows"] == []
    address = plan["changes"][0]["address"]
    row = next(row for row in company.rows("targets") if row["tid"] == address.partition("/")[2])
    company.change(row["id"], hard_cap_attributes={"cap": 7})
    targets.write_text(targets.read_text().replace("name: Boston Roofing 1\n", "name: Boston Roofs\n"))
    code, drift = company.json("drift", "account")
    assert code == 2
    assert {(one["field"], one["reason"], one["now"]) for one in drift["rows"]} == {
        ("caps.hard", "drift", 7),
        ("name", "not applied", "Boston Roofing 1"),
    }
    code, text = company.run("drift", "account", "--applied", "nowhere.json")
    assert (code, "unknown: " in text) == (2, True)


@pytest.mark.parametrize("company", ["empty"], indirect=True)
def test_five_hundred_objects_in_forty_requests(company):
    """An export takes a request for each 25 objects, and plans its files by the same answers: nothing would change.

    A plan reads the kinds of objects that are in the files, and those that they refer to.
    """
    for number in range(100):
        company.add("campaigns", cid=f"c{number}")
        company.add("affiliates", afid=f"a{number}")
    for number in range(50):
        company.add("target_groups", name=f"g{number}")
    for number in range(150):
        company.add("targets", tid=f"t{number}", number="+12125550100", daily_cap_attributes={"cap": number})
    for number in range(100):
        company.add("numbers", type="Local", cid=f"c{number}", afid=f"a{number}", sid=f"s{number}")
    begun = company.requests()
    code, written = company.json("export", "account")
    assert (code, written["objects"], written["changes"]) == (0, 500, 0)
    exported = company.requests() - begun
    code, plan = company.json("plan", "account")
    planned = company.requests() - begun - exported
    assert (code, plan["changes"]) == (0, [])
    assert (exported, planned) == (22, 21)
    begun = company.requests()
    company.write("../groups/a.yaml", "target_groups: {g1: {caps: {daily: 3}}}\n")
    assert company.json("plan", "groups")[0] == 2
    assert company.requests() - begun == 3


def test_patterns_choose_what_is_exported(company):
    """Addresses are included and excluded by patterns, and files that exist are not overwritten."""
    code, result = company.json("export", "account", "--include", "targets/buyer-00*", "--exclude", "*-001")
    assert (code, result["objects"], result["files"]) == (0, 8, ["retreaver-account.schema.json", "targets.yaml"])
    code, refused = company.json("export", "account")
    assert (code, refused["error"]["type"]) == (1, "InvalidArgument")
    assert company.run("export", "account", "--force")[0] == 0


def test_environments_and_variables(company):
    """An overlay and variables are read from the command line, folders through and through."""
    company.write("a/targets.yaml", "vars: {cap: 5}\ntargets: {buyer-001: {caps: {hard: '${cap}'}}}\n")
    company.write("environments/prod.yaml", "targets: {buyer-001: {name: Prod}}\n")
    company.write(".hidden/x.yaml", "nonsense: 1\n")
    _, plan = company.json("plan", "account", "--env", "prod", "--var", "cap=6")
    assert "Expected `int" in plan["error"]["message"]
    code, plan = company.json("plan", "account", "--env", "prod")
    assert (code, plan["environment"], set(plan["changes"][0]["fields"])) == (2, "prod", {"caps.hard", "name"})
    assert "known are prod" in company.json("plan", "account", "--env", "test")[1]["error"]["message"]
    assert "NAME=VALUE" in company.json("plan", "account", "--var", "cap")[1]["error"]["message"]
    assert "no file or folder" in company.json("plan", "nowhere")[1]["error"]["message"]


def test_a_connection_is_needed(company, monkeypatch):
    """Without a key the error says which variables to set; nothing else of the environment is asked for."""
    company.write("a.yaml", "company: 1\n")
    monkeypatch.delenv("RETREAVER_API_KEY")
    assert "RETREAVER_API_KEY" in company.json("plan", "account")[1]["error"]["message"]


def test_a_wrong_command_line_is_an_error(company):
    """The exit code 2 is that of changes; with `--json` the error is JSON, whatever the command was."""
    for arguments in (["apply", "plan.json"], ["plans"], ["plan"], ["apply", "p", "--hash", "x", "--only", "calls"]):
        code, refused = company.json(*arguments)
        assert (code, refused["error"]["type"]) == (1, "InvalidArgument"), arguments
        assert "usage: retreaver-account" in refused["error"]["message"]
    code, _ = company.run("apply", "plan.json")
    assert (code, "--hash" in company.errors.err) == (1, True)


def test_the_schema_is_printed(company):
    """It is the one that is written beside the files."""
    code, schema = company.json("schema")
    assert (code, schema["title"]) == (0, "Retreaver account")


def test_a_plan_that_is_made_again_is_applied_again(company):
    """Somebody undoes a change, and the next plan is the same to the last byte: its journal is not the old one."""
    company.write("a.yaml", "targets: {buyer-001: {name: X}}\n")
    hashes = []
    for _ in range(2):
        _, plan = company.json("plan", "account", "--out", "plan.json")
        hashes.append(plan["sha256"])
        assert company.json("apply", "plan.json", "--hash", plan["sha256"])[1]["counts"]["done"] == 1
        assert company.rows("targets")[0]["name"] == "X"
        company.change(1, name="Boston Roofing 1")
    assert hashes[0] == hashes[1]
    assert company.json("apply", "plan.json", "--hash", hashes[0])[1]["counts"]["done"] == 1
    assert company.rows("targets")[0]["name"] == "Boston Roofing 1"


def test_damaged_journals_and_applied_files_are_refused(company):
    """A journal that cannot be read is not taken for an empty one."""
    company.write("a.yaml", "targets: {buyer-001: {name: X}}\n")
    _, plan = company.json("plan", "account", "--out", "plan.json")
    (company.folder / "plan.json.journal.json").write_text("{")
    assert "damaged journal" in company.json("apply", "plan.json", "--hash", plan["sha256"])[1]["error"]["message"]
    (company.folder / "plan.json.journal.json").unlink()
    (company.folder / "other.json").write_text("{}")
    answer = company.json("drift", "account", "--applied", "other.json")[1]
    assert "not what an apply" in answer["error"]["message"]


BUILD = """
affiliates: {pub: {company_name: P}}
campaigns: {roof: {name: R}}
target_groups: {crew: {caps: {daily: 5}}}
targets:
  a: {number: "+12125550101", groups: [crew], hours: {mon-fri: 9am-5pm}, tags: {v: "1"}}
  b: {number: "+12125550102", groups: [crew], caps: {hard: 9}}
numbers: {n: {campaign: roof, affiliate: pub, purchase: {key: k-1, type: Local}}}
"""


def test_applies_of_one_plan_do_not_meet(company, monkeypatch):
    """An apply beside a running one is refused, also when the lock that it opened was removed by one that ended."""
    company.write("a.yaml", "targets: {buyer-001: {name: X}}\n")
    plan = company.json("plan", "account", "--out", "plan.json")[1]
    lock = company.folder / ".plan.json.journal.json.lock"
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "Another apply" in company.json("apply", "plan.json", "--hash", plan["sha256"])[1]["error"]["message"]
    take = fcntl.flock

    def after_it_was_removed(file, how):
        lock.unlink()
        take(file, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", after_it_was_removed)
        assert "Another apply" in company.json("apply", "plan.json", "--hash", plan["sha256"])[1]["error"]["message"]
    assert company.json("apply", "plan.json", "--hash", plan["sha256"])[1]["counts"]["done"] == 1
    assert not lock.exists()


@pytest.mark.parametrize("company", ["empty"], indirect=True)
def test_killed_applies_end_exactly(company):
    """SIGKILL at any moment of the command, again and again; run to the end, everything is there once."""
    generator = random.Random(19)  # noqa: S311 - moments, no secrets
    answer = company.running.sandbox.handle
    for kill in range(KILLS):
        answer("POST", "/__sandbox__/reset", [], {}, b'{"load": "empty"}')
        company.write("a.yaml", BUILD)
        plan_file = company.folder / f"plan{kill}.json"
        _, plan = company.json("plan", "account", "--out", plan_file)
        program = [sys.executable, "-m", "airflow_provider_retreaver.account"]
        command = [*program, "apply", str(plan_file), "--hash", plan["sha256"]]
        before, wanted = company.requests(), generator.randint(2, 24)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while company.requests() - before < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        process.wait()
        code, result = company.json("apply", plan_file, "--hash", plan["sha256"], "--max-changes", "none")
        assert (code, result["counts"]["done"]) == (0, 6), result
        assert company.json("plan", "account")[1]["changes"] == []
        counts = {kind: len(company.rows(kind)) for kind in ("targets", "target_groups", "campaigns", "numbers")}
        assert counts == {"targets": 2, "target_groups": 1, "campaigns": 1, "numbers": 1}
