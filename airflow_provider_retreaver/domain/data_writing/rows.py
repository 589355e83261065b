"""Rows of a source as writes of call data: which column names the call, and which ones are its tags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from airflow_provider_retreaver.core.errors import ChangeRefused, InvalidArgument
from airflow_provider_retreaver.core.operations import Operation
from airflow_provider_retreaver.core.parameters import known
from airflow_provider_retreaver.core.quoting import mask_number, quoted
from airflow_provider_retreaver.core.rendered import read_rendered
from airflow_provider_retreaver.core.visible_text import column_name, shown_in_cell
from airflow_provider_retreaver.domain.lists.driver_values import is_null
from airflow_provider_retreaver.domain.lists.phones import Normalizer, e164
from airflow_provider_retreaver.domain.objects.change_limit import ChangeLimit
from airflow_provider_retreaver.resources.data_writing import RESERVED, WrittenCallData, write_call_data
from airflow_provider_retreaver.resources.rtb import tag_fields

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# What Retreaver's bidding log has where there is no call.
_NO_CALL = str(UUID(int=0))

# A row with its line, counted from 1; a text says why the row cannot be read.
NumberedRow = tuple[int, Mapping[str, object] | str]


@dataclass(frozen=True, slots=True)
class CallWrite:
    """The tags of one call.

    :param line: of the source, counted from 1; of several rows of one call the last.
    :param call: UUID of the call, or phone number of its caller in E.164 (with `+`).
    :param tags: texts by key.
    """

    line: int
    call: str
    tags: dict[str, str]

    @property
    def by_caller(self) -> bool:
        """Whether the call is meant by its caller."""
        return self.call.startswith("+")

    @property
    def label(self) -> str:
        """The call, as logs and results may show it."""
        return mask_number(self.call) if self.by_caller else self.call

    def operation(self) -> Operation[WrittenCallData]:
        """Return the request.

        :return: the operation.
        """
        name = "caller_number" if self.by_caller else "call_uuid"
        return write_call_data(tags=self.tags, **{name: self.call})


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot be written.

    :param line: of the source.
    :param value: what it has in place of a call, blank for nothing.
    :param reason: why it is rejected.
    """

    line: int
    value: str
    reason: str

    def __str__(self) -> str:
        """Write it as a log may show it."""
        return f"line {self.line}: {self.reason}"


