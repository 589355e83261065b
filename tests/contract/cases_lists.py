# ruff: noqa: D401 - a docstring states what the case checks, as in a test
"""Cases of lists: pages, lists that change while they are read, counts."""

from __future__ import annotations

import json

import pytest

from airflow_provider_retreaver.core.errors import ListingIncomplete, ProtocolError, RateLimited, RetreaverError
from airflow_provider_retreaver.resources.calls import list_calls
from airflow_provider_retreaver.resources.targets import list_targets
from tests.contract.harness import CaseClient


def every_row_is_read_once(client: CaseClient) -> None:
    """Lists of several pages, of full pages only, of a single row and of none."""
    client.concurrent = True
    for count in (0, 1, 25, 26, 50, 60):
        ids = {row["id"] for row in client.iterate(list_targets())}
        created = client.targets(count - len(ids))
        rows = [row["id"] for row in client.iterate(list_targets())]
        assert len(rows) == len(set(rows)) == count
        assert set(rows) == ids | set(created)


def per_page_is_sent_to_versioned_routes(client: CaseClient) -> None:
    """The call log has pages of the connection's size; the legacy one has 25 and gets no per_page."""
    client.concurrent = True
    client.calls(60)
    client.connect(extra={"per_page": 40})
    assert len(client.iterate(list_calls())) == 60
    assert len(client.entries()) == 2
    client.connect(extra={"per_page": 40, "api_routes": "legacy"})
    assert len(client.iterate(list_calls())) == 60
    assert not any(name == "per_page" for e in client.entries()[2:] for name, _ in e["query"])


def counting_takes_two_requests(client: CaseClient) -> None:
    """For a list of any length of more than a page."""
    for count, requests in ((0, 1), (7, 1), (100, 2), (101, 2), (1_234, 2)):
        client.calls(count - client.count(list_calls()))
        before = len(client.entries())
        assert client.count(list_calls()) == count
        assert len(client.entries()) - before == requests


def rows_added_at_the_front_while_reading(client: CaseClient) -> None:
    """Newest first: the rows that existed before are each read once, however many are added."""
    client.racing = True
    client.connect(extra={"per_page": 10, "max_concurrency": 1})
    client.calls(45, created_at="2026-01-08T00:00:00Z")
    existing = {row["uuid"] for row in client.iterate(list_calls())}

    def add_calls(number: int) -> None:
        if number in (3, 12, 20):
            # More than a page, so that the whole next page has been read before.
            client.calls(25, created_at=f"2026-01-09T0{number // 10}:00:00Z")

    rows = [row["uuid"] for row in client.iterate(list_calls(), between=add_calls)]
    assert len(rows) == len(set(rows))
    assert existing <= set(rows)
    # Random in each run.
    client.results.clear()


def a_list_that_shrinks_while_reading_ends(client: CaseClient) -> None:
    """The pages that no longer exist are empty; no row is repeated and nothing fails."""
    client.racing = True
    ids = client.targets(80)

    def remove(number: int) -> None:
        if number == 10:
            for id_ in ids[5:]:
                client.delete(id_)

    client.connect(extra={"max_concurrency": 1})
    rows = [row["id"] for row in client.iterate(list_targets(), between=remove)]
    assert len(rows) == len(set(rows)) >= 25
    client.results.clear()


def an_empty_page_in_the_middle_does_not_end_the_list(client: CaseClient) -> None:
    """With a valid `Link`, without, or with an invalid one: the last page is known from the page before."""
    client.connect(extra={"max_concurrency": 1})
    first = (list(range(25)), {"Link": '<https://x/?page=3>; rel="last", <https://x/?page=2>; rel="next"'})
    third = (list(range(50, 60)), {"Link": '<https://x/?page=2>; rel="prev"'})
    for headers in ({"Link": '<https://x/?page=3>; rel="next"'}, {}, {"Link": "invalid"}):
        _pages(client, first, ([], headers), third)
        assert len(client.iterate(list_targets())) == 35


def _pages(client: CaseClient, *pages: tuple[list[int], dict[str, str]]) -> None:
    for ids, headers in pages:
        body = json.dumps([{"target": {"id": id_}} for id_ in ids])
        client.fault(path="targets.json", status=200, body=body, headers=headers)


def a_list_without_pages_is_read_once(client: CaseClient) -> None:
    """A server that ignores `page` and sends no `Link` answers the same rows again."""
    rows = list(range(1, 41))
    _pages(client, (rows, {}), (rows, {}))
    assert [row["id"] for row in client.iterate(list_targets())] == rows
    assert len(client.entries()) == 2


def a_repeated_page_is_an_incomplete_list(client: CaseClient) -> None:
    """The `Link` names a second page, but the server answers the first one again."""
    first = (list(range(1, 26)), {"Link": '<https://x/?page=2>; rel="next", <https://x/?page=3>; rel="last"'})
    client.connect(extra={"max_concurrency": 1})
    _pages(client, first, first)
    with pytest.raises(ListingIncomplete, match="with the page before page 2"):
        client.iterate(list_targets())


