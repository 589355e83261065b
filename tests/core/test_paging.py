"""Paging: the `Link` header, and the rules that end a list or report it as incomplete."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_retreaver.core import paging
from airflow_provider_retreaver.core.envelopes import read_nothing, read_root, require
from airflow_provider_retreaver.core.errors import InvalidArgument, ListingIncomplete, ProtocolError
from airflow_provider_retreaver.core.links import link_pages
from airflow_provider_retreaver.core.messages import Request, Response
from airflow_provider_retreaver.core.operations import CurrentOnly, Listing, Operation
from airflow_provider_retreaver.core.paging import Page, Pages, count_from
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.reports import report_calls

SETTINGS = Settings.parse("c", password="a-key-for-pages")
LISTING = Listing(Request("GET", "/targets.json"), "target")


def rules(listing=LISTING, **extra):
    """Return the rules for reading a listing."""
    return Pages(listing, Settings.parse("c", password="a-key-for-pages", extra=extra))


def response(ids, link=None, **headers):
    """Return a response with one page."""
    body = json.dumps([{"target": {"id": id_}} for id_ in ids]).encode()
    return Response(200, headers | ({"link": link} if link is not None else {}), body)


RELATIONS = st.dictionaries(st.sampled_from(["next", "prev", "last", "first"]), st.integers(1, 10**8), min_size=1)
HOSTS = st.sampled_from(["https://retreaver.com", "http://evil.example:81", "//x", "", "https://[::1]"])


@given(
    RELATIONS,
    HOSTS,
    st.sampled_from([", ", ",", " , ", ",\t"]),
    st.booleans(),
    st.sampled_from(['"', ""]),
    st.randoms(),
)
def test_links_in_any_form(pages, host, comma, before, quote, chance):
    """Relations are read in any order, on any host, with or without spaces, quotes and other parameters."""
    parts = []
    for name, page in pages.items():
        query = f"page={page}" if chance.random() < 0.5 else f"page=1&api_key=k,;&per_page=25&page={page}&page_x=9"
        link = f"<{host}/targets.json?{query}>"
        parts.append(f"{link}{'; type=x' if before else ''};{' ' * chance.randint(0, 2)}rel={quote}{name}{quote}")
    chance.shuffle(parts)
    assert link_pages(comma.join(parts)) == pages


@given(st.one_of(st.text(), st.text('<>;,="rel next last page?&0123456789 ', max_size=80)))
def test_malformed_links_are_ignored(header):
    """Any text is read without an exception, and page numbers are positive."""
    assert all(page >= 1 for page in link_pages(header).values())
    assert rules().read(1, response([1], header)) if "next" not in link_pages(header) else True


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('<https://x/?page=2>; rel="next"', {"next": 2}),
        ("<https://x/?page=2>;rel=next", {"next": 2}),
        ('<https://x/?page=2>; rel="last next"', {"next": 2, "last": 2}),
        ('<https://x/?page=2>; REL="NEXT"', {"next": 2}),
        ('<https://x/?page=2&page=3>; rel="next"', {"next": 3}),
        ('<https://x/?page=2>; rel="next", <https://x/?page=5>; rel="next"', {"next": 2}),
        ('<https://x/?page=0>; rel="next"', {}),
        ('<https://x/?page=-2>; rel="next"', {}),
        ('<https://x/?page=two>; rel="next"', {}),
        ('<https://x/?page=1234567890>; rel="next"', {}),
        ('<https://x/?per_page=2>; rel="next"', {}),
        ("<https://[x/?page=2>; rel=next", {"next": 2}),
        ("<?p%61ge=%32&page=#page=4>; rel=next", {"next": 2}),
        ("<https://x/?page=2>", {}),
        ("<https://x/?page=²>; rel=next", {}),
        ("", {}),
    ],
)
def test_single_links(header, expected):
    """Each header gives exactly the page numbers that can be read."""
    assert link_pages(header) == expected


def test_number_of_the_next_page():
    """It comes from `next`, from a later `last`, or from a `next` that cannot be read."""
    read = rules().read
    assert read(1, response([1], '<x?page=2>; rel="next"')).next == 2
    assert read(1, response([1], '<x?page=3>; rel="last"')).next == 2
    assert read(1, response([1], '<x?cursor=abc>; rel="next"')).next == 2
    assert read(3, response([1], '<x?page=2>; rel="prev", <x?page=3>; rel="last"')).next is None
    with pytest.raises(ListingIncomplete, match="the request for page 2"):
        read(2, response([1], '<x?page=2>; rel="next"'))


def test_a_page_of_repeated_rows_does_not_end_a_list():
    """A page with only repeated rows is empty, and the list continues where `Link` has a next page."""
    pages = rules()
    assert len(pages.fresh(Page(1, [{"id": 1}], 2, None, None, linked=True)).rows) == 1
    again = pages.fresh(Page(2, [{"id": 1}], 3, None, None, linked=True))
    assert (again.rows, again.next) == ([], 3)


def test_a_list_that_only_repeats_is_incomplete(monkeypatch):
    """After too many repeated pages in a row the server is assumed to ignore `page`."""
    monkeypatch.setattr(paging, "MAX_REPEATED_PAGES", 5)
    pages = rules()
    for number in range(1, 7):
        pages.fresh(Page(number, [{"id": 1}], number + 1, None, None, linked=True))
    with pytest.raises(ListingIncomplete, match="repeats its rows over 5 pages"):
        pages.fresh(Page(7, [{"id": 1}], 8, None, None, linked=True))


def test_a_list_ends_at_its_total():
    """The list ends when `Total` is reached, and is incomplete when an empty page comes before."""
    pages = rules()
    assert pages.fresh(Page(1, [{"id": 1}], None, None, 2)).next == 2
    assert pages.fresh(Page(2, [{"id": 2}], None, None, 2)).next is None
    assert rules().fresh(Page(1, [], None, None, 0)).next is None


def test_a_list_without_end_is_incomplete():
    """No list has more than the largest number of pages."""
    with pytest.raises(ListingIncomplete, match="more than 1000000 pages"):
        rules().request(1_000_001)


@given(
    st.integers(1, 20),
    st.integers(2, 30),
    st.integers(0, 8),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(1, 40)),
)
def test_pages_ahead(number, following, pending, most, last):
    """There are never more pending pages than allowed, no gaps, and at least one page when none is pending."""
    pending = min(pending, most)
    page = Page(number, [], number + 1, last, None)
    numbers = list(Pages.ahead(page, following, pending, most))
    assert numbers == list(range(following, following + len(numbers)))
    assert len(numbers) + pending <= max(most, 1)
    assert numbers or pending
    assert list(Pages.ahead(Page(number, [], None, last, None), following, pending, most)) == []


def test_the_number_of_kept_keys_is_limited():
    """Memory does not grow with the length of the list."""
    pages = rules()

    def read(start, count):
        for number in range(start, start + count):
            rows = [{"id": number * 100 + row} for row in range(100)]
            pages.fresh(Page(number, rows, number + 1, None, None, linked=True))

    read(1, 300)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    read(301, 300)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pages._seen) == paging.KEPT_KEYS
    assert after - before < 4_000_000


def test_an_array_is_expected():
    """Any other body is a protocol error that names the request."""
    for body in (b"{}", b"[3]", b'[{"affiliate": 3}]', b"nonsense"):
        with pytest.raises(ProtocolError, match=r"GET /targets\.json"):
            rules().read(1, Response(200, {}, body))


def test_rows_without_an_envelope():
    """Rows are read with and without an envelope."""
    page = rules().read(1, Response(200, {}, b'[{"target": {"id": 1}}, {"id": 2}, {"uuid": "x"}]'))
    assert page.rows == [{"id": 1}, {"id": 2}, {"uuid": "x"}]


def test_requests_that_routes_do_not_have():
    """A request that the legacy routes lack, or a parameter of a newer call log, is refused with advice."""
    legacy = Settings.parse("c", password="a-key-for-pages", extra={"api_routes": "legacy"}).routes
    operation = Operation(Request("GET", "/new"), read_nothing, legacy=CurrentOnly())
    with pytest.raises(InvalidArgument, match="api_routes to current"):
        operation.request_for(legacy)
    assert Operation(Request("GET", "/new"), read_nothing, Request("GET", "/old")).request_for(legacy).path == "/old"
    newer = Listing(Request("GET", "/api/{calls_version}/calls.json"), "call", oldest_calls_version=3)
    with pytest.raises(InvalidArgument, match="from version v3 on"):
        newer.request_for(SETTINGS.routes)
    assert newer.request_for(legacy).path == "/api/v2/calls.json"


def test_a_missing_required_field():
    """The error names the request."""
    assert require({"id": 3}, "id", LISTING.request) == 3
    with pytest.raises(ProtocolError, match=r"GET /targets\.json lacks the documented field 'id'"):
        require({}, "id", LISTING.request)


@pytest.mark.parametrize("total", [0, 2, 3, 50])
def test_the_count_of_a_report_is_no_number_of_rows(total):
    """A report of two rows is whole with any `count_total`: the reference shows 3 beside two rows."""
    listing = report_calls("tag_value", created_at_start="2026-01-01", created_at_end="2026-02-01")
    rows = [{"id": "web", "facet_name": "web"}, {"id": "tv", "facet_name": "tv"}]
    body = json.dumps({"count": total, "count_total": total, "data": rows}).encode()
    reading = Pages(listing, SETTINGS)
    page = reading.fresh(reading.read(1, Response(200, {}, body)))
    assert (page.rows, page.next, page.total) == (rows, None, None)


def test_rows_of_a_report_that_share_a_name_are_both_kept():
    """Two publishers may have the same name: a report's row is identified by ID and name together."""
    span = {"created_at_start": "2026-01-01", "created_at_end": "2026-02-01"}
    listing = report_calls("publisher", **span)
    rows = [{"id": 1, "facet_name": "Acme"}, {"id": 2, "facet_name": "Acme"}, {"id": None, "facet_name": "Acme"}]
    body = json.dumps({"count": 3, "count_total": 3, "data": rows}).encode()
    reading = Pages(listing, SETTINGS)
    assert reading.fresh(reading.read(1, Response(200, {}, body))).rows == rows
    assert reading.fresh(reading.read(2, Response(200, {}, body))) is None


