"""A table that calls are written to, through short connections of a driver (PEP 249)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

from airflow_provider_retreaver.core.errors import ProtocolError, TableNotWritten
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.domain.calls.odd_calls import ODD
from airflow_provider_retreaver.domain.calls.raw_calls import RawCalls, is_readable
from airflow_provider_retreaver.domain.calls.sql_columns import RAW, Columns
from airflow_provider_retreaver.domain.calls.sql_limits import Limit
from airflow_provider_retreaver.domain.calls.sql_texts import all_storable, storable
from airflow_provider_retreaver.transfers.call_table_check import TableCheck
from airflow_provider_retreaver.transfers.call_writers import BatchWriter, Values, is_newer
from airflow_provider_retreaver.transfers.database_errors import Failure
from airflow_provider_retreaver.transfers.database_session import Database, Session


@dataclass(frozen=True, slots=True)
class RejectedCall:
    """A call that a table cannot hold.

    :param uuid: of the call.
    :param column: that cannot hold the call's value, if known.
    :param what: what is wrong, as a clause without phone numbers.
    """

    uuid: str
    column: str | None
    what: str

    def __str__(self) -> str:
        return f"call {one_line(self.uuid, 60)}{f', column {self.column}' if self.column else ''}: {self.what}"


def never(_rejected: RejectedCall) -> bool:
    """Leave no call out.

    :param _rejected: a call that a table cannot hold.
    :return: False.
    """
    return False


# Yields what the database does, and goes on when that is done.
Steps: TypeAlias = Generator[Future[Any], None, int | None]


class Writing:
    """A batch that is being written, while its task does something else.

    :param steps: what is done, step by step; the first one is begun here.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._step: Future[Any] | None = None
        self._changed: int | None = None
        self._go_on()

    @property
    def is_waiting(self) -> bool:
        """Whether the database is still at work."""
        return self._step is not None and not self._step.done()

    def result(self) -> int | None:
        """Wait for the end.

        :return: number of rows of the table that are new or changed, None where the database does not report it.
        :raises TableNotWritten: naming call and column; the batch is rolled back.
        """
        while self._step is not None:
            self._go_on()
        return self._changed

    def stop(self, error: BaseException) -> None:
        """End the statement and roll back, because the task was told to stop.

        :param error: that told it.
        """
        with suppress(type(error)):
            self._steps.throw(error)

    def _go_on(self) -> None:
        try:
            self._step = next(self._steps)
        except StopIteration as end:
            self._step, self._changed = None, end.value


