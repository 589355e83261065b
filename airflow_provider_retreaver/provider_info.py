"""The provider's metadata: the one list of class paths, and the connection form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_retreaver.core import labels
from airflow_provider_retreaver.provider_fields import CUSTOM_FIELDS, TRACKDRIVE_FIELDS

INTEGRATION, TRACKDRIVE = "Retreaver", "TrackDrive"
# Modules of transfers, with the integration (of another provider) that they lead to, and their page in `docs/`.
TRANSFERS = (
    ("Common IO", "calls", "exports"),
    ("Common SQL", "calls", "sql"),
    ("Common IO", "recordings", "sql"),
    ("Common IO", "rtb_inbounds", "bidding"),
    ("Common SQL", "warehouse", "warehouse"),
    ("Common IO", "iceberg", "warehouse"),
)
GUIDES = [
    "account", "bidding", "connections", "data-writing", "exports", "hook", "payout-tables", "reports", "resources",
    "routing", "sql", "suppression", "warehouse", "watching", "webhooks",
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

# What the plugin serves, each switched on by its option.
CONFIG = {
    "retreaver": {
        "description": "What the api-server of Airflow 3 serves for Retreaver.",
        "options": {
            "page": {
                "description": "Show the page about an account below Browse.",
                "version_added": "0.2.0",
                "type": "boolean",
                "example": None,
                "default": "False",
            },
            "webhooks": {
                "description": "Accept webhooks of Retreaver at /retreaver/webhooks/{connection}/{trigger}.",
                "version_added": "0.2.0",
                "type": "boolean",
                "example": None,
                "default": "False",
            },
        },
    }
}

# The connection form. Airflow 3.2 and later read it from the provider's metadata, older versions call the hook.
HIDDEN_FIELDS = ["schema", "extra"]


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
                "account",
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
                "webhooks",
            ),
            *_modules("operators", "trackdrive", integration=TRACKDRIVE),
        ],
        "sensors": _modules("sensors", "account", "calls", "caps", "number_pools", "targets"),
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
        "triggers": _modules("triggers", "account", "calls", "caps", "conditions", "waiting", "webhooks"),
        "config": CONFIG,
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