UNLINKED = Listing(Request("GET", "/buyer_groups.json"), "groups", page_size=None, read=read_root, linked=False)


def pages_of(existing, *, per_page=25, most=1_000, root=True, total=None):
    """Read a list of so many rows from a server that has no `Link`, at most so many rows a page; return the sizes."""
    reader = rules(UNLINKED, per_page=min(per_page, 100))
    sizes, number, read = [], 1, 0
    while True:
        start = (number - 1) * min(per_page, most)
        rows = [{"id": id_} for id_ in range(start, min(existing, start + min(per_page, most)))]
        body = {"groups": rows, "metadata": {} if total is None else {"total_count": total}} if root else rows
        page = reader.fresh(reader.read(number, Response(200, {}, json.dumps(body).encode())))
        assert page is not None
        sizes.append(len(page.rows))
        read += len(page.rows)
        if page.next is None:
            assert read == existing
            return sizes
        number = page.next


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize(
    ("existing", "per_page", "most", "sizes"),
    [
        (0, 25, 1_000, [0]),
        (24, 25, 1_000, [24]),
        (25, 25, 1_000, [25, 0]),
        (60, 25, 1_000, [25, 25, 10]),
        (3, 10, 1_000, [3]),
        (20, 10, 1_000, [10, 10, 0]),
        (130, 100, 1_000, [100, 30]),
        (30, 100, 1_000, [30, 0]),
        (60, 100, 25, [25, 25, 10]),
        (70, 100, 40, [40, 30, 0]),
    ],
)
def test_lists_without_links_are_complete(existing, per_page, most, sizes, root):
    """Without a total, a list goes on to a short page, also where the server sends fewer rows than requested."""
    assert pages_of(existing, per_page=per_page, most=most, root=root) == sizes