def a_full_page_without_link_is_followed_by_another(client: CaseClient) -> None:
    """A full page may not be the last one; a shorter page is."""
    _pages(client, (list(range(25)), {}), (list(range(25, 50)), {}), ([50], {}))
    assert len(client.iterate(list_targets())) == 51
    pages = ((list(range(25)), {}), (list(range(25, 50)), {}), ([50], {}))
    _pages(client, *pages)
    assert client.count(list_targets()) == 51


def the_last_page_grows(client: CaseClient) -> None:
    """The last page of a later `Link` counts."""
    first = {"Link": '<https://x/?page=2>; rel="last", <https://x/?page=2>; rel="next"'}
    second = {"Link": '<https://x/?page=1>; rel="prev",<https://x/?page=3>; rel="last"'}
    _pages(
        client,
        (list(range(25)), first),
        (list(range(25, 50)), second),
        ([50], {"Link": '<https://x/?page=2>; rel="prev"'}),
    )
    assert len(client.iterate(list_targets())) == 51


def a_list_whose_link_has_no_last_is_counted_by_reading(client: CaseClient) -> None:
    """A count that two pages do not determine is not estimated."""
    following = {"Link": '<https://x/?page=2>; rel="next"'}
    pages = ((list(range(25)), following), (list(range(25, 40)), {"Link": '<https://x/?page=1>; rel="prev"'}))
    _pages(client, *pages)
    assert client.count(list_targets()) == 40


def counting_uses_the_page_size_of_the_server(client: CaseClient) -> None:
    """The client requests 100 a page and the server sends 25."""
    client.concurrent = True
    rows = [{"call": {"uuid": str(number)}} for number in range(25)]
    link = {"Link": '<https://x/?page=3>; rel="last", <https://x/?page=2>; rel="next"'}
    client.fault(path="calls.json", status=200, body=json.dumps(rows), headers=link)
    client.fault(path="calls.json", status=200, body=json.dumps(rows[:5]), headers={})
    assert client.count(list_calls()) == 55


def a_total_header_determines_the_end(client: CaseClient) -> None:
    """A list with `Total` is read until it has that many rows, and is incomplete if it ends before."""
    client.connect(extra={"max_concurrency": 1})
    _pages(
        client,
        (list(range(10)), {"Total": "25"}),
        (list(range(10, 20)), {"Total": "25"}),
        (list(range(20, 25)), {"Total": "25"}),
    )
    assert len(client.iterate(list_targets())) == 25
    _pages(client, (list(range(10)), {"Total": "25"}))
    assert client.count(list_targets()) == 25
    _pages(client, (list(range(10)), {"Total": "25"}), ([], {"Total": "25"}))
    with pytest.raises(ListingIncomplete, match="ended after 10 of the 25 rows"):
        client.iterate(list_targets())
    _pages(
        client,
        ([1], {"Total": "9" * 5_000}),
    )
    assert [row["id"] for row in client.iterate(list_targets())] == [1]


def an_error_on_page_three_keeps_its_type(client: CaseClient) -> None:
    """It names the page and how many rows were read before it."""
    client.connect(extra={"max_concurrency": 1, "max_attempts": 1})
    client.targets(80)
    for fault, kind in (({"status": 429}, RateLimited), ({"status": 200, "body": "<html>"}, ProtocolError)):
        read: list[int] = []

        def between(number: int, fault=fault, read=read) -> None:
            read.append(number)
            if number == 26:
                client.fault(path="targets.json", **fault)

        with pytest.raises(RetreaverError, match=r"page 3 of /targets.json: the 50 rows read before it") as raised:
            client.iterate(list_targets(), between=between)
        assert type(raised.value) is kind
        assert len(read) == 50


def an_error_on_the_first_page_does_not_mention_pages(client: CaseClient) -> None:
    """No rows were read before it."""
    client.fault(path="targets.json", status=200, body="{}")
    with pytest.raises(ProtocolError, match="not an array") as raised:
        client.iterate(list_targets())
    assert "page" not in str(raised.value).partition("login page")[0]


def a_reader_that_stops_early_requests_no_further_pages(client: CaseClient) -> None:
    """At most the pages that were read ahead are requested."""
    client.racing = True
    client.connect(extra={"max_concurrency": 1})
    client.targets(60)
    assert len(client.iterate(list_targets(), limit=3)) == 3
    assert len(client.entries()) <= 2


def rows_without_a_key_are_all_kept(client: CaseClient) -> None:
    """Rows without the field that identifies them are not treated as repeated."""
    body = json.dumps([{"call": {"id": 1}}, {"call": {"id": 1}}])
    client.fault(path="calls.json", status=200, body=body)
    assert len(client.iterate(list_calls())) == 2
