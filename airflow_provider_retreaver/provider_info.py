"""The provider's metadata: the one list of class paths, and the connection form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core import labels

INTEGRATION, TRACKDRIVE = "Retreaver", "TrackDrive"
# Modules of transfers, with the integration (of another provider) that they lead to, and their page in `docs/`.
TRANSFERS = (
    ("Common IO", "calls", "exports"),
    ("Common SQL", "calls", "sql"),
    ("Common IO", "recordings", "sql"),
    ("Common IO", "rtb_inbounds", "bidding"),
    ("Common SQL", "warehouse", "warehouse"),
)
GUIDES = [
    "bidding", "connections", "data-writing", "exports", "hook", "payout-tables", "reports", "resources", "routing",
    "sql", "suppression", "warehouse", "watching",
]  # fmt: skip
LINKS = ("RetreaverLink", "TrackDriveLink", "FileLink")
LOGO = "/docs/assets/logo.svg"
ASSETS = [
    {
        "schemes": ["retreaver"],
        "handler": "airflow_provider_retreaver.assets.sanitize_uri",
        "to_openlineage_converter": "airflow_provider_retreaver.assets.to_openlineage",
    }
]

# The connection form. Airflow 3.2 and later read it from the provider's metadata, older versions call the hook.
HIDDEN_FIELDS = ["schema", "extra"]


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


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one connection type.

    :param hook: class path of its hook.
    :param name: name of the type, as users see it.
    :param relabeled: labels of Airflow's own fields.
    :param placeholders: examples in them.
    :param fields: label, description and schema of each extra.
    """

    hook: str
    name: str
    relabeled: dict[str, str]
    placeholders: dict[str, str]
    fields: dict[str, tuple[str, str, dict[str, Any]]]


FORMS = {
    "retreaver": Form(
        hook="airflow_provider_retreaver.hooks.retreaver.RetreaverHook",
        name=INTEGRATION,
        relabeled=labels.RETREAVER,
        placeholders={
            "login": "12345",
            "password": "Settings → My Account → API Access",
            "host": "https://api.retreaver.com (leave blank)",
            "port": "443",
        },
        fields=CUSTOM_FIELDS,
    ),
    "trackdrive": Form(
        hook="airflow_provider_retreaver.hooks.trackdrive.TrackDriveHook",
        name=TRACKDRIVE,
        relabeled=labels.TRACKDRIVE,
        placeholders={"host": "acme, for https://acme.trackdrive.com"},
        fields=TRACKDRIVE_FIELDS,
    ),
}


def get_provider_info() -> dict[str, Any]:
    """Return the metadata for Airflow 3 and 2.11.

    :return: Airflow's `provider_info`.
    """
    from airflow_provider_retreaver import __version__

    return {
        "package-name": "airflow-provider-retreaver",
        "name": INTEGRATION,
        "description": "Caps, business hours, suppression lists and call data of Retreaver accounts.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://help.retreaver.com/",
                "how-to-guide": [f"/docs/{page}.md" for page in GUIDES],
                "logo": LOGO,
                "tags": ["service"],
            },
            {
                "integration-name": TRACKDRIVE,
                "external-doc-url": "https://trackdrive.com/",
                "how-to-guide": ["/docs/hook.md"],
                "logo": LOGO,
                "tags": ["service"],
            },
        ],
        "operators": [
            *_modules(
                "operators",
                "caller_lists",
                "calls",
                "caps",
                "payout_tables",
                "reports",
                "resources",
                "rtb",
                "suppression",
                "tags",
                "target_groups",
                "targets",
            ),
            *_modules("operators", "trackdrive", integration=TRACKDRIVE),
        ],
        "sensors": _modules("sensors", "calls", "caps", "number_pools", "targets"),
        "transfers": [
            {
                "source-integration-name": INTEGRATION,
                "target-integration-name": target,
                "python-module": f"airflow_provider_retreaver.transfers.{name}",
                "how-to-guide": f"/docs/{page}.md",
            }
            for target, name, page in TRANSFERS
        ],
        "hooks": [*_modules("hooks", "retreaver"), *_modules("hooks", "trackdrive", integration=TRACKDRIVE)],
        "extra-links": [f"airflow_provider_retreaver.links.{name}" for name in LINKS],
        "triggers": _modules("triggers", "calls", "caps", "conditions", "waiting"),
        # Airflow 2.11 knows assets as datasets.
        "asset-uris": ASSETS,
        "dataset-uris": ASSETS,
        "connection-types": [
            {
                "connection-type": kind,
                "hook-class-name": form.hook,
                "hook-name": form.name,
                "ui-field-behaviour": {
                    "hidden-fields": HIDDEN_FIELDS,
                    "relabeling": form.relabeled,
                    "placeholders": form.placeholders,
                },
                "conn-fields": {
                    name: {"label": label, "description": description, "schema": schema}
                    for name, (label, description, schema) in form.fields.items()
                },
            }
            for kind, form in FORMS.items()
        ],
    }


def _modules(kind: str, *names: str, integration: str = INTEGRATION) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_retreaver.{kind}.{name}" for name in names]
    return [{"integration-name": integration, "python-modules": modules}]
