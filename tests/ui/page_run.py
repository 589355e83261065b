"""The page about an account in a real Airflow, in Chromium: rights, figures, failures, themes, and accessibility.

`make test-ui` runs it. Pictures are kept in `.ui-test/pictures`, or in the folder that `PICTURES` names. axe-core is
the engine of the package axe-playwright-python; nothing of Playwright runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.airflow.support.api_server import ApiServer, api_server  # noqa: E402 - after the path
from tests.ui.browser import Browser, chromium, wait_for  # noqa: E402

FOLDER = PROJECT / ".ui-test"
PICTURES = Path(os.environ.get("PICTURES") or FOLDER / "pictures")
# Which Airflow: `make test-ui` runs the page on the project's own and on Airflow 3.1.
PYTHON = os.environ.get("AIRFLOW_PYTHON") or str(PROJECT / ".venv" / "bin" / "python")
KEY = "sandbox-key-of-the-page"
VIEWS = ("caps", "calls", "numbers", "work", "health")
FIRST_PAINT = 1_000.0  # milliseconds
TARGETS = 5_000
IMPACTS = {"serious", "critical"}


@dataclass(frozen=True)
class Box:
    """A running sandbox.

    :param url: its address.
    """

    url: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to the sandbox."""
        data = None if body is None else json.dumps(body).encode()
        address = f"{self.url}{path}{'&' if '?' in path else '?'}api_key={KEY}&company_id=1"
        request = Request(address, data, {"Content-Type": "application/json"}, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def targets(self, count: int) -> None:
        """Add targets with caps."""
        for index in range(count):
            given = {
                "name": f"Buyer {index + 1}",
                "number": f"+1646555{index:04}",
                "hard_cap_attributes": {"cap": 100},
                "daily_cap_attributes": {"cap": 20 + index % 50},
            }
            self.call("POST", "/targets.json", {"target": given})


@contextmanager
def sandbox(load: str) -> Iterator[Box]:
    """Run a sandbox on a free port."""
    command = [PYTHON, "-m", "airflow_provider_retreaver.sandbox", "--port", "0", "--load", load, "--api-key", KEY]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT, env=environment(FOLDER)
    )
    try:
        assert process.stdout is not None
        yield Box(process.stdout.readline().rsplit(" ", 1)[1].strip())
    finally:
        process.terminate()
        process.communicate(timeout=20)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a process of Airflow."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__RETREAVER__PAGE_TIME_ZONE": "America/New_York",
    }


def connection(box: Box) -> dict[str, Any]:
    """Return the fields of a connection to a sandbox."""
    host, _, port = box.url.rpartition(":")
    return {"conn_type": "retreaver", "login": "1", "password": KEY, "host": host, "port": int(port)}


