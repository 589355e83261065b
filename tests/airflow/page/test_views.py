"""What the page shows of an account, and what it costs: real requests to a sandbox, a real database of Airflow's."""

from __future__ import annotations

import logging
import re
import threading

import pytest

from tests.airflow.support.account import KEY
from tests.airflow.support.page import assert_no_secret, words

pytestmark = pytest.mark.airflow
EVIL = "<script>alert(1)</script>\"'&"


def test_caps(site, account):
    """What is nearest to full comes first, with its caps in words, and names are escaped."""
    account.target("Half", cap=10, filled=5)
    account.target(EVIL, cap=10, filled=9)
    account.target("No cap", cap=None)
    full = account.target("Full", cap=10, filled=10, paused=True)
    account.group([full], cap=500, filled=1)
    html = site.view("caps")
    text = words(html)
    names = re.findall(r'<th scope="row"><a [^>]*>(.*?)</a>', html)
    assert names == ["Full", "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;", "Half", "Roofers", "No cap"]
    assert 'aria-label="hard cap: 9 of 10, 90 %, nearly full"' in html
    assert "10 of 10, 100 % full paused 24h (Etc/UTC) Roofers" in text
    assert "4 targets 3 open now 1 with a full cap 1 paused 1 groups" in text
    assert "<script>alert" not in html
    assert_no_secret(html)


def test_search_and_pages(site, account):
    """A search looks at names, IDs and groups; a page that is none shows the nearest one."""
    account.targets(60)
    account.target("Acme Roofing", tid="buyer-7")
    assert "Acme Roofing" in site.view("caps", q="ACME roof")
    assert "Acme Roofing" in site.view("caps", q="buyer-7")
    assert "Target 1" not in site.view("caps", q="acme")
    assert "page 2 of 2" in words(site.view("caps", page="99"))
    assert "page 1 of 2" in words(site.view("caps", page="-1"))
    assert "No target or group matches." in site.view("caps", q="nobody")
    odd = site.view("caps", q=EVIL, show="<b>", page="1e9")
    assert "<script>alert" not in odd


def test_one_poll_for_everybody(site, account):
    """Fifty readers at once cost one poll, those of the next 30 seconds none, and nobody nothing."""
    account.targets(30)
    before = len(account.sent())
    readers = [threading.Thread(target=site.view, args=("caps",)) for _ in range(50)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    # Two pages of targets and one of groups.
    assert len(account.sent()) - before == 3
    site.view("caps", show="full")
    site.view("caps/target/1")
    site.get("/", "olga")
    site.view("health")
    assert len(account.sent()) - before == 3


@pytest.mark.parametrize(("workers", "polls"), [("1", 2), ("2", 1)])
def test_one_poll_for_all_processes(site, account, monkeypatch, tmp_path, workers, polls):
    """With several workers one process polls for all; with one worker nothing is written to files."""
    monkeypatch.setenv("AIRFLOW__API__WORKERS", workers)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    account.target("Acme", cap=100)
    for process in (site.another_process(), site.another_process()):
        assert "Acme" in process.view("caps")
    assert len(account.sent("GET")) == 2 * polls
    assert bool(list(tmp_path.rglob("*.json"))) is (workers == "2")


@pytest.mark.parametrize(("name", "polls"), [("shared/page", 1), ("../page", 2)])
def test_one_poll_for_several_machines(site, account, monkeypatch, tmp_path, caplog, name, polls):
    """Api-servers that have the folder `page_folder` share their polls; a path that is not absolute is not used."""
    (tmp_path / "shared").mkdir()
    folder = name if name.startswith(".") else str(tmp_path / name)
    monkeypatch.setenv("AIRFLOW__RETREAVER__PAGE_FOLDER", folder)
    account.target("Acme", cap=100)
    machines = []
    for machine in ("one", "other"):
        (tmp_path / machine).mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / machine))
        machines.append(site.another_process())
        assert "Acme" in machines[-1].view("caps")
    assert len(account.sent("GET")) == 2 * polls
    assert ("page_folder is not an absolute path" in caplog.text) is (polls == 2)


def test_two_connections_to_one_company_share_a_poll(site, account):
    """What is polled belongs to a company and its key, whatever the connection is called."""
    site.connect("same", account.connection(extra={"max_wait": 0}))
    site.view("caps")
    before = len(account.sent())
    html = site.view("caps", "same")
    assert len(account.sent()) == before
    assert "<h1>Retreaver: same</h1>" in html
    assert '<option value="main">' in html


def test_calls(site, account):
    """Today's calls are shown by hour, and by campaign, buyer and publisher with their amounts."""
    account.target("Acme", tid="a1")
    account.calls(7, tid="a1", revenue=12.5, payout=5)
    html = site.view("calls", zone="America/New_York")
    text = words(html)
    assert re.search(r"7 calls today", text)
    assert "87.50 revenue 35.00 payout" in text
    assert re.search(r"By buyer Today Buyer Calls Converted Revenue Payout Acme 7 \d+ 87.50 35.00", text), text
    assert len(re.findall(r"<g><title>\d\d:00: ", html)) == 24
    assert "callers" not in text


