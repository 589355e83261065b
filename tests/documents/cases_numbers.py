"""Documented requests for numbers, number pools, affiliates and companies."""

from __future__ import annotations

from airflow_provider_retreaver.resources import affiliates, companies, number_pools, numbers
from tests.documents.case import CURRENT, LEGACY, Case, put

BOUGHT = {"type": "Toll-free", "desired_text": "TEST", "afid": "0002", "cid": "0001", "sid": "superaffiliate"}
NEW_POOL = {"cid": "111", "max_pool_size": 100, "hide_embedded_access": True, "google_analytics": True}


def affiliate_cases(root: str, editions: tuple[str, ...]) -> list[Case]:
    """Return the documented requests for affiliates, which moved under a version."""
    nancy = {"first_name": "Nancy", "last_name": "Drew", "afid": "00022"}
    return [
        Case("Get all Affiliates", f"GET {root}.json", affiliates.list_affiliates, None, editions=editions),
        Case(
            "Get a specific Affiliate by your ID",
            f"GET {root}/afid/0002.json",
            lambda: affiliates.get_affiliate(afid="0002"),
            None,
            editions=editions,
        ),
        Case(
            "Create an Affiliate",
            f"POST {root}.json",
            lambda: affiliates.create_affiliate(nancy),
            put("affiliate", nancy),
            editions=editions,
        ),
        Case(
            "Update an Affiliate",
            f"PUT {root}/afid/002.json",
            lambda: affiliates.update_affiliate({"first_name": "Nathan"}, afid="002"),
            put("affiliate", {"first_name": "Nathan"}),
            editions=editions,
        ),
        Case(
            "Remove an affiliate",
            f"DELETE {root}/afid/0002.json",
            lambda: affiliates.delete_affiliate(afid="0002"),
            editions=editions,
        ),
    ]


NUMBERS = [
    Case(
        "Get all Numbers",
        "GET /numbers.json",
        numbers.list_numbers,
    ),
    Case(
        "Get all Numbers of a campaign, affiliate and SubID, legacy",
        "GET /numbers.json?cid=111&afid=0001&sid=superaffiliate",
        lambda: numbers.list_numbers(cid="111", afid="0001", sid="superaffiliate"),
        editions=LEGACY,
    ),
    Case(
        "Get all Numbers of a campaign, affiliate and SubID",
        "GET /numbers.json?client_cid=111&client_afid=0001&sub_id=superaffiliate",
        lambda: numbers.list_numbers(cid="111", afid="0001", sid="superaffiliate"),
        editions=CURRENT,
    ),
    Case(
        "Get a specific Number",
        "GET /numbers/5.json",
        lambda: numbers.get_number(5),
    ),
    Case(
        "Create a Number",
        "POST /numbers.json",
        lambda: numbers.create_number(BOUGHT),
        put("number", BOUGHT),
    ),
    Case(
        "Update a Number",
        "PUT /numbers/79.json",
        lambda: numbers.update_number({"afid": "0005"}, id=79),
        put("number", {"afid": "0005"}),
    ),
    Case("Remove a Number", "DELETE /numbers/79.json", lambda: numbers.delete_number(79)),
    Case(
        "Get all Number Pools",
        "GET /number_pools.json",
        number_pools.list_number_pools,
    ),
    Case(
        "Get all Number Pools of a campaign and affiliate",
        "GET /number_pools.json?cid=111&afid=0001",
        lambda: number_pools.list_number_pools(cid="111", afid="0001"),
    ),
    Case(
        "Get a specific Number Pool",
        "GET /number_pools/1.json",
        lambda: number_pools.get_number_pool(1),
    ),
    Case(
        "Create a Number Pool",
        "POST /number_pools.json",
        lambda: number_pools.create_number_pool(NEW_POOL),
        put("number_pool", NEW_POOL),
    ),
    Case(
        "Update a Number Pool",
        "PUT /number_pools/49.json",
        lambda: number_pools.update_number_pool({"max_pool_size": "1000"}, id=49),
        put("number_pool", {"max_pool_size": "1000"}),
    ),
    Case("Remove a Number Pool", "DELETE /number_pools/49.json", lambda: number_pools.delete_number_pool(49)),
]
COMPANIES = [
    Case(
        "Get the active Company",
        "GET /company.json",
        companies.get_active_company,
    ),
    Case(
        "Get a specific Company",
        "GET /companies/1.json",
        lambda: companies.get_company(1),
    ),
    Case(
        "Get all Companies",
        "GET /companies.json",
        companies.list_companies,
    ),
    Case(
        "Create a Company",
        "POST /companies.json",
        lambda: companies.create_company({"name": "CallPixels.com"}),
        put("company", {"name": "CallPixels.com"}),
    ),
    Case(
        "Update a Company",
        "PUT /companies/2.json",
        lambda: companies.update_company({"name": "Retreaver"}, id=2),
        put("company", {"name": "Retreaver"}),
    ),
    Case("Remove a Company", "DELETE /companies/2.json", lambda: companies.delete_company(2)),
]