def run_example(home: Path, box: Box) -> None:
    """Run an example DAG once, so that Airflow's database has a task of ours."""
    (home / "dags").mkdir()
    shutil.copy2(PROJECT / "example_dags" / "retreaver_nightly_cap_reset.py", home / "dags")
    extra = {"AIRFLOW_CONN_COMPANY": json.dumps(connection(box))}
    path = home / "dags" / "retreaver_nightly_cap_reset.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("only_filled=True", 'only_filled=True, retreaver_conn_id="company"'), encoding="utf-8"
    )
    command = [PYTHON, str(PROJECT / "scripts" / "run_dag.py")]
    done = subprocess.run(
        command,
        env={**environment(home), **extra},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for target_id, filled in ((2, 10), (4, 25), (5, 9)):
        box.call("POST", f"/__sandbox__/targets/{target_id}/fill", {"type": "hard", "filled": filled})


@dataclass(frozen=True)
class Boxes:
    """The accounts: with demo data, large, and empty."""

    demo: Box
    large: Box
    empty: Box


@pytest.fixture(scope="module")
def boxes() -> Iterator[Boxes]:
    """Run a sandbox for each account."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as stack:
        made = Boxes(*(stack.enter_context(sandbox(load)) for load in ("demo", "empty", "empty")))
        made.large.targets(TARGETS)
        yield made


@pytest.fixture(scope="module")
def server(boxes: Boxes) -> Iterator[ApiServer]:
    """Run an api-server with a connection to each account, after a DAG has worked on one."""
    home = FOLDER / "page-home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    migrate = [PYTHON, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment(home), check=True, capture_output=True, timeout=300, cwd=home)
    run_example(home, boxes.demo)
    with api_server(home, environment(home), PYTHON) as running:
        for name in ("company", "large", "empty"):
            box = {"company": boxes.demo, "large": boxes.large, "empty": boxes.empty}[name]
            running.add_connection(name, connection(box))
        yield running


@pytest.fixture(scope="module")
def browser(server: ApiServer) -> Iterator[Browser]:
    """Run a browser."""
    profile = FOLDER / "page-profile"
    shutil.rmtree(profile, ignore_errors=True)
    with chromium(profile, server.url, PICTURES) as one:
        yield one


def log_in(browser: Browser, server: ApiServer, user: str) -> None:
    """Give the browser the session of a user."""
    browser.driver.delete_all_cookies()
    browser.open("/retreaver/page/static/page.css")
    browser.driver.add_cookie({"name": "_token", "value": server.token(user), "path": "/"})


def paint(browser: Browser) -> float:
    """Return after how many milliseconds the page that is open was painted first."""
    script = "return performance.getEntriesByType('paint').filter(e => e.name === 'first-contentful-paint')[0]"
    return float(wait_for("first paint", lambda: browser.driver.execute_script(script))["startTime"])


def violations(browser: Browser) -> list[str]:
    """Return what axe finds in the page that is open, of serious and critical impact."""
    place = importlib.util.find_spec("axe_playwright_python")
    assert place is not None
    assert place.origin is not None
    browser.driver.execute_script((Path(place.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html']} {one['nodes'][0].get('failureSummary')}"
        for one in found["violations"]
        if one["impact"] in IMPACTS
    ]


def frame(browser: Browser) -> None:
    """Go into the frame in which Airflow shows the page."""
    browser.driver.switch_to.default_content()
    browser.driver.switch_to.frame(browser.find("iframe[title=Retreaver]"))


def open_view(browser: Browser, company: str, view: str) -> None:
    """Go to a view as a reader does, within Airflow: Airflow 3.1 has no address for a view."""
    browser.open("/plugin/retreaver")
    frame(browser)
    browser.shows("Which company?")
    browser.driver.find_element("css selector", "#connection").send_keys(company)
    browser.click("form button", "Show")
    browser.click("nav.views a", view)
    browser.find("nav.views a[aria-current]", view)


def test_a_reader_with_rights(server: ApiServer, browser: Browser) -> None:
    """The menu leads to the page, which shows full buyers, searches, and follows a link to Airflow's own task."""
    log_in(browser, server, "olga")
    browser.open("/")
    browser.click("button", "Browse")
    browser.click("[role=menuitem], [role=menu] a", "Retreaver")
    frame(browser)
    browser.shows("Which company?")
    browser.driver.find_element("css selector", "#connection").send_keys("company")
    browser.click("form button", "Show")
    browser.shows("nearest to full first", "100 % full")
    browser.driver.switch_to.default_content()
    browser.picture("page-caps")
    frame(browser)
    browser.fill("#q", "roofing")
    browser.click("form[role=search] button")
    text = browser.shows("Roofing buyers")
    assert "Legal" not in text
    browser.click("nav.views a", "Our work")
    browser.shows("retreaver_nightly_cap_reset, reset_full_caps", "reset")
    browser.driver.switch_to.default_content()
    browser.picture("page-work")
    frame(browser)
    browser.click("a[data-airflow]", "reset_full_caps")
    browser.driver.switch_to.default_content()
    wait_for(
        "the task's page",
        lambda: re.search(r"/dags/retreaver_nightly_cap_reset/runs/.+/tasks/", browser.driver.current_url),
    )


def test_themes(server: ApiServer, browser: Browser) -> None:
    """The page is as dark as Airflow is, follows at once when that changes, and is so when it is opened again."""
    log_in(browser, server, "olga")
    changed = "localStorage.setItem('theme', arguments[0]);"
    # What Airflow hears when another of its windows has changed the theme.
    changed += "window.dispatchEvent(new StorageEvent('storage', {key: 'theme', newValue: arguments[0]}))"
    open_view(browser, "company", "Calls")
    for theme in ("light", "dark", "light"):
        browser.driver.switch_to.default_content()
        browser.driver.execute_script(changed, theme)
        frame(browser)
        root = browser.find("html")
        wait_for(f"{theme} theme", lambda theme=theme, root=root: root.get_attribute("data-theme") == theme)
    for theme in ("dark", "light"):
        browser.driver.switch_to.default_content()
        browser.driver.execute_script("localStorage.setItem('theme', arguments[0])", theme)
        open_view(browser, "company", "Calls")
        assert browser.find("html").get_attribute("data-theme") == theme
        browser.shows("calls today")
        browser.driver.switch_to.default_content()
        browser.picture(f"page-calls-{theme}")


def test_an_empty_account(server: ApiServer, browser: Browser) -> None:
    """An account without targets says so, within Airflow."""
    log_in(browser, server, "olga")
    open_view(browser, "empty", "Caps")
    browser.shows("This company has no targets yet.")
    browser.driver.switch_to.default_content()
    browser.picture("page-empty")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["company", "empty"])