@pytest.mark.parametrize(
    ("existing", "total", "sizes"),
    [(60, 60, [25, 25, 10]), (50, 50, [25, 25, 0]), (60, 25, [25, 25, 10]), (20, "20", [20]), (3, None, [3])],
)
def test_totals_of_metadata(existing, total, sizes):
    """A total says when a list is not complete; a full page is followed even where the total seems reached."""
    assert pages_of(existing, total=total) == sizes


@pytest.mark.parametrize(
    ("total", "per_page", "most", "ahead"),
    [
        (250, 25, 25, [[2, 3, 4], [5]]),
        (60, 100, 20, [[2, 3], []]),
        (25, 25, 25, [[2], []]),
        (None, 25, 25, [[2], [3]]),
    ],
)
def test_pages_that_a_total_promises_are_requested_at_once(total, per_page, most, ahead):
    """A total and the rows of a page tell how many pages there are; without one, pages are requested one by one."""
    reader = rules(UNLINKED, per_page=per_page)
    for number in (1, 2):
        rows = [{"id": id_} for id_ in range((number - 1) * most, min(number * most, total or 1_000))]
        body = {"groups": rows, "metadata": {"total_count": total}}
        page = reader.fresh(reader.read(number, Response(200, {}, json.dumps(body).encode())))
        pending = reader._requested - number
        assert list(reader.to_request(page, pending, 3)) == ahead[number - 1]


