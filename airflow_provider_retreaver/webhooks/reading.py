"""Reading the webhooks of batches, for tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.quoting import quoted

if TYPE_CHECKING:
    from airflow_provider_retreaver.webhooks.received import Webhook
    from airflow_provider_retreaver.webhooks.spool import Spool


def read_webhooks(result: Mapping[str, Any]) -> Iterator[Webhook]:
    """Yield the webhooks that `RetreaverWebhookBatchOperator` has handed to a run.

    Webhooks are personal data: they are read from the storage where they are needed, instead of being in an XCom.

    :param result: of the operator.
    :return: webhooks, in the order in which they were received within each batch.
    :raises InvalidArgument: when it is another task's result, or a batch is gone.
    """
    from airflow_provider_retreaver.storage.paths import storage_errors, storage_path
    from airflow_provider_retreaver.webhooks.spool import batch_of

    paths = result.get("paths")
    if not isinstance(paths, list):
        raise InvalidArgument(
            f"read_webhooks takes the result of RetreaverWebhookBatchOperator, not {quoted(result)}."
        )
    for path in paths:
        with storage_errors(f"Reading {path}", "a retry reads it again."):
            webhooks = batch_of(storage_path(path, "path of a batch")).webhooks
        yield from webhooks


def announced_batches(
    triggering_asset_events: Mapping[Any, Iterable[Any]], company: str, trigger: str
) -> list[int] | None:
    """Return the batches of the events that started a run.

    :param triggering_asset_events: of the task's context.
    :param company: digits of the company's ID.
    :param trigger: of the webhooks.
    :return: numbers of batches in their order; None for a run that no event has started (a manual run).
    :raises InvalidArgument: when there are events and none of them is of `RetreaverWebhookEventTrigger` for this
        company and trigger.
    """
    events = [event for several in triggering_asset_events.values() for event in several]
    found, payloads = set[int](), 0
    for event in events:
        payload = (event.extra or {}).get("payload")
        if isinstance(payload, Mapping) and (payload.get("company"), payload.get("trigger")) == (company, trigger):
            payloads += 1
            found |= {number for number in payload.get("batches", ()) if isinstance(number, int)}
    if events and not payloads:
        raise InvalidArgument(
            f"None of the {len(events)} events that started this run is about {trigger} webhooks of company "
            f"{company}; watch the asset of webhooks/{trigger} with RetreaverWebhookEventTrigger."
        )
    return sorted(found) if events else None


def claim_batches(
    spool: Spool, numbers: Iterable[int] | None, consumer: str, holder: Mapping[str, object]
) -> tuple[list[int], dict[int, Mapping[str, object]]]:
    """Claim batches for a run.

    :param spool: of the batches.
    :param numbers: of the batches; None for all that are kept.
    :param consumer: who may have each batch once.
    :param holder: the run.
    :return: the batches that are the run's, and the holders of the others.
    """
    from airflow_provider_retreaver.webhooks.claims import claim

    mine, others = list[int](), dict[int, Mapping[str, object]]()
    for number in spool.numbers() if numbers is None else numbers:
        other = claim(spool, number, consumer, holder)
        if other is None:
            mine.append(number)
        else:
            others[number] = other
    return mine, others