def test_settled_hours_are_read_once(site, account):
    """A second poll of calls asks for the last hours only."""
    site.view("calls")
    first = len(account.sent())
    assert 100 <= first <= 4 * 25 + 25 + 3
    site.client.app.routes[-1].app.state.polls._fresh = 0.0
    site.view("calls")
    assert len(account.sent()) - first <= 2 * (5 + 3)


def test_an_unknown_zone_is_utc(site):
    """A zone that is none changes nothing, and is not repeated."""
    html = site.view("calls", zone="<script>alert(1)</script>")
    assert '<option value="UTC" selected>' in html or '<option value="Etc/UTC" selected>' in html
    assert "alert(1)" not in html


def test_numbers(site, account):
    """Pools have their headroom, and numbers without calls are listed once they are 30 days old."""
    account._control("POST", "reset", {"load": "demo"})
    text = words(site.view("numbers"))
    assert "Number pools" in text
    assert re.search(r"10 of 10 0 %", text)


def test_reports_that_the_key_may_not_read(site, account):
    """Calls say so; pools are still shown, and which numbers are idle is said to be unknown."""
    account.fault("reports", status=403, times=1000)
    assert "403" in words(site.view("calls"))
    text = words(site.view("numbers"))
    assert "This company has no number pools." in text
    assert "Which numbers had calls is not known: " in text
    account.clear_faults()


def test_the_account_is_down(site, account):
    """What was read before is still shown, with its time and what failed."""
    account.target("Acme")
    site.view("caps")
    site.client.app.routes[-1].app.state.polls._fresh = 0.0
    account.fault("targets", status=503, times=1000)
    text = words(site.view("caps"))
    assert "Acme" in text
    assert "503" in text
    assert "What is shown is older." in text
    account.clear_faults()


def test_an_empty_account(site):
    """Every view says that there is nothing."""
    assert "This company has no targets yet." in site.view("caps")
    assert "No calls today." in site.view("calls")
    assert "This company has no number pools." in site.view("numbers")
    assert "No task of this package has used this connection" in site.view("work")
    assert "No scheduled DAG that you may read exports calls" in site.view("health")


def test_a_wrong_key(site, account):
    """A refused key is told in one sentence, which does not have it."""
    site.sql("UPDATE connection SET password = 'wrong-key-0123456789' WHERE conn_id = 'main'")
    html = site.view("caps")
    assert "401" in html
    assert "wrong-key" not in html


def test_an_invalid_connection(site):
    """A connection that cannot work is named by its field, and nothing of it is quoted."""
    site.sql("UPDATE connection SET login = 'company <b>one</b>' WHERE conn_id = 'main'")
    answer = site.get("/main/caps")
    assert answer.status_code == 200
    assert "The connection is invalid" in answer.text
    assert "one</b>" not in answer.text


def test_connections_of_other_types_are_not_shown(site):
    """A connection of another type is no company, even for its reader."""
    site.connect("database", {"conn_type": "postgres", "host": "db", "password": "db-password"})
    assert site.get("/database/caps").status_code == 404
    assert "database" not in site.get("/").text
    assert site.get("/").headers["location"] == "/retreaver/page/main/"
    assert site.get("/main/").headers["location"] == "/retreaver/page/main/caps"


def test_choosing_a_company(site, account):
    """With several connections the reader chooses one, and no address leads out of the page."""
    site.connect("second.company", account.connection())
    html = site.get("/").text
    assert "Which company?" in html
    assert ">second.company</option>" in html
    assert site.get("/go", connection="main").headers["location"] == "/retreaver/page/main/"
    assert site.get("/go", connection="//evil/").headers["location"] == "/retreaver/page/%2F%2Fevil%2F/"


def test_it_only_reads(site, account):
    """Nothing but GET is answered, and nothing but GET is sent."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        headers = {"Cookie": f"_token={site.tokens['olga']}"}
        assert site.client.request(method, "/retreaver/page/main/caps", headers=headers).status_code == 405
    for view in ("caps", "calls", "numbers"):
        site.view(view)
    assert set(account.sent()) == set(account.sent("GET"))


def test_headers(site):
    """A document loads from its own origin only, is framed by Airflow only, and is kept by nobody."""
    headers = site.get("/main/caps").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    html = site.view("caps")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
    assert not re.findall(r"\son\w+=|style=", html)
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = site.get(f"/static/{name}", None)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "http" not in answer.text
    assert site.get("/static/..%2Fapp.py", None).status_code == 404


def test_the_key_never_reaches_the_browser(site, account, caplog):
    """No view has the key, and neither has the log at any level, whatever the account echoes."""
    caplog.set_level(logging.DEBUG)
    account.target(f"pasted {KEY}")
    account.group([account.target("Member", tid=KEY)])
    account.calls(3, caller=KEY)
    for view in ("caps", "calls", "numbers", "work", "health", "caps/target/1", "caps/target/2"):
        assert_no_secret(site.view(view))
    account.fault("targets", status=422, body={"errors": {"key": [KEY]}})
    site.client.app.routes[-1].app.state.polls._fresh = 0.0
    assert_no_secret(site.view("caps"))
    assert "GET /targets.json" in caplog.text
    # The sandbox, which runs in this process, logs what it was asked.
    assert_no_secret("\n".join(one.getMessage() for one in caplog.records if not one.name.startswith("uvicorn")))