def test_accessibility(server: ApiServer, browser: Browser, name: str, theme: str) -> None:
    """The engine finds nothing serious in any view, full or empty, light or dark."""
    log_in(browser, server, "olga")
    found = {}
    for view in (*VIEWS, "caps/target/1", "caps?q=nobody"):
        browser.open(f"/retreaver/page/{name}/{view}")
        browser.driver.execute_script(f"localStorage.setItem('theme', '{theme}')")
        browser.driver.refresh()
        wait_for("figures", lambda: "Reading the account" not in browser.find("main").text)
        assert browser.find("html").get_attribute("data-theme") == theme
        found[view] = violations(browser)
    assert {view: faults for view, faults in found.items() if faults} == {}


def test_the_keyboard_is_enough(server: ApiServer, browser: Browser) -> None:
    """The Tab key reaches the skip link first, then everything that can be used, each with a visible outline."""
    log_in(browser, server, "olga")
    browser.open("/retreaver/page/company/caps")
    browser.shows("nearest to full first")
    reached, outlines = [], []
    for _ in range(16):
        browser.driver.switch_to.active_element.send_keys("\ue004")
        one = browser.driver.switch_to.active_element
        reached.append(one.get_attribute("id") or one.get_attribute("aria-label") or one.text)
        outlines.append(one.value_of_css_property("outline-style"))
    assert reached[0] == "Skip to the figures"
    for expected in ("Caps", "Health", "q", "show", "Search", "Caps of targets and groups"):
        assert expected in reached, reached
    assert set(outlines) == {"solid"}


@pytest.mark.parametrize("view", ["caps", "caps?page=7", "caps?q=999"])
def test_a_large_account(server: ApiServer, browser: Browser, view: str) -> None:
    """Five thousand targets are painted within a second: the best of three times, since others use this machine."""
    log_in(browser, server, "olga")
    browser.open(f"/retreaver/page/large/{view}")
    times = [paint(browser)]
    wait_for("figures", lambda: f"{TARGETS} targets" in browser.find("main").text)
    for _ in range(2):
        browser.driver.refresh()
        times.append(paint(browser))
    print(f"\n{view}: first paints {', '.join(f'{one:.0f} ms' for one in times)}")
    assert min(times) < FIRST_PAINT


def test_a_viewer_without_rights(server: ApiServer, browser: Browser) -> None:
    """Who may not read connections sees no company, and no address tells whether there is one."""
    log_in(browser, server, "vera")
    browser.open("/plugin/retreaver")
    frame(browser)
    text = browser.shows("There is no connection to Retreaver or TrackDrive that you may read.")
    browser.driver.switch_to.default_content()
    browser.picture("page-no-rights")
    assert "company" not in text.replace("No company", "")
    pages = set()
    for name in ("company", "large", "no-such-connection"):
        browser.open(f"/retreaver/page/{name}/caps")
        pages.add(browser.driver.page_source)
        assert violations(browser) == []
    assert len(pages) == 1


def test_an_account_that_is_down(server: ApiServer, browser: Browser, boxes: Boxes) -> None:
    """What was read is still shown, with its time and what failed."""
    log_in(browser, server, "olga")
    browser.open("/retreaver/page/company/caps")
    browser.shows("nearest to full first")
    boxes.demo.call("POST", "/__sandbox__/faults", {"path": "targets", "status": 503, "times": 1000})
    try:
        time.sleep(31)
        wait_for(
            "the failure",
            lambda: browser.driver.refresh() or "What is shown is older" in browser.find("main").text,
        )
        browser.shows("503", "nearest to full first")
        assert violations(browser) == []
        open_view(browser, "company", "Caps")
        browser.shows("What is shown is older")
        browser.driver.switch_to.default_content()
        browser.picture("page-down")
    finally:
        boxes.demo.call("DELETE", "/__sandbox__/faults")


def test_an_ended_session(server: ApiServer, browser: Browser) -> None:
    """A session that has ended leads to the login."""
    log_in(browser, server, "olga")
    browser.open("/retreaver/page/company/caps")
    browser.driver.delete_all_cookies()
    browser.driver.refresh()
    browser.shows("Please log in")
    browser.click("a", "Log in")
    browser.find("input[type=password]")


def test_nothing_comes_from_elsewhere(server: ApiServer, browser: Browser) -> None:
    """Every file of every view comes from this Airflow, and the browser's console has no complaint."""
    log_in(browser, server, "olga")
    browser.driver.get_log("browser")  # what it said of earlier pages
    for view in VIEWS:
        browser.open(f"/retreaver/page/company/{view}")
        loaded = browser.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert all(one.startswith((f"{server.url}/retreaver/page/", "data:")) for one in loaded), loaded
    messages = [one for one in browser.driver.get_log("browser") if "/retreaver/page/" in one["message"]]
    assert [one for one in messages if one["level"] == "SEVERE" and "401" not in one["message"]] == []
