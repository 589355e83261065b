"""The page of the API's coverage matches the code."""

from __future__ import annotations

import re

import pytest

from airflow_provider_retreaver.sandbox.api.routes import ROUTES

# Routes of the sandbox that Retreaver does not document.
MORE = {"POST targets/tid/{}/reset_cap"}
# Call data is written by POST with the key as a parameter; recordings and the files of exports are on other hosts;
# versions 2 to 5 of the RTB log are the same.
OTHER_WAYS = {
    *("GET data_writing", "GET data_writing/{}", "POST data_writing/{}", "GET recordings/{}", "GET exports/{}.csv"),
    *(f"GET api/v{version}/rtb_inbounds" for version in (2, 3, 4)),
    "GET v2/reports/rtb_inbounds/{}/download",
}


@pytest.fixture
def coverage(script):
    """Give the script."""
    return script("api_coverage")


def test_page_is_up_to_date(coverage):
    """The page equals what the script writes."""
    assert coverage.DESTINATION.read_text(encoding="utf-8") == coverage.document()


def test_sandbox_serves_everything(coverage):
    """Every request of every function has a route in the sandbox, current and legacy."""
    served = [line.served for _, line in coverage.lines()]
    assert len(served) > 80
    assert all(re.fullmatch(r"yes \(\d\)", text) for text in served)


def test_missing_route_is_noticed(coverage):
    """A route that the sandbox does not have counts as not served."""
    sandbox = coverage.Sandbox()
    asked = {path: coverage.served(sandbox, coverage.Request("PUT", path)) for path in ("/moons.json", "/calls.json")}
    assert asked == {"/moons.json": False, "/calls.json": False}
    sandbox.close()


def test_no_endpoint_is_left_out(coverage):
    """Every endpoint that the sandbox serves has a function."""
    ours = set()
    for _, line in coverage.lines():
        for text in (line.current, line.legacy):
            for method, path in re.findall(r"`(\w+) /([^`]*?)(?:\.json)?`", text):
                plain = path.replace("{calls_version}", "v{}")
                ours.add(f"{method} {re.sub(r'{.*?}', '{}', plain)}")
    theirs = {f"{route.method} {re.sub(r'{.*?}', '{}', route.path)}" for route in ROUTES if route.method != "PATCH"}
    assert theirs - ours == MORE | OTHER_WAYS


def test_functions_without_a_generic_operator(coverage):
    """Only functions that are none of the five verbs have no generic operator."""
    without = {line.function for _, line in coverage.lines() if line.operators == "–"}
    assert without == {
        "`targets.reset_cap`",
        "`target_groups.reset_cap`",
        "`call_reservations.create_call_reservation`",
        "`data_writing.write_call_data`",
        "`payout_tables.create_payout_table`",
        "`payout_tables.activate_payout_table`",
        "`payout_tables.deactivate_payout_table`",
        "`rtb.reserve_call`",
        "`rtb.confirm_reservation`",
        "`rtb_inbounds.create_rtb_inbound_export`",
        "`rtb_inbounds.get_rtb_inbound_choices`",
        "`rtb_inbounds.get_rtb_inbound_export`",
        "`rtb_inbounds.locate_rtb_inbound_file`",
        "`suppression.any_suppressed`",
        "`trackdrive.buyers.list_buyers`",
        "`caller_lists.check_caller_list`",
        "`caller_lists.upload_caller_list`",
    }


def test_check_fails_on_an_old_page(coverage, tmp_path, monkeypatch, capsys):
    """`--check` fails on an old page, and succeeds after the page was written."""
    page = tmp_path / "api-coverage.md"
    monkeypatch.setattr(coverage, "DESTINATION", page)
    answers = []
    for arguments in (["--check"], [], ["--check"]):
        monkeypatch.setattr("sys.argv", ["api_coverage.py", *arguments])
        answers.append(coverage.main())
    assert answers == [1, 0, 0]
    assert "out of date" in capsys.readouterr().out
