"""How many numbers number pools can still get (Retreaver's reference: "Number Pools").

`numbers_count` of `max_pool_size` numbers are provisioned. The difference is room to grow, not numbers that are free
now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from airflow_provider_retreaver.core.errors import InvalidArgument, NotFound, ProtocolError
from airflow_provider_retreaver.core.operations import Procedure, Row
from airflow_provider_retreaver.core.parameters import any_or_all, ids, is_given, share, text
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.domain.objects.at_once import together
from airflow_provider_retreaver.domain.objects.names import (
    AFFILIATE,
    CAMPAIGN,
    FoundNames,
    find_customer_id,
    known_customer_id,
)
from airflow_provider_retreaver.domain.watching.condition import Condition, Evaluation, Query, QueryState
from airflow_provider_retreaver.domain.watching.target_counts import CheckedObject, Match, evaluate_objects
from airflow_provider_retreaver.resources import number_pools


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The size of a number pool.

    :param id: Retreaver's ID.
    :param cid: the customer's ID of its campaign.
    :param numbers_count: provisioned numbers.
    :param max_pool_size: most numbers that it may have.
    """

    id: int
    cid: str | None
    numbers_count: int
    max_pool_size: int

    @classmethod
    def from_row(cls, row: Row) -> PoolSize:
        """Read the size of a row.

        :param row: a number pool as Retreaver returns it.
        :return: its size.
        :raises ProtocolError: when a number is missing.
        """
        numbers = [row.get(name) for name in ("id", "numbers_count", "max_pool_size")]
        for name, value in zip(("id", "numbers_count", "max_pool_size"), numbers, strict=True):
            if not isinstance(value, int):
                raise ProtocolError(
                    f"Number pool {row.get('id')} has no {quoted(name)}, which Retreaver documents for it."
                )
        return cls(row["id"], row.get("cid"), row["numbers_count"], row["max_pool_size"])

    @property
    def headroom(self) -> float:
        """Share of the numbers that are not provisioned yet; 0 for a pool that may hold none."""
        if self.max_pool_size <= 0:
            return 0.0
        return max(0.0, (self.max_pool_size - self.numbers_count) / self.max_pool_size)


