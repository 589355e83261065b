# ruff: noqa: D401 - a case says what holds, as a test does
"""Lists: pages, moving lists, counts."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError, RateLimited, RetreaverError
from airflow_provider_retreaver.resources.calls import list_calls
from airflow_provider_retreaver.resources.targets import list_targets
from tests.contract.harness import Caller


def every_row_once_in_order(caller: Caller) -> None:
    """Pages of 25, and an exact multiple, an empty list and a single row."""
    caller.concurrent = True
    for wanted in (0, 1, 25, 26, 50, 60):
        ids = {row["id"] for row in caller.iterate(list_targets())}
        made = caller.targets(wanted - len(ids))
        rows = [row["id"] for row in caller.iterate(list_targets())]
        assert len(rows) == len(set(rows)) == wanted
        assert set(rows) == ids | set(made)


def per_page_is_sent_where_the_vendor_takes_it(caller: Caller) -> None:
    """The call log has pages of the connection's size; the legacy one has 25 and is not asked."""
    caller.concurrent = True
    caller.calls(60)
    caller.connect(extra={"per_page": 40})
    assert len(caller.iterate(list_calls())) == 60
    assert len(caller.entries()) == 2
    caller.connect(extra={"per_page": 40, "api_routes": "legacy"})
    assert len(caller.iterate(list_calls())) == 60
    assert not any(name == "per_page" for e in caller.entries()[2:] for name, _ in e["query"])


def counting_takes_two_requests(caller: Caller) -> None:
    """However long the list is."""
    for wanted, requests in ((0, 1), (7, 1), (100, 2), (101, 2), (1_234, 2)):
        caller.calls(wanted - caller.count(list_calls()))
        before = len(caller.entries())
        assert caller.count(list_calls()) == wanted
        assert len(caller.entries()) - before == requests


def rows_added_at_the_front_while_reading(caller: Caller) -> None:
    """Newest first: the rows that were there come once each, however many are pushed."""
    caller.racing = True
    caller.connect(extra={"per_page": 10, "max_concurrency": 1})
    caller.calls(45, created_at="2026-01-08T00:00:00Z")
    there = {row["uuid"] for row in caller.iterate(list_calls())}

    def busy(number: int) -> None:
        if number in (3, 12, 20):
            # More than a page: the page asked for next was read before, whole.
            caller.calls(25, created_at=f"2026-01-09T0{number // 10}:00:00Z")

    rows = [row["uuid"] for row in caller.iterate(list_calls(), between=busy)]
    assert len(rows) == len(set(rows))
    assert there <= set(rows)
    # Drawn anew each time.
    caller.results.clear()


def a_list_that_shrinks_while_reading_ends(caller: Caller) -> None:
    """The pages that are gone are empty; nothing repeats and nothing fails."""
    caller.racing = True
    ids = caller.targets(80)

    def remove(number: int) -> None:
        if number == 10:
            for id_ in ids[5:]:
                caller.delete(id_)

    caller.connect(extra={"max_concurrency": 1})
    rows = [row["id"] for row in caller.iterate(list_targets(), between=remove)]
    assert len(rows) == len(set(rows)) >= 25
    caller.results.clear()


def an_empty_page_in_the_middle_is_no_end(caller: Caller) -> None:
    """With the `Link` of its place, or without any: the end is known from the page before."""
    caller.connect(extra={"max_concurrency": 1})
    first = (list(range(25)), {"Link": '<https://x/?page=3>; rel="last", <https://x/?page=2>; rel="next"'})
    third = (list(range(50, 60)), {"Link": '<https://x/?page=2>; rel="prev"'})
    for headers in ({"Link": '<https://x/?page=3>; rel="next"'}, {}, {"Link": "garbage"}):
        _pages(caller, first, ([], headers), third)
        assert len(caller.iterate(list_targets())) == 35


def _pages(caller: Caller, *pages: tuple[list[int], dict[str, str]]) -> None:
    for ids, headers in pages:
        body = json.dumps([{"target": {"id": id_}} for id_ in ids])
        caller.fault(path="targets.json", status=200, body=body, headers=headers)


def a_server_that_ignores_the_page_and_says_nothing_has_one(caller: Caller) -> None:
    """A list that is not paged at all comes whole, and once."""
    rows = list(range(1, 41))
    _pages(caller, (rows, {}), (rows, {}))
    assert [row["id"] for row in caller.iterate(list_targets())] == rows
    assert len(caller.entries()) == 2


def a_server_that_answers_another_page_is_found_out(caller: Caller) -> None:
    """It says that there is more, and gives the first page again: that is no whole list."""
    first = (list(range(1, 26)), {"Link": '<https://x/?page=2>; rel="next", <https://x/?page=3>; rel="last"'})
    caller.connect(extra={"max_concurrency": 1})
    _pages(caller, first, first)
    with pytest.raises(ListingIncomplete, match="answered with the one before page 2"):
        caller.iterate(list_targets())


