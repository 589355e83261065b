"""For whom a number is suppressed: the company, a campaign or an affiliate; and which campaign a listed number means.

A campaign is named by the customer's ID (`cid`, a text), while Retreaver's list has an integer. The documents do not
say whether that is Retreaver's own ID of the campaign or the customer's, so each integer on the list is looked up
once; one that could be two campaigns is taken for neither.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_retreaver.core.errors import Gone, InvalidArgument, NotFound
from airflow_provider_retreaver.core.operations import Outcome, Procedure, Row, Together
from airflow_provider_retreaver.core.quoting import quoted
from airflow_provider_retreaver.resources.campaigns import Campaign, get_campaign

log = logging.getLogger(__name__)

NAMES = frozenset({"cid", "campaign_id", "affiliate_id", "afid"})


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a number is suppressed; without campaign and affiliate for the whole company.

    :param campaign: an integer or a text, as Retreaver sends it.
    :param affiliate: an integer or a text, as Retreaver sends it.
    """

    campaign: int | str | None = None
    affiliate: int | str | None = None

    @classmethod
    def of(cls, row: Row) -> Scope:
        """Read the scope of a row.

        :param row: a suppressed number as Retreaver sends it.
        :return: the scope.
        """
        # Most numbers are suppressed for the company, and there may be millions.
        if NAMES.isdisjoint(row):
            return COMPANY
        return cls(_id(row, "cid", "campaign_id"), _id(row, "affiliate_id", "afid"))

    @property
    def is_company(self) -> bool:
        """Whether the number is suppressed for all calls of the company."""
        return self.campaign is None and self.affiliate is None

    def __str__(self) -> str:
        """Write it as the end of `suppressed for …`."""
        parts = []
        if self.campaign is not None:
            parts.append(f"campaign {self.campaign}")
        if self.affiliate is not None:
            parts.append(f"affiliate {self.affiliate}")
        return " and ".join(parts) or "the whole company"


COMPANY = Scope()


def _id(row: Row, *names: str) -> int | str | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value is not None and str(value).strip():
            return str(value).strip()
    return None


class WantedScope:
    """The scope that is asked for, and which scopes of listed numbers are the same.

    :param campaign: customer's ID (`cid`) of the campaign, None for the whole company.
    """

    def __init__(self, campaign: str | None) -> None:
        self._campaign = campaign
        self._own: int | None = None
        self._known: dict[int, bool] = {}

    def check(self) -> Procedure[None]:
        """Check that the campaign exists.

        :raises InvalidArgument: naming `campaign_id`, when there is no such campaign.
        """
        if self._campaign is None:
            return
        try:
            found: Campaign = yield get_campaign(cid=self._campaign)
        except (NotFound, Gone) as error:
            raise InvalidArgument(
                f"There is no campaign whose customer's ID (cid) is {quoted(self._campaign)}; correct campaign_id. "
                f"No number was sent."
            ) from error
        own = found.get("id")
        # Documented answers do not have it.
        self._own = own if isinstance(own, int) else None

    def learn(self, scopes: Iterable[Scope]) -> Procedure[None]:
        """Look up the campaigns of scopes whose campaign is an integer, each once.

        :param scopes: of listed numbers.
        """
        if self._campaign is None:
            return
        ids = {scope.campaign for scope in scopes if isinstance(scope.campaign, int)}.difference(self._known)
        asked = sorted(id_ for id_ in ids if self._own in (None, id_) or str(id_) == self._campaign)
        self._known |= dict.fromkeys(ids, False)
        outcomes: list[Outcome[Campaign]] = []
        if asked:
            outcomes = yield Together([get_campaign(id=id_) for id_ in asked])
        for id_, outcome in zip(asked, outcomes, strict=True):
            self._known[id_] = yield from self._is_ours(id_, _cid(outcome))

    def covers(self, scope: Scope) -> bool:
        """Return whether a number of this scope has the scope that is asked for.

        :param scope: one that `learn` was given.
        :return: True when it is suppressed for exactly that.
        """
        if self._campaign is None or scope.affiliate is not None:
            return self._campaign is None and scope.is_company
        if isinstance(scope.campaign, int):
            return self._known[scope.campaign]
        return scope.campaign == self._campaign

    def _is_ours(self, id_: int, cid: str | None) -> Procedure[bool]:
        by_own, by_customers = cid == self._campaign, str(id_) == self._campaign
        if by_own == by_customers:
            return by_own
        clashing: str | None = cid
        if by_own:
            # The same integer could be the customer's ID of another campaign.
            outcomes: list[Outcome[Campaign]] = yield Together([get_campaign(cid=str(id_))])
            clashing = _cid(outcomes[0])
        if clashing is None:
            return True
        log.warning(
            "Retreaver lists numbers of campaign %d, which is Retreaver's ID of one campaign and the customer's ID "
            "of another; they are not changed.",
            id_,
        )
        return False


def _cid(outcome: Outcome[Campaign]) -> str | None:
    """Return the customer's ID of a campaign that was looked up; None when there is none."""
    if outcome.error is not None and not isinstance(outcome.error, (NotFound, Gone)):
        raise outcome.error
    return None if outcome.value is None else str(outcome.value.get("cid"))
