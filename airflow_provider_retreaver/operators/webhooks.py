"""Operators for webhooks: the batch of a run, and the tags that webhooks are answered with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.core import parameters
from airflow_provider_retreaver.core.errors import InvalidArgument, InvalidConnection
from airflow_provider_retreaver.core.quoting import one_line, quoted
from airflow_provider_retreaver.links import FileLink, note_file
from airflow_provider_retreaver.operators.base import RetreaverOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.webhook_settings import TriggerName, WebhookSettings
    from airflow_provider_retreaver.domain.data_writing.rows import NumberedRow
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook
    from airflow_provider_retreaver.webhooks.spool import Spool
    from airflow_provider_retreaver.webhooks.tag_rows import TagRows

SOURCES = ("source", "sql", "rows")


class RetreaverWebhookBatchOperator(RetreaverOperator):
    """Take the webhooks of the events that started the run; `read_webhooks` reads them in the tasks that follow.

    The DAG follows the asset `retreaver://host/company/webhooks/<trigger>`, which `RetreaverWebhookEventTrigger`
    watches. Each batch is handed to one run of this task: the run claims it in the folder `webhook_spool`, keeps it
    when its worker is killed, and gets it again when it is retried or cleared. A run whose batches are all another
    run's (an event that came twice) is skipped. A run that no event has started, such as a manual one, takes all
    batches that are kept and that no run of this task has.

    Returns `{"company", "trigger", "batches", "webhooks", "paths"}`: numbers of the batches, how many webhooks they
    have, and the files on object storage in which they are. Retreaver's integration guide: "Webhook Support"; see
    docs/webhooks.md.

    :param trigger: of the webhooks: `start`, `selected`, `timer`, `postback` or `always`.
    :param consumer: who gets each batch once; by default this task of this DAG. Tasks with the same consumer share
        the batches.
    :param destination: object-storage path of a file to which the webhooks are written, too, one JSON object a line,
        e.g. `s3://conn@bucket/webhooks/{{ run_id }}.jsonl`; then the result has its `path`, `rows` and `bytes`.
    :param retreaver_conn_id: ID of the connection, which has the extra `webhook_spool`.
    :raises InvalidArgument: when a parameter is wrong, or a batch was removed since.
    :raises AirflowSkipException: when there is no batch for the run.
    """

    template_fields = (*RetreaverOperator.template_fields, "trigger", "consumer", "destination")
    operator_extra_links = (FileLink(),)

    def __init__(
        self,
        *,
        trigger: TriggerName,
        consumer: str | None = None,
        destination: str | None = None,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.trigger = trigger
        self.consumer = consumer
        self.destination = destination

    def execute(self, context: Context) -> dict[str, Any]:
        """Claim the batches and return where they are."""
        from airflow_provider_retreaver.core.webhook_settings import TRIGGERS
        from airflow_provider_retreaver.storage.line_files import write_jsonl
        from airflow_provider_retreaver.storage.paths import destination_errors
        from airflow_provider_retreaver.webhooks.reading import announced_batches, claim_batches, read_webhooks
        from airflow_provider_retreaver.webhooks.spool import Spool

        with self.connected() as hook:
            trigger = parameters.one_of(self.trigger, TRIGGERS, "trigger")
            spool = Spool(_webhook_settings(hook, self.retreaver_conn_id), trigger)
            events: Any = context.get("triggering_asset_events") or {}
            numbers = announced_batches(events, spool.company, trigger)
            instance: Any = context["ti"]
            holder = {name: getattr(instance, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
            consumer = str(self.consumer) if parameters.is_given(self.consumer) else f"{self.dag_id}.{self.task_id}"
            with destination_errors(f"The folder {spool.folder} (webhook_spool) cannot be used"):
                mine, others = claim_batches(spool, numbers, consumer, holder)
                counts = self._counts(spool, mine)
            for number, other in others.items():
                self.log.info("Batch %d is the run %s's.", number, one_line(other.get("run_id"), numbers=False))
            if not mine:
                raise AirflowSkipException("There is no batch of webhooks that no other run has.")
            result: dict[str, Any] = {
                "company": spool.company,
                "trigger": trigger,
                "batches": mine,
                "webhooks": sum(counts),
                "paths": [str(spool.path(number)) for number in mine],
            }
            self.log.info("This run has %d webhooks, in the batches %s.", result["webhooks"], quoted(mine))
            about = {name: value for name, value in result.items() if name != "paths"}
            if parameters.is_given(self.destination):
                written = write_jsonl(str(self.destination), iter(read_webhooks(result)))
                note_file(context, hook, self.destination)
                result |= written
            self.update_outlet_events(context, **about)
        return result

    def _counts(self, spool: Spool, numbers: Iterable[int]) -> Iterator[int]:
        for number in numbers:
            try:
                yield len(spool.read(number).webhooks)
            except FileNotFoundError:
                raise InvalidArgument(
                    f"Batch {number} in {spool.folder} is gone: batches are kept as long as the event trigger's "
                    f"parameter keep says; delete the run, since its webhooks cannot be read again."
                ) from None


class RetreaverWebhookTagsOperator(RetreaverOperator):
    """Publish the tags that webhooks are answered with, which Retreaver applies to the call.

    The file is a SQLite database on object storage that the api-servers fetch when it has changed, within some ten
    seconds; until then they answer from the one before. It may have millions of rows: neither this task nor an
    api-server keeps them in memory. Returns `{"path", "keys", "left_out", "bytes"}`. Retreaver's integration guide:
    "Webhook Support"; see docs/webhooks.md.

    :param source: object-storage path of a file with a row for each caller, csv or jsonl.
    :param source_format: `csv` or `jsonl`, where the file's name does not say it.
    :param encoding: of a csv file.
    :param delimiter: between the columns of a csv file; found out by default.
    :param sql: instead of a file: a query.
    :param sql_conn_id: of the SQL connection for it.
    :param rows: instead of both: a list of mappings.
    :param field: of webhooks whose value is looked up: `caller_number` (which finds `caller`, too), or the name of
        another field or tag.
    :param key_column: column with the values of the field; by default one of the same name. Phone numbers may be
        written in any usual way; rows without a valid one are left out.
    :param tag_columns: columns that become tags: a list, or a mapping of columns to names of tags; by default all
        others. Blank values are no tags, and a row without tags is left out.
    :param destination: object-storage path of the file to publish; by default the connection's `webhook_lookup`.
    :param allow_empty: publish a file without rows, too.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: when a parameter is wrong, or the source has no usable row; nothing was published.
    """

    template_fields = (
        *RetreaverOperator.template_fields,
        *("source", "source_format", "encoding", "delimiter", "sql", "sql_conn_id", "rows"),
        *("field", "key_column", "tag_columns", "destination", "allow_empty"),
    )
    operator_extra_links = (FileLink(),)

    def __init__(
        self,
        *,
        source: str | None = None,
        source_format: Literal["csv", "jsonl"] | None = None,
        encoding: str = "utf-8",
        delimiter: str | None = None,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        rows: Iterable[Mapping[str, object]] | str | None = None,
        field: str = "caller_number",
        key_column: str | None = None,
        tag_columns: Sequence[str] | Mapping[str, str] | str | None = None,
        destination: str | None = None,
        allow_empty: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.source = source
        self.source_format = source_format
        self.encoding = encoding
        self.delimiter = delimiter
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.rows = rows
        self.field = field
        self.key_column = key_column
        self.tag_columns = tag_columns
        self.destination = destination
        self.allow_empty = allow_empty

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the file and publish it."""
        from airflow_provider_retreaver.storage.paths import destination_errors, storage_path
        from airflow_provider_retreaver.storage.whole_files import replacing
        from airflow_provider_retreaver.webhooks.lookup import read_field, write_lookup
        from airflow_provider_retreaver.webhooks.tag_rows import TagRows

        with self.connected() as hook:
            path = self.destination if parameters.is_given(self.destination) else self._published(hook)
            file = storage_path(path, "destination")
            field, allow_empty = read_field(self.field), parameters.flag(self.allow_empty, "allow_empty")
            reader = TagRows.of(self.key_column if parameters.is_given(self.key_column) else field, self.tag_columns)
            with tempfile.TemporaryDirectory(prefix="retreaver-tags-") as folder:
                copy = Path(folder) / "tags.db"
                keys, left_out = write_lookup(copy, reader.read(self._rows(reader)), field)
                left_out += reader.without_tags + reader.unreadable
                if not keys and not allow_empty:
                    raise InvalidArgument(
                        "The source has no row with a key and tags; nothing was published. Set allow_empty if no "
                        "webhook is to be answered with tags."
                    )
                with destination_errors(f"The tags cannot be written to {file}"), replacing(file) as draft:
                    draft.fs.put_file(str(copy), draft.path)
                size = copy.stat().st_size
            if left_out:
                self.log.warning("%d rows without a usable key or without tags were left out.", left_out)
            result = {"path": str(path), "keys": keys, "left_out": left_out, "bytes": size}
            self.log.info("Published the tags of %d keys to %s", keys, one_line(path))
            note_file(context, hook, str(path))
            self.update_outlet_events(context, **result)
        return result

    def _published(self, hook: RetreaverHook) -> str:
        found = _webhook_settings(hook, self.retreaver_conn_id).lookup
        if found is None:
            raise InvalidConnection(
                f"Connection {quoted(self.retreaver_conn_id)}: extra 'webhook_lookup' is missing, and there is no "
                f"destination; fill in the path of the file, so that the api-servers find it."
            )
        return found

    def _rows(self, reader: TagRows) -> Iterator[NumberedRow]:
        from airflow_provider_retreaver.operators.source_rows import file_rows, listed_rows, query_rows

        given = [name for name in SOURCES if parameters.is_given(getattr(self, name))]
        if len(given) != 1:
            raise InvalidArgument(f"Give exactly one of {', '.join(SOURCES)}, not {' and '.join(given) or 'none'}.")
        if parameters.is_given(self.sql) != parameters.is_given(self.sql_conn_id):
            raise InvalidArgument("sql and sql_conn_id belong together; give both or none.")
        if given == ["sql"]:
            return query_rows(str(self.sql), str(self.sql_conn_id), reader.check)
        if given == ["source"]:
            return file_rows(
                str(self.source), self.source_format, reader.check, encoding=self.encoding, delimiter=self.delimiter
            )
        return listed_rows(self.rows, reader.check)


def _webhook_settings(hook: RetreaverHook, retreaver_conn_id: str) -> WebhookSettings:
    settings = hook.settings.webhooks
    if settings is None:
        raise InvalidConnection(
            f"Connection {quoted(retreaver_conn_id)}: extra 'webhook_token' is missing, so it accepts no webhooks; "
            f"fill it in, and webhook_spool."
        )
    return settings
