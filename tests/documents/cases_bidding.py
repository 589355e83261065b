"""Documented requests of real-time bidding, its log, call reservations and call data writing."""

from __future__ import annotations

from airflow_provider_retreaver.resources import call_reservations, data_writing, rtb, rtb_inbounds
from tests.documents.account import CALL, RESERVATION, RESERVATION_KEY, RTB_KEY, WRITING_KEY
from tests.documents.case import CURRENT, Case

RTB_HOST, DATA_HOST = "rtb.retreaver.com", "retreaverdata.com"
CALLER = "+18558485518"
PING = {"publisher_id": "retreaver_pub", "caller_number": CALLER}
TAGS = {"age": "39", "utm_campaign": "auto"}
WEEK = {"campaign_id": [123], "created_at": "last_7d"}
DOWNLOAD = "/v2/reports/rtb_inbounds/501/download"

# The key may be in the query or in the body: it is sent in the query, as everywhere.
BIDDING = [
    Case(
        "Create a reservation",
        "POST /rtbs.json",
        lambda: rtb.reserve_call(**PING),
        PING,
        postback_key=RTB_KEY,
        host=RTB_HOST,
    ),
    Case(
        "Pass additional data",
        "POST /rtbs.json",
        lambda: rtb.reserve_call(**PING, tags={"caller_zip": 12344, "age": 25}),
        {**PING, "caller_zip": 12344, "age": 25},
        postback_key=RTB_KEY,
        host=RTB_HOST,
    ),
    Case(
        "Place a bid on a static inbound number",
        "POST /rtbs.json",
        lambda: rtb.reserve_call(**PING, inbound_number="+12029795452"),
        {**PING, "inbound_number": "+12029795452"},
        postback_key=RTB_KEY,
        host=RTB_HOST,
    ),
    Case(
        "Confirm a reservation",
        f"PUT /rtbs/{RESERVATION}.json",
        lambda: rtb.confirm_reservation(RESERVATION),
        {"status": "confirmed"},
        postback_key=RTB_KEY,
        host=RTB_HOST,
    ),
    Case(
        "Get all RTB Inbounds",
        "GET /api/v5/rtb_inbounds.json?campaign_id[]=123&created_at=last_7d",
        lambda: rtb_inbounds.list_rtb_inbounds(campaign_id=123, created_at="last_7d"),
        editions=CURRENT,
    ),
    Case(
        "Get all RTB Inbounds: with_filters",
        "GET /api/v5/rtb_inbounds.json?with_filters=true",
        rtb_inbounds.get_rtb_inbound_choices,
        editions=CURRENT,
    ),
    Case(
        "Create an export",
        "POST /api/v5/exports/rtb_inbounds.json",
        lambda: rtb_inbounds.create_rtb_inbound_export(filters={"campaign_id": 123}, created_at="last_7d"),
        {"export": {"format": "csv", "params": WEEK}},
        editions=CURRENT,
    ),
    Case(
        "Check an export's status",
        "GET /api/v5/exports/rtb_inbounds/501.json",
        lambda: rtb_inbounds.get_rtb_inbound_export(501),
        editions=CURRENT,
    ),
    Case(
        "Download the export",
        f"GET {DOWNLOAD}",
        lambda: rtb_inbounds.locate_rtb_inbound_file({"id": 501, "file_upload_url": DOWNLOAD}),
        editions=CURRENT,
    ),
    Case(
        "Call Reservation API",
        "POST /call_reservations.json?publisher_id=4321ABCD&caller_number=%2B10987654321&caller_zip=90210",
        lambda: call_reservations.create_call_reservation(
            publisher_id="4321ABCD", caller_number="+10987654321", tags={"caller_zip": "90210"}
        ),
        postback_key=RESERVATION_KEY,
        host=DATA_HOST,
    ),
    Case(
        "Call Data Writing by call_uuid",
        "POST /data_writing",
        lambda: data_writing.write_call_data(tags=TAGS, call_uuid=CALL),
        {**TAGS, "call_uuid": CALL},
        postback_key=WRITING_KEY,
        host=DATA_HOST,
    ),
    Case(
        "Call Data Writing by caller_number",
        "POST /data_writing",
        lambda: data_writing.write_call_data(tags=TAGS, caller_number="+14155550199"),
        {**TAGS, "caller_number": "+14155550199"},
        postback_key=WRITING_KEY,
        host=DATA_HOST,
    ),
]