@dataclass(slots=True)
class Writes:
    """A source that was read completely.

    :param writes: one for each call, in an order that does not depend on that of the rows.
    :param rows: how many there were.
    :param rejected: how many of them cannot be written.
    :param overwritten: how many tags a later row of the same call has given another value.
    """

    writes: list[CallWrite] = field(default_factory=list)
    rows: int = 0
    rejected: int = 0
    overwritten: int = 0

    @property
    def duplicates(self) -> int:
        """How many rows were merged into another one of the same call."""
        return self.rows - self.rejected - len(self.writes)

    def fingerprint(self) -> str:
        """Return what tells an unchanged source from a changed one.

        :return: a digest of all calls and tags.
        """
        digest = hashlib.sha256()
        for write in self.writes:
            digest.update(json.dumps([write.call, write.tags], sort_keys=True).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


class RowReader:
    """Reads rows of a source.

    :param columns: tags by column, or a list of columns whose tags have the same names.
    :param call_uuid_column: column of the call's UUID.
    :param caller_number_column: column of the caller's phone number; used where the other has no value.
    :param tags: given to every row as well.
    :param normalizer: of phone numbers.
    :raises InvalidArgument: naming the parameter that is not valid.
    """

    def __init__(
        self,
        columns: object,
        call_uuid_column: object,
        caller_number_column: object,
        tags: Mapping[str, object],
        normalizer: Normalizer,
    ) -> None:
        self._tag_of = parse_columns(columns)
        self._uuid, self._caller = column_name(call_uuid_column), column_name(caller_number_column)
        self._fixed = tag_fields(tags, RESERVED)
        self._normalizer = normalizer
        both = set(self._fixed) & set(self._tag_of.values())
        if both:
            raise InvalidArgument(f"tags and columns both have the tag {quoted(min(both))}; give it once.")

    def check(self, names: Iterable[str], where: str) -> None:
        """Refuse a source whose columns do not suit the parameters.

        :param names: of its columns.
        :param where: name of the source.
        :raises InvalidArgument: naming the column that is missing.
        """
        there = list(names)
        for column in self._tag_of:
            known({column: None}, there, f"column of {where}")
        if self._uuid not in there and self._caller not in there:
            raise InvalidArgument(
                f"{where} has neither the column {quoted(self._uuid)} nor {quoted(self._caller)}; set "
                f"call_uuid_column or caller_number_column. Nothing was sent."
            )

    def read(self, line: int, row: Mapping[str, object]) -> CallWrite | RejectedRow:
        """Read one row.

        :param line: of the source.
        :param row: values by column.
        :return: the write, or why there is none.
        """
        uuid, caller = _cell(row.get(self._uuid)), row.get(self._caller)
        shown = uuid or ("" if is_null(caller) else str(caller))
        try:
            call = self._call(uuid, caller)
            write = CallWrite(line, call, self._tags(row))
            write.operation()
        except InvalidArgument as error:
            return RejectedRow(line, shown, error.message)
        return write

    def _tags(self, row: Mapping[str, object]) -> dict[str, str]:
        tags = {tag: tag_text(row.get(column), column) for column, tag in self._tag_of.items()}
        fields = tag_fields({tag: text for tag, text in tags.items() if text}, RESERVED)
        if not fields:
            raise InvalidArgument("its columns of tags are blank.")
        return {name: str(text) for name, text in {**self._fixed, **fields}.items()}

    def _call(self, uuid: str, caller: object) -> str:
        if uuid and uuid.lower() != _NO_CALL:
            if not _UUID.fullmatch(uuid.lower()):
                raise InvalidArgument(f"{quoted(uuid)} is not the UUID of a call.")
            return uuid.lower()
        if not _cell(caller):
            raise InvalidArgument("it names neither a call nor a caller.")
        number = self._normalizer.read(caller)
        if isinstance(number, str):
            raise InvalidArgument(f"the caller's number is {number}.")
        return e164(number)


def parse_columns(given: object) -> dict[str, str]:
    """Read the parameter `columns`.

    :param given: tags by column, or a list of columns; one as rendered text is read too.
    :return: tags by column, both as people read them.
    :raises InvalidArgument: when it is neither, or empty, or two columns have one tag.
    """
    value = read_rendered(given, "columns")
    if isinstance(value, (list, tuple)):
        value = dict(zip(value, value, strict=True))
    if not isinstance(value, Mapping) or not value:
        raise InvalidArgument('columns must say which columns are tags, such as {"amount": "sale_amount"}.')
    found = {column_name(column): str(tag).strip() for column, tag in value.items()}
    tag_fields(dict.fromkeys(found.values(), "x"), RESERVED)
    if len(set(found.values())) < len(found):
        raise InvalidArgument("columns gives one tag to two columns; name each tag once.")
    return found


def tag_text(value: object, name: str) -> str | None:
    """Return the value of a column as the value of a tag.

    :param value: of a driver, a data frame, JSON or a file.
    :param name: of the column, for the error.
    :return: the text; None for no value. Truth values are `true` and `false`, times as in RFC 3339.
    :raises InvalidArgument: when it is a list, a mapping or bytes.
    """
    if is_null(value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return shown_in_cell(value) or None
    return str(tag_fields({name: value}, ())[str(name).strip()])


def collect(
    rows: Iterable[NumberedRow],
    reader: RowReader,
    reject: Callable[[RejectedRow], None],
    *,
    max_rows: int | None,
    where: str,
) -> Writes:
    """Read a source completely; rows of one call become one write, in which a later row overwrites an earlier one.

    :param rows: rows with their line.
    :param reader: reads single rows.
    :param reject: called for every row that cannot be written.
    :param max_rows: how many rows there may be, None for any number.
    :param where: name of the source.
    :return: the writes, with counts.
    :raises ChangeRefused: when there are more rows than `max_rows`; nothing was sent.
    """
    found, by_call = Writes(), dict[str, CallWrite]()
    for line, row in rows:
        found.rows += 1
        if max_rows is not None and found.rows > max_rows:
            raise _too_many(where, max_rows)
        one = RejectedRow(line, "", row) if isinstance(row, str) else reader.read(line, row)
        if isinstance(one, RejectedRow):
            found.rejected += 1
            reject(one)
            continue
        before = by_call.get(one.call)
        if before is not None:
            found.overwritten += sum(before.tags.get(tag, text) != text for tag, text in one.tags.items())
            one = CallWrite(line, one.call, {**before.tags, **one.tags})
        by_call[one.call] = one
    # The same rows in another order, as a query without ORDER BY returns them, are the same plan.
    found.writes = [by_call[call] for call in sorted(by_call)]
    return found


def check_source(found: Writes, max_rows: int | None, max_rejects: object, where: str, first: list[str]) -> None:
    """Refuse a source that is probably wrong.

    :param found: the source.
    :param max_rows: how many rows there may be, None for any number.
    :param max_rejects: how many rows may be rejected, as `ChangeLimit.parse` takes it.
    :param where: name of the source.
    :param first: some of the rejected rows.
    :raises ChangeRefused: when there are too many rows, or too many of them are rejected; nothing was sent.
    """
    limit = ChangeLimit.parse(max_rejects, "max_rejects")
    if max_rows is not None and found.rows > max_rows:
        raise _too_many(where, max_rows)
    if limit.exceeded(found.rejected, found.rows):
        raise ChangeRefused(
            f"{found.rejected} of {found.rows} rows of {where} cannot be written, and max_rejects allows "
            f"{limit.describe(found.rows)}; nothing was sent. The first: {'; '.join(first)} Check columns, "
            f"call_uuid_column, caller_number_column and default_region."
        )


def _too_many(where: str, max_rows: int) -> ChangeRefused:
    return ChangeRefused(
        f"{where} has more rows than max_rows allows ({max_rows}); nothing was sent. Check the source with "
        f"dry_run=True, then raise max_rows if that many calls are meant."
    )


def one_write(call_uuid: object, caller_number: object, tags: Mapping[str, Any], normalizer: Normalizer) -> Writes:
    """Return the one write that parameters name.

    :param call_uuid: UUID of the call; exactly one of it and `caller_number` is given.
    :param caller_number: phone number of the caller.
    :param tags: values by key.
    :param normalizer: of phone numbers.
    :return: the write.
    :raises InvalidArgument: naming the parameter that is not valid.
    """
    if not tags:
        raise InvalidArgument("tags is empty; give at least one tag.")
    reader = RowReader(list(tags), "call_uuid", "caller_number", {}, normalizer)
    # Names of parameters are no names of tags, which the reader has refused.
    named = {column_name(name): value for name, value in tags.items()}
    found = reader.read(1, {**named, "call_uuid": call_uuid, "caller_number": caller_number})
    if isinstance(found, RejectedRow):
        raise InvalidArgument(f"The call cannot be written: {found.reason}")
    return Writes([found], rows=1)


def _cell(value: object) -> str:
    return "" if is_null(value) else shown_in_cell(str(value))