def test_a_list_that_ends_before_its_total_is_not_complete():
    """A short page before the total is reached is followed, and an empty one is an error."""
    with pytest.raises(ListingIncomplete, match="ended after 3 of the 60 rows"):
        pages_of(3, total=60)


@pytest.mark.parametrize(
    ("rows", "total", "must"),
    [(25, 25, True), (25, 60, False), (20, 20, False), (25, None, True), (7, None, False)],
)
def test_what_must_be_read_to_be_counted(rows, total, must):
    """A total is trusted where the page does not contradict it."""
    body = {"groups": [{"id": id_} for id_ in range(rows)], "metadata": {"total_count": total}}
    reader = rules(UNLINKED, per_page=25)
    page = reader.read(1, Response(200, {}, json.dumps(body).encode()))
    assert reader.must_be_read(page) is must
    assert must or count_from(page, None) == (rows if total is None else total)


@pytest.mark.parametrize("body", [{}, {"groups": {}}, {"groups": [1]}, [[]], "x", None, {"metadata": {}}])
def test_what_is_no_list_with_a_root(body):
    """A response without the list, bare or below its name, is an error and not an empty list."""
    with pytest.raises(ProtocolError, match="is not a list of objects, bare or as 'groups'"):
        rules(UNLINKED).read(1, Response(200, {}, json.dumps(body).encode()))


def test_a_list_without_links_that_repeats_itself():
    """A page that repeats the one before is followed, as rows were added at the front; not without end."""
    reader = rules(UNLINKED, per_page=25)
    body = json.dumps([{"id": id_} for id_ in range(25)]).encode()
    page = reader.fresh(reader.read(1, Response(200, {}, body)))
    for number in range(2, 22):
        page = reader.fresh(reader.read(number, Response(200, {}, body)))
        assert (page.rows, page.next) == ([], number + 1)
    with pytest.raises(ListingIncomplete, match="repeats its rows over 20 pages"):
        reader.fresh(reader.read(22, Response(200, {}, body)))


def test_rows_added_at_the_front_are_not_missed():
    """The least of the totals is what must have been read: what was added meanwhile is not part of the list."""
    reader = rules(UNLINKED, per_page=25)

    def read(number, ids, total):
        body = {"groups": [{"id": id_} for id_ in ids], "metadata": {"total_count": total}}
        return reader.fresh(reader.read(number, Response(200, {}, json.dumps(body).encode())))

    assert read(1, range(100, 75, -1), 30).next == 2
    assert read(2, range(80, 70, -1), 35).next is None
