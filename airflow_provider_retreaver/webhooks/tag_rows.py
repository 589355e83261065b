"""Rows of a source as keys and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from airflow_provider_retreaver.core.errors import InvalidArgument
from airflow_provider_retreaver.core.parameters import is_given
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.core.rendered import read_rendered

if TYPE_CHECKING:
    from airflow_provider_retreaver.domain.data_writing.rows import NumberedRow


@dataclass(slots=True)
class TagRows:
    """Reads the rows of one source.

    :param key_column: column with the key.
    :param columns: names of tags by columns; None for all columns but the key's.
    :param without_tags: how many rows had no tag.
    :param unreadable: how many rows could not be read.
    """

    key_column: str
    columns: dict[str, str] | None
    without_tags: int = 0
    unreadable: int = 0

    @classmethod
    def of(cls, key_column: object, tag_columns: object) -> Self:
        """Read the parameters.

        :param key_column: of the operator.
        :param tag_columns: of the operator.
        :return: the reader.
        :raises InvalidArgument: when `tag_columns` is neither a list nor a mapping of texts.
        """
        if not is_given(tag_columns):
            return cls(str(key_column).strip(), None)
        found = read_rendered(tag_columns, "tag_columns")
        if isinstance(found, (list, tuple)):
            found = {name: name for name in found}
        texts = isinstance(found, Mapping) and all(
            isinstance(one, str) and one for pair in found.items() for one in pair
        )
        if not texts or not found:
            raise InvalidArgument(
                f"tag_columns must be a list of columns, or a mapping of columns to names of tags, not "
                f"{quoted(tag_columns)}."
            )
        return cls(str(key_column).strip(), dict(found))

    def check(self, columns: Iterable[str], where: str) -> None:
        """Refuse a source without the columns.

        :param columns: of the source.
        :param where: names the source.
        :raises InvalidArgument: naming the columns that are missing.
        """
        there = list(columns)
        missing = [name for name in (self.key_column, *(self.columns or ())) if name not in there]
        if missing:
            raise InvalidArgument(
                f"{where} has no column {', '.join(map(quoted, missing))}; it has "
                f"{', '.join(map(quoted, there[:20]))}."
            )

    def read(self, rows: Iterable[NumberedRow]) -> Iterator[tuple[object, dict[str, object]]]:
        """Yield key and tags of each row.

        :param rows: of the source, with their places.
        :return: keys with tags, which are not blank.
        """
        for _, row in rows:
            if isinstance(row, str):
                # The reason why the row cannot be read.
                self.unreadable += 1
                continue
            columns = self.columns or {name: name for name in row if name != self.key_column}
            tags = {tag: row[name] for name, tag in columns.items() if row.get(name) not in (None, "")}
            if tags:
                yield row.get(self.key_column), tags
            else:
                self.without_tags += 1
