"""How many numbers pools may still get (vendor's reference: "Number Pools").

`numbers_count` of `max_pool_size` are provisioned: that is headroom for growing, not numbers that are free now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from airflow_provider_retreaver.core.errors import InvalidArgument, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.parameters import any_or_all, ids, is_given, share
from airflow_provider_retreaver.domain.objects.reading import together
from airflow_provider_retreaver.domain.watching.condition import Condition, Memory, Question, Verdict
from airflow_provider_retreaver.domain.watching.target_counts import of_several
from airflow_provider_retreaver.resources import number_pools

Sizes = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class PoolSizes(Question):
    """Sizes of number pools by key: `{"number pool 3": {"id", "numbers_count", "max_pool_size"}}`.

    :param pool_ids: which; none for those of the campaign or affiliate, or all.
    :param cid: campaign, by the customer's ID.
    :param afid: affiliate, by the customer's ID.
    """

    pool_ids: tuple[int, ...] = ()
    cid: str | None = None
    afid: str | None = None

    def ask(self, _memory: Memory, /) -> Procedure[Any]:
        """Read the pools; nothing is kept.

        :raises NotFound: naming the first of them that is gone.
        """
        rows: list[Row] = []
        if self.pool_ids:
            for outcome in (yield from together([number_pools.get_number_pool(id_) for id_ in self.pool_ids])):
                if outcome.error is not None:
                    raise outcome.error
                rows.append(outcome.value or {})
        else:
            rows = yield number_pools.list_number_pools(cid=self.cid, afid=self.afid)
        return {f"number pool {row.get('id')}": _sizes(row) for row in rows}


def _sizes(row: Row) -> dict[str, Any]:
    sizes = {name: row.get(name) for name in ("numbers_count", "max_pool_size")}
    for name, value in sizes.items():
        if not isinstance(value, int):
            raise ProtocolError(f"Number pool {row.get('id')} came without {name!r}, which the vendor documents.")
    return {"id": row.get("id"), "cid": row.get("cid"), **sizes}


@dataclass(frozen=True, slots=True)
class PoolHeadroom(Condition):
    """A pool has little room left to grow; see `RetreaverNumberPoolSensor` for the parameters."""

    kind: ClassVar[str] = "number_pool"

    number_pool_id: tuple[int, ...]
    cid: str | None
    afid: str | None
    below: float
    match: str

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Build it from a sensor's parameters."""
        pools = (
            tuple(ids(options["number_pool_id"], "number_pool_id") or ())
            if is_given(options["number_pool_id"])
            else ()
        )
        cid, afid = (str(options[name]) if is_given(options[name]) else None for name in ("cid", "afid"))
        if pools and (cid or afid):
            raise InvalidArgument(
                "number_pool_id names the pools; cid and afid choose among all: give one of the two."
            )
        below = share(options["below"], "below")
        if below is None:
            raise InvalidArgument("below is missing: the share of headroom under which a pool is reported.")
        return cls(pools, cid, afid, below, any_or_all(options["match"]))

    @property
    def question(self) -> PoolSizes:
        """Sizes of the pools."""
        return PoolSizes(self.number_pool_id, self.cid, self.afid)

    def judge(self, found: Any) -> Verdict:
        """Judge the sizes; a pool that may hold nothing has no headroom."""
        rows, lines, met = {}, {}, []
        for key, sizes in found.items():
            most = sizes["max_pool_size"]
            headroom = max(0.0, (most - sizes["numbers_count"]) / most) if most > 0 else 0.0
            rows[key] = {**sizes, "headroom": round(headroom, 4)}
            lines[key] = f"{key} holds {sizes['numbers_count']} of {most} numbers"
            if headroom < self.below:
                met.append(key)
        return of_several(rows, met, self.match, lines)
