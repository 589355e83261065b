"""What the attempts of one run want to change and have changed, as it is kept between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_retreaver.domain.objects.names import FoundNames


@dataclass(slots=True)
class Record:
    """A plan, saved before the first change, and what was done of it, saved as it is done.

    Resetting caps plans the count before by key of the object (`target 3`, `group 5`), and has done `[before,
    after]`, where after is None when the reset was accepted and not read back. Changing objects plans and has done
    lists of `[field, before, after]`.

    :param plan: JSON values by key.
    :param done: JSON values by key.
    :param names: the IDs of objects that were chosen by name, which no later attempt looks up again.
    """

    plan: dict[str, Any] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    names: FoundNames = field(default_factory=dict)

    @classmethod
    def load(cls, value: Mapping[str, Any] | None) -> Record:
        """Return a record from its JSON form.

        :param value: what `dump` returned; None for an empty record.
        :return: the record.
        """
        value = value or {}
        names = {kind: dict(found) for kind, found in value.get("names", {}).items()}
        return cls(dict(value.get("plan", {})), dict(value.get("done", {})), names)

    def with_names(self, names: FoundNames) -> Record:
        """Return the record of another attempt, with what this one has found by name beside it.

        :param names: what this attempt has found.
        :return: the record; where both have found a kind of objects, what this one has found.
        """
        return Record(self.plan, self.done, {**self.names, **names})

    def dump(self) -> dict[str, Any]:
        """Return the record as JSON values.

        :return: `{"plan": {…}, "done": {…}}`, and `names` where objects were chosen by name.
        """
        names = {"names": self.names} if self.names else {}
        return {"plan": self.plan, "done": self.done, **names}
