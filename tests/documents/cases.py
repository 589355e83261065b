"""Every documented example request, the operation that sends the same, and the keys of the documented answer."""

from __future__ import annotations

from tests.documents.case import CURRENT, LEGACY
from tests.documents.cases_bidding import BIDDING
from tests.documents.cases_callers import CONTACTS, ON_CAMPAIGN, ON_TARGET, SUPPRESSION, list_cases
from tests.documents.cases_calls import CALLS, REPORTS
from tests.documents.cases_numbers import COMPANIES, NUMBERS, affiliate_cases
from tests.documents.cases_payouts import PAYOUTS
from tests.documents.cases_routing import CAMPAIGNS, GROUPS, TARGETS

CASES = [
    *CALLS,
    *affiliate_cases("/affiliates", LEGACY),
    *affiliate_cases("/api/v1/affiliates", CURRENT),
    *TARGETS,
    *GROUPS,
    *CAMPAIGNS,
    *NUMBERS,
    *COMPANIES,
    *CONTACTS,
    *SUPPRESSION,
    *list_cases(ON_TARGET, "/api/v2/targets/3/caller_lists"),
    *list_cases(ON_CAMPAIGN, "/api/v2/campaigns/5/caller_lists"),
    *REPORTS,
    *BIDDING,
    *PAYOUTS,
]
