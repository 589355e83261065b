"""A stand-in for the notifier of Slack's provider, which is not installed; it keeps its messages."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, ClassVar

from airflow.providers.common.compat.notifier import BaseNotifier

MODULE = "airflow.providers.slack.notifications.slack_webhook"


class SlackWebhookNotifier(BaseNotifier):
    """Has the parameters that the documents use, and the template fields of apache-airflow-providers-slack 9.11."""

    template_fields = ("slack_webhook_conn_id", "text")
    sent: ClassVar[list[str]] = []

    def __init__(self, *, slack_webhook_conn_id: str, text: str) -> None:
        super().__init__()
        self.slack_webhook_conn_id = slack_webhook_conn_id
        self.text = text

    def notify(self, context: Any) -> None:
        """Keep the message."""
        self.sent.append(self.text)


def provide(monkeypatch: Any) -> list[str]:
    """Put the stand-in in the place of Slack's provider, and return the list of what is sent."""
    module = ModuleType(MODULE)
    module.SlackWebhookNotifier = SlackWebhookNotifier  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    for name in (MODULE.rpartition(".")[0], MODULE.rpartition(".")[0].rpartition(".")[0]):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(SlackWebhookNotifier, "sent", [])
    return SlackWebhookNotifier.sent