class CallTable:
    """A table of calls.

    :param database: that the table is in.
    :param table: a checked name.
    :param columns: that are written.
    """

    def __init__(self, database: Database, table: str, columns: Columns) -> None:
        self._database = database
        self._table = table
        self._columns = columns
        self._key = columns.names.index(columns.key)
        self._version = columns.names.index(columns.version)
        self._writer = BatchWriter(table, columns, database.dialect, database.placeholder)
        self._limits: list[tuple[int, Limit]] = []
        self._raw_calls: RawCalls | None = None

    def prepare(self, *, create: bool) -> None:
        """Check that the table can take calls, and create it when it does not exist.

        :param create: whether it may be created.
        :raises InvalidArgument: naming the table, column, key, privilege or policy that is wrong or missing.
        :raises TableNotWritten: when the database cannot be reached.
        """
        dialect = self._database.dialect
        with self._database.session() as session:
            check = TableCheck(session, self._table, self._columns, dialect, self._writer)
            limits = check.check(create=create)
        as_json = frozenset(
            one.name for one in self._columns.columns if one.of_json and check.kinds.get(one.name) == "jsonb"
        )
        if dialect.name == "postgresql" and is_readable(self._columns, as_json):
            self._writer.as_json = as_json
            self._raw_calls = RawCalls(self._columns, as_json)
        self._limits = [(place, limit) for place, limit in enumerate(limits) if limit is not None]

    def raw_values_of(self, raws: Sequence[Any]) -> list[Values] | None:
        """Return the rows of calls of which the database parses what has no column of its own.

        :param raws: JSON objects.
        :return: values in the order of the columns; None where the database cannot do that, or where a call must be
            read as a whole.
        :raises ValueError: as `RawCalls.values_of`.
        """
        return None if self._raw_calls is None else self._raw_calls.values_of(raws)

    def storable(self, row: Values) -> tuple[Values, int]:
        """Return a row without characters that the database cannot hold.

        :param row: values in the order of the columns.
        :return: the row, and how many characters were replaced.
        """
        return storable(row, self._columns, null_characters=self._database.dialect.null_characters)

    def all_storable(self, rows: Sequence[Values]) -> bool:
        """Return whether `storable` would change none of several rows.

        :param rows: values in the order of the columns.
        :return: False when one may have a character that the database cannot hold.
        """
        return all_storable(rows, null_characters=self._database.dialect.null_characters)

    def write(self, rows: Sequence[Values], reject: Callable[[RejectedCall], bool] = never) -> int | None:
        """Write a batch in one transaction; of several versions of a call the newest stays.

        :param rows: values in the order of the columns.
        :param reject: told of a call that the table cannot hold; returns whether the others are written without it.
        :return: number of rows of the table that are new or changed, None where the database does not report it.
        :raises TableNotWritten: naming call and column; the batch is rolled back.
        """
        return self.begin(rows, reject).result()

    def begin(self, rows: Sequence[Values], reject: Callable[[RejectedCall], bool] = never) -> Writing:
        """Begin to write a batch, as `write`, and return while the database works.

        :param rows: values in the order of the columns.
        :param reject: told of a call that the table cannot hold; called here and by what is returned.
        :return: what is being written; it must be ended.
        :raises TableNotWritten: as `write`.
        """
        return Writing(self._steps(rows, reject))

    def _steps(self, rows: Sequence[Values], reject: Callable[[RejectedCall], bool]) -> Steps:
        newest = self._newest(rows)
        limits = self._limits_of(newest)
        batch = [] if limits else newest
        for row in newest if limits else ():
            rejected = self._rounded(row, limits)
            if rejected is None:
                batch.append(self._fitted(row, limits))
            elif not reject(rejected):
                raise self._refusal(rejected, len(newest))
        with self._database.session() as session:
            batch = self._with_known(session, batch)
            while batch:
                attempt = session.start(partial(self._writer.write, batch=batch), commit=True)
                yield attempt
                result = attempt.result()
                if not isinstance(result, Failure):
                    return result
                if result.about_data and any(isinstance(value, RAW) for row in batch for value in row):
                    # As a whole, each of them is read as the database can store it.
                    batch = self._parsed(batch, reject)
                    continue
                rejected = self._find_cause(session, batch, result)
                if not reject(rejected):
                    raise self._refusal(rejected, len(batch))
                batch = [row for row in batch if row[self._key] != rejected.uuid]
        return 0

    def _parsed(self, batch: Sequence[Values], reject: Callable[[RejectedCall], bool]) -> list[Values]:
        """Return rows with the values that the database was to make of calls."""
        parsed = []
        for row in batch:
            try:
                parsed.append(self.storable(self._columns.parsed(row))[0])
            except (ProtocolError, *ODD) as error:
                what = "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error)
                rejected = RejectedCall(row[self._key], None, what)
                if not reject(rejected):
                    raise self._refusal(rejected, len(batch)) from None
        return parsed

    def _newest(self, rows: Sequence[Values]) -> list[Values]:
        keys = [row[self._key] for row in rows]
        if len(set(keys)) == len(keys) and set(map(type, keys)) == {str}:
            return sorted(rows, key=itemgetter(self._key))
        newest: dict[Any, Values] = {}
        for row in rows:
            known = newest.get(row[self._key])
            if known is None or not is_newer(known[self._version], row[self._version]):
                newest[row[self._key]] = row
        # One order everywhere: tasks that write the same calls concurrently wait for each other without a deadlock.
        return sorted(newest.values(), key=lambda row: str(row[self._key]))

    def _limits_of(self, rows: Sequence[Values]) -> list[tuple[int, Limit]]:
        """Return the limits that a batch may exceed: hardly ever one, since most numbers are whole."""
        return [
            (place, limit) for place, limit in self._limits if not limit.holds_all({type(row[place]) for row in rows})
        ]

    def _rounded(self, row: Values, limits: Sequence[tuple[int, Limit]]) -> RejectedCall | None:
        for place, limit in limits:
            if limit.loses(row[place]):
                what = f"{limit} would not hold {one_line(row[place], 40)}"
                return RejectedCall(row[self._key], self._columns.names[place], what)
        return None

    def _fitted(self, row: Values, limits: Sequence[tuple[int, Limit]]) -> Values:
        """Return a row whose whole amounts are integers in integer columns: PostgreSQL takes no `22.0` there."""
        whole = [place for place, limit in limits if limit.scale == 0 and isinstance(row[place], Decimal)]
        if not whole:
            return row
        return tuple(int(value) if place in whole else value for place, value in enumerate(row))

    def _with_known(self, session: Session, batch: list[Values]) -> list[Values]:
        """Return a batch with the values that the table has, where a call's own cannot be known any more."""
        kept = self._columns.kept
        if kept is None:
            return batch
        place, evidence = (self._columns.names.index(name) for name in (kept.name, kept.evidence))
        owners = {str(row[self._key]): kept.owner(row[evidence]) for row in batch if row[place] is None}
        keys = [key for key, owner in owners.items() if owner is not None]
        if not keys:
            return batch
        names = [self._columns.key, kept.name, kept.evidence]
        found = session.attempt(lambda cursor: list(self._writer.select(cursor, names, keys)), commit=False)
        if isinstance(found, Failure):
            raise self._interrupted(found, len(batch))
        # A driver may return the key as a UUID, or padded.
        stored = {str(key).rstrip(): (value, kept.owner(said)) for key, value, said in found if value is not None}
        known = {key: stored[key][0] for key in keys if key in stored and stored[key][1] == owners[key]}
        return [(*row[:place], known.get(str(row[self._key]), row[place]), *row[place + 1 :]) for row in batch]

    def _attempt(self, session: Session, batch: list[Values], *, commit: bool) -> Failure | int | None:
        return session.attempt(partial(self._writer.write, batch=batch), commit=commit)

    def _find_cause(self, session: Session, batch: list[Values], failure: Failure) -> RejectedCall:
        """Find the first call that the table does not accept, and its column, by trying smaller parts."""
        size = len(batch)
        # A table that cannot be written even without calls says nothing about them.
        if not failure.about_data or isinstance(session.attempt(self._writer.rehearse, commit=False), Failure):
            raise self._interrupted(failure, size)
        while len(batch) > 1:
            half = batch[: len(batch) // 2]
            found = self._attempt(session, half, commit=False)
            batch = half if isinstance(found, Failure) else batch[len(half) :]
            failure = found if isinstance(found, Failure) else failure
        found = self._attempt(session, batch, commit=False)
        if not isinstance(found, Failure) or not found.about_data:
            raise self._interrupted(found if isinstance(found, Failure) else failure, size)
        return RejectedCall(batch[0][self._key], self._column_of(session, batch[0]), found.message)

    def _interrupted(self, failure: Failure, size: int) -> TableNotWritten:
        return TableNotWritten(
            f"Table {self._table} was not written: {failure.message}. The batch of {size} calls was rolled back; a "
            f"retry writes them."
        )

    def _refusal(self, rejected: RejectedCall, size: int) -> TableNotWritten:
        return TableNotWritten(
            f"Table {self._table} does not accept {rejected}. The batch of {size} calls was rolled back; change the "
            f"column's type or the mapping.",
            uuid=rejected.uuid,
            column=rejected.column,
        )

    def _column_of(self, session: Session, row: Values) -> str | None:
        """Return the column without whose value the table accepts the call, or the first of several such columns."""

        def accepts(values: Values) -> bool:
            return not isinstance(self._attempt(session, [values], commit=False), Failure)

        bare: Values = tuple(value if place == self._key else None for place, value in enumerate(row))
        places = [place for place, value in enumerate(row) if value is not None and place != self._key]
        for place in places:
            if accepts((*row[:place], None, *row[place + 1 :])):
                return self._columns.names[place]
        if accepts(bare):
            for place in places:
                if not accepts((*bare[:place], row[place], *bare[place + 1 :])):
                    return self._columns.names[place]
        return None