@dataclass(frozen=True, slots=True)
class PoolSizesQuery(Query[list[PoolSize]]):
    """The sizes of number pools.

    :param pool_ids: the pools; empty for those of the campaign or affiliate, or for all.
    :param cid: only pools of this campaign, by the customer's ID.
    :param afid: only pools of this affiliate, by the customer's ID.
    :param campaign_name: only pools of the campaign with this name.
    :param affiliate_name: only pools of the affiliate with this name.
    """

    pool_ids: tuple[int, ...] = ()
    cid: str | None = None
    afid: str | None = None
    campaign_name: str | None = None
    affiliate_name: str | None = None

    def with_found(self, state: QueryState) -> PoolSizesQuery:
        """Return the query with the IDs of what was found by name; see `Query.with_found`."""
        known = state.get("names")
        if not known:
            return self
        cid, afid = self.cid, self.afid
        if self.campaign_name is not None:
            cid = known_customer_id(CAMPAIGN, self.campaign_name, known)
        if self.affiliate_name is not None:
            afid = known_customer_id(AFFILIATE, self.affiliate_name, known)
        return PoolSizesQuery(self.pool_ids, cid, afid)

    def run(self, state: QueryState, /) -> Procedure[list[PoolSize]]:
        """Read the pools; names are looked up in the first run, by one list of each kind.

        :raises NotFound: naming the first of them that does not exist, or what no pool has.
        :raises InvalidArgument: when several objects have one of the names.
        """
        known: FoundNames = {kind: dict(ids) for kind, ids in state.get("names", {}).items()}
        for kind, name, parameter in (
            (CAMPAIGN, self.campaign_name, "campaign_name"),
            (AFFILIATE, self.affiliate_name, "affiliate_name"),
        ):
            if name is not None:
                yield from find_customer_id(kind, name, parameter, known)
        if known:
            state["names"] = known
        chosen_by_id = self.with_found(state)
        cid, afid = chosen_by_id.cid, chosen_by_id.afid
        rows: list[Row] = []
        if self.pool_ids:
            for outcome in (yield from together([number_pools.get_number_pool(id_) for id_ in self.pool_ids])):
                if outcome.error is not None:
                    raise outcome.error
                rows.append(outcome.value or {})
        else:
            listing = number_pools.list_number_pools(cid=cid, afid=afid)
            rows = yield listing
            if not rows:
                chosen = (("cid", cid), ("afid", afid))
                given = "".join(f" with {name} {quoted(value)}" for name, value in chosen if value)
                raise NotFound(
                    f"{listing.request.label} returned no number pool{given}, so that there is nothing to wait for; "
                    f"correct cid and afid, or create the pool first."
                )
        return [PoolSize.from_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class PoolHeadroom(Condition[list[PoolSize]]):
    """Number pools have little room to grow; the condition of `RetreaverNumberPoolSensor`.

    :param number_pool_id: the pools; empty for those of the campaign or affiliate, or for all.
    :param cid: only pools of this campaign, by the customer's ID.
    :param afid: only pools of this affiliate, by the customer's ID.
    :param below: share of `max_pool_size` from 0 to 1; the headroom must be less.
    :param match: whether it must hold for `any` pool or for `all`.
    :param campaign_name: only pools of the campaign with this name.
    :param affiliate_name: only pools of the affiliate with this name.
    """

    kind: ClassVar[str] = "number_pool"

    number_pool_id: tuple[int, ...]
    cid: str | None
    afid: str | None
    below: float
    match: Match
    campaign_name: str | None = None
    affiliate_name: str | None = None

    @classmethod
    def from_parameters(
        cls,
        *,
        number_pool_id: object,
        cid: object,
        afid: object,
        below: object,
        match: object,
        campaign_name: object = None,
        affiliate_name: object = None,
    ) -> Self:
        """Build the condition from the sensor's parameters."""
        pools = tuple(ids(number_pool_id, "number_pool_id") or ())
        campaign, affiliate = (str(value) if is_given(value) else None for value in (cid, afid))
        names = [
            text(value, name) if is_given(value) else None
            for name, value in (("campaign_name", campaign_name), ("affiliate_name", affiliate_name))
        ]
        if (campaign and names[0]) or (affiliate and names[1]):
            raise InvalidArgument(
                "Give cid or campaign_name, and afid or affiliate_name: each of two would choose the same object."
            )
        if pools and any((campaign, affiliate, *names)):
            raise InvalidArgument(
                "Give number_pool_id, or campaign and affiliate, not both: the IDs already select the pools."
            )
        limit = share(below, "below")
        if limit is None:
            raise InvalidArgument(
                "below is missing: give the share of headroom below which a pool matches, like 0.1."
            )
        return cls(pools, campaign, affiliate, limit, any_or_all(match), *names)

    @property
    def query(self) -> PoolSizesQuery:
        """The sizes of the pools."""
        return PoolSizesQuery(self.number_pool_id, self.cid, self.afid, self.campaign_name, self.affiliate_name)

    def with_found(self, state: QueryState) -> Self:
        """Return the condition with IDs in place of the names that were found."""
        query = self.query.with_found(state)
        return replace(
            self,
            cid=query.cid,
            afid=query.afid,
            campaign_name=query.campaign_name,
            affiliate_name=query.affiliate_name,
        )

    def evaluate(self, result: list[PoolSize]) -> Evaluation:
        """Evaluate the sizes; a pool that may hold no number has no headroom."""
        return evaluate_objects([self._check(pool) for pool in result], self.match)

    def _check(self, pool: PoolSize) -> CheckedObject:
        label = f"number pool {pool.id}"
        row = {
            "id": pool.id,
            "cid": pool.cid,
            "numbers_count": pool.numbers_count,
            "max_pool_size": pool.max_pool_size,
            "headroom": round(pool.headroom, 4),
        }
        description = f"{label} has {pool.numbers_count} of {pool.max_pool_size} numbers"
        return CheckedObject(label, pool.headroom < self.below, row, description)
