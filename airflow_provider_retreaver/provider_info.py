"""The provider's metadata: the one list of class paths, and the connection form."""

from __future__ import annotations

from typing import Any

HOOK = "airflow_provider_retreaver.hooks.retreaver.RetreaverHook"
INTEGRATION = "Retreaver"
# Modules of transfers, with the integration (of another provider) that they lead to.
TRANSFERS = (("Common IO", "calls"), ("Common SQL", "calls"), ("Common IO", "recordings"))
ASSETS = [
    {
        "schemes": ["retreaver"],
        "handler": "airflow_provider_retreaver.assets.sanitize_uri",
        "to_openlineage_converter": "airflow_provider_retreaver.assets.to_openlineage",
    }
]

# The connection form. Airflow 3.2 and later read it from the provider's metadata, older versions call the hook.
HIDDEN_FIELDS = ["schema", "extra"]
RELABELED = {"login": "Company ID", "password": "API key", "host": "Base URL", "port": "Port"}
PLACEHOLDERS = {
    "login": "12345",
    "password": "Settings → My Account → API Access",
    "host": "https://api.retreaver.com (leave blank)",
}
CUSTOM_FIELDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "api_routes": ("API routes", "current (default) or legacy", {"type": ["string", "null"]}),
    "calls_version": ("Call log version", "v1 to v5; v2 by default", {"type": ["string", "null"]}),
    "timeout": ("Timeout (s)", "Seconds without a response; 30 by default", {"type": ["string", "null"]}),
    "max_concurrency": (
        "Concurrent requests",
        "4 by default, as Retreaver recommends",
        {"type": ["string", "null"]},
    ),
    "max_attempts": (
        "Attempts",
        "Number of times that a request is sent at most; 8 by default",
        {"type": ["string", "null"]},
    ),
    "max_wait": (
        "Longest wait (s)",
        "Seconds of waiting between attempts at most; 120 by default",
        {"type": ["string", "null"]},
    ),
    "max_response_mb": (
        "Largest response (MB)",
        "Megabytes of a response at most, decompressed; 64 by default",
        {"type": ["string", "null"]},
    ),
    "max_response_seconds": (
        "Longest response (s)",
        "Seconds of a whole request at most; ten times the timeout by default",
        {"type": ["string", "null"]},
    ),
    "max_json_depth": (
        "Deepest response",
        "Levels of lists and objects within each other at most; 100 by default",
        {"type": ["string", "null"]},
    ),
    "max_download_mb": (
        "Largest recording (MB)",
        "Megabytes of a recording at most; 1000 by default",
        {"type": ["string", "null"]},
    ),
    "max_download_seconds": (
        "Longest download (s)",
        "Seconds of an attempt to fetch a recording at most; 3600 by default",
        {"type": ["string", "null"]},
    ),
    "download_hosts": (
        "Hosts of recordings in your network",
        "With commas, e.g. files.internal:8443; recordings come from the internet otherwise",
        {"type": ["string", "null"]},
    ),
    "per_page": ("Rows a page", "Of the versioned call log and reports; 1 to 100", {"type": ["string", "null"]}),
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
    "verify": ("Verify certificates", "true, false or the path of a CA bundle", {"type": ["string", "null"]}),
    "allow_http": (
        "Allow http://",
        "true sends the key in the clear to a host that is not this machine",
        {"type": ["string", "null"]},
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
                "tags": ["service"],
            }
        ],
        "operators": _modules(
            "operators",
            "caller_lists",
            "calls",
            "caps",
            "reports",
            "resources",
            "rtb",
            "suppression",
            "tags",
            "target_groups",
            "targets",
        ),
        "sensors": _modules("sensors", "calls", "caps", "number_pools", "targets"),
        "transfers": [
            {
                "source-integration-name": INTEGRATION,
                "target-integration-name": target,
                "python-module": f"airflow_provider_retreaver.transfers.{name}",
            }
            for target, name in TRANSFERS
        ],
        "hooks": _modules("hooks", "retreaver"),
        "triggers": _modules("triggers", "calls", "caps", "conditions", "waiting"),
        # Airflow 2.11 knows assets as datasets.
        "asset-uris": ASSETS,
        "dataset-uris": ASSETS,
        "connection-types": [
            {
                "connection-type": "retreaver",
                "hook-class-name": HOOK,
                "hook-name": INTEGRATION,
                "ui-field-behaviour": {
                    "hidden-fields": HIDDEN_FIELDS,
                    "relabeling": RELABELED,
                    "placeholders": PLACEHOLDERS,
                },
                "conn-fields": {
                    name: {"label": label, "description": description, "schema": schema}
                    for name, (label, description, schema) in CUSTOM_FIELDS.items()
                },
            }
        ],
    }


def _modules(kind: str, *names: str) -> list[dict[str, Any]]:
    modules = [f"airflow_provider_retreaver.{kind}.{name}" for name in names]
    return [{"integration-name": INTEGRATION, "python-modules": modules}]