def a_full_page_without_link_is_followed(caller: Caller) -> None:
    """It may be a list that does not say that it goes on; a short one ends it."""
    _pages(caller, (list(range(25)), {}), (list(range(25, 50)), {}), ([50], {}))
    assert len(caller.iterate(list_targets())) == 51
    pages = ((list(range(25)), {}), (list(range(25, 50)), {}), ([50], {}))
    _pages(caller, *pages)
    assert caller.count(list_targets()) == 51


def the_last_page_grows(caller: Caller) -> None:
    """What is said later counts."""
    one = {"Link": '<https://x/?page=2>; rel="last", <https://x/?page=2>; rel="next"'}
    two = {"Link": '<https://x/?page=1>; rel="prev",<https://x/?page=3>; rel="last"'}
    _pages(
        caller,
        (list(range(25)), one),
        (list(range(25, 50)), two),
        ([50], {"Link": '<https://x/?page=2>; rel="prev"'}),
    )
    assert len(caller.iterate(list_targets())) == 51


def a_link_without_last_is_counted_by_reading(caller: Caller) -> None:
    """A count that cannot be known from two pages is not guessed."""
    onward = {"Link": '<https://x/?page=2>; rel="next"'}
    pages = ((list(range(25)), onward), (list(range(25, 40)), {"Link": '<https://x/?page=1>; rel="prev"'}))
    _pages(caller, *pages)
    assert caller.count(list_targets()) == 40


def a_server_with_smaller_pages_is_counted_by_them(caller: Caller) -> None:
    """Asked for 100 a page, it gives 25."""
    caller.concurrent = True
    rows = [{"call": {"uuid": str(number)}} for number in range(25)]
    link = {"Link": '<https://x/?page=3>; rel="last", <https://x/?page=2>; rel="next"'}
    caller.fault(path="calls.json", status=200, body=json.dumps(rows), headers=link)
    caller.fault(path="calls.json", status=200, body=json.dumps(rows[:5]), headers={})
    assert caller.count(list_calls()) == 55


def a_total_is_believed(caller: Caller) -> None:
    """A list that says how long it is goes on until it is, and is incomplete before."""
    caller.connect(extra={"max_concurrency": 1})
    _pages(
        caller,
        (list(range(10)), {"Total": "25"}),
        (list(range(10, 20)), {"Total": "25"}),
        (list(range(20, 25)), {"Total": "25"}),
    )
    assert len(caller.iterate(list_targets())) == 25
    _pages(caller, (list(range(10)), {"Total": "25"}))
    assert caller.count(list_targets()) == 25
    _pages(caller, (list(range(10)), {"Total": "25"}), ([], {"Total": "25"}))
    with pytest.raises(ListingIncomplete, match="ended after 10 of the 25 rows"):
        caller.iterate(list_targets())
    _pages(
        caller,
        ([1], {"Total": "9" * 5_000}),
    )
    assert [row["id"] for row in caller.iterate(list_targets())] == [1]


def an_error_on_page_three_keeps_its_type(caller: Caller) -> None:
    """It names the page, and says that what came before is not the whole."""
    caller.connect(extra={"max_concurrency": 1, "max_attempts": 1})
    caller.targets(80)
    for fault, kind in (({"status": 429}, RateLimited), ({"status": 200, "body": "<html>"}, ProtocolError)):
        seen: list[int] = []

        def between(number: int, fault=fault, seen=seen) -> None:
            seen.append(number)
            if number == 26:
                caller.fault(path="targets.json", **fault)

        with pytest.raises(RetreaverError, match=r"page 3 of /targets.json: the 50 rows read before it") as caught:
            caller.iterate(list_targets(), between=between)
        assert type(caught.value) is kind
        assert len(seen) == 50


def an_error_on_the_first_page_is_itself(caller: Caller) -> None:
    """Nothing came before it, so nothing is said of it."""
    caller.fault(path="targets.json", status=200, body="{}")
    with pytest.raises(ProtocolError, match="not an array") as caught:
        caller.iterate(list_targets())
    assert "page" not in str(caught.value).partition("login page")[0]


def a_consumer_that_stops_early_asks_for_no_more(caller: Caller) -> None:
    """Only what was fetched ahead was asked for."""
    caller.racing = True
    caller.connect(extra={"max_concurrency": 1})
    caller.targets(60)
    assert len(caller.iterate(list_targets(), most=3)) == 3
    assert len(caller.entries()) <= 2


def no_page_holds_the_key_of_a_row_twice_without_key(caller: Caller) -> None:
    """Rows that lack the field by which they are recognised are all kept."""
    body = json.dumps([{"call": {"id": 1}}, {"call": {"id": 1}}])
    caller.fault(path="calls.json", status=200, body=body)
    assert len(caller.iterate(list_calls())) == 2
