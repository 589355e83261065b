"""The extras in the connection forms: label, description and schema of each."""

from __future__ import annotations

from typing import Any


def _choice(*values: str) -> dict[str, Any]:
    return {"type": ["string", "null"], "enum": [*values, None]}


def _number(least: float, most: float) -> dict[str, Any]:
    return {"type": ["number", "null"], "minimum": least, "maximum": most}


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": ["integer", "null"], "minimum": least, "maximum": most}


_FLAG: dict[str, Any] = {"type": ["boolean", "null"]}

CUSTOM_FIELDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "api_routes": ("API routes", "current (default) or legacy", _choice("current", "legacy")),
    "calls_version": ("Call log version", "v1 to v5; v2 by default", _choice("v1", "v2", "v3", "v4", "v5")),
    "timeout": ("Timeout (s)", "Seconds without a response; 30 by default", _number(0.1, 3600)),
    "max_concurrency": (
        "Concurrent requests",
        "4 by default, as Retreaver recommends",
        _whole(1, 64),
    ),
    "max_attempts": (
        "Attempts",
        "Number of times that a request is sent at most; 8 by default",
        _whole(1, 100),
    ),
    "max_wait": (
        "Longest wait (s)",
        "Seconds of waiting between attempts at most; 120 by default",
        _number(0, 86_400),
    ),
    "max_response_mb": (
        "Largest response (MB)",
        "Megabytes of a response at most, decompressed; 64 by default",
        _number(0.001, 4096),
    ),
    "max_response_seconds": (
        "Longest response (s)",
        "Seconds of a whole request at most; ten times the timeout by default",
        _number(0.1, 86_400),
    ),
    "max_json_depth": (
        "Deepest response",
        "Levels of lists and objects within each other at most; 100 by default",
        _whole(5, 500),
    ),
    "max_download_mb": (
        "Largest recording (MB)",
        "Megabytes of a recording at most; 1000 by default",
        _number(0.001, 1_000_000),
    ),
    "max_download_seconds": (
        "Longest download (s)",
        "Seconds of an attempt to fetch a recording at most; 3600 by default",
        _number(0.1, 86_400),
    ),
    "download_hosts": (
        "Hosts of recordings in your network",
        "With commas, e.g. files.internal:8443; recordings come from the internet otherwise",
        {"type": ["string", "null"]},
    ),
    "per_page": ("Rows a page", "Of the versioned call log and reports; 1 to 100", _whole(1, 100)),
    "data_host": ("Call data URL", "When it is not https://retreaverdata.com", {"type": ["string", "null"]}),
    "rtb_host": ("Real-time bidding URL", "When it is not https://rtb.retreaver.com", {"type": ["string", "null"]}),
    "postback_key": (
        "Postback key",
        "For real-time bidding and call data writing; have Airflow mask it by [core] sensitive_var_conn_names",
        {"type": ["string", "null"], "format": "password"},
    ),
    "caller_list_key": (
        "Caller list key",
        "UUID of a postback key of type Caller List Management; to be named in sensitive_var_conn_names, too",
        {"type": ["string", "null"], "format": "password"},
    ),
    "caller_list_secret": (
        "Caller list secret",
        "Secret of that postback key",
        {"type": ["string", "null"], "format": "password"},
    ),
    "webhook_token": (
        "Webhook token",
        "Who sends webhooks to Airflow must know it; at least 16 characters; needs Webhook folder and Company ID",
        {"type": ["string", "null"], "format": "password"},
    ),
    "webhook_next_token": (
        "Next webhook token",
        "A second one that is valid, too, while you exchange them",
        {"type": ["string", "null"], "format": "password"},
    ),
    "webhook_spool": (
        "Webhook folder",
        "On object storage, e.g. s3://conn@bucket/webhooks; the api-server, triggerer and workers use it",
        {"type": ["string", "null"]},
    ),
    "webhook_addresses": (
        "Webhook senders",
        "Addresses or networks with commas, from which webhooks are accepted; all by default",
        {"type": ["string", "null"]},
    ),
    "webhook_lookup": (
        "Webhook answers",
        "File with tags of callers on object storage, which RetreaverWebhookTagsOperator publishes",
        {"type": ["string", "null"]},
    ),
    "webhook_max_kb": ("Largest webhook (kB)", "64 by default", _number(1, 1_000)),
    "webhook_rate": (
        "Webhooks a second",
        "That one process of the api-server accepts; 200 by default",
        _number(0.1, 10_000),
    ),
    "proxies": ("Proxies", 'JSON, e.g. {"https": "http://proxy:3128"}', {"type": ["string", "null"]}),
    "portal_url": (
        "Portal URL",
        "Where links to the portal lead, when it is not the one of the API's own address, e.g. of a white label",
        {"type": ["string", "null"]},
    ),
    "portal_paths": (
        "Pages of the portal",
        'JSON, where they differ, e.g. {"targets": "/targets/{id}"}; blank for no page',
        {"type": ["string", "null"]},
    ),
    "file_links": (
        "Links of files",
        'JSON: folders and where a browser opens them, e.g. {"s3://bucket/": "https://files.internal/"}',
        {"type": ["string", "null"]},
    ),
    "verify": ("Verify certificates", "true, false or the path of a CA bundle", {"type": ["string", "null"]}),
    "allow_http": (
        "Allow http://",
        "true sends the key in the clear to a host that is not this machine",
        _FLAG,
    ),
}


# The extras of Retreaver's connection that TrackDrive's has too; `per_page` is of every list there.
TRACKDRIVE_FIELDS = {
    **{
        name: CUSTOM_FIELDS[name]
        for name in (
            *("timeout", "max_concurrency", "max_attempts", "max_wait", "max_response_mb", "max_response_seconds"),
            *("max_json_depth", "per_page", "proxies", "portal_url", "portal_paths", "file_links", "verify"),
            "allow_http",
        )
    },
    "max_concurrency": ("Concurrent requests", "4 by default", _whole(1, 64)),
    "per_page": ("Rows a page", "25 by default; 1 to 1000", _whole(1, 1000)),
    "portal_paths": (
        "Pages of the portal",
        'JSON, where they differ, e.g. {"buyer_groups": "/buyer_groups/{id}"}; blank for no page',
        {"type": ["string", "null"]},
    ),
}
