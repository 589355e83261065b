"""Phone numbers in requests: masked in logs and errors, complete in what is sent; and the names of permissions."""

from __future__ import annotations

import pytest

from airflow_provider_retreaver.core.answers import error_for
from airflow_provider_retreaver.core.messages import Response
from airflow_provider_retreaver.core.secrets import redact
from airflow_provider_retreaver.resources import caller_lists, contacts, suppression

NUMBER = "+19195550123"
OWNER = caller_lists.Owner(target_id=5)


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        (suppression.suppress_number(NUMBER), "POST /suppressed_numbers/%2B1…23.json"),
        (contacts.get_contact(number=NUMBER), "GET /contact_numbers/%2B1…23/contact.json"),
        (
            caller_lists.get_caller_list_number(OWNER, "suppressed", NUMBER),
            "GET /api/v2/targets/5/caller_lists/suppressed/caller_list_numbers/%2B1…23.json",
        ),
    ],
)
def test_labels_mask_the_phone_number(operation, label):
    """A request's label, in logs and errors, has the masked number; its path has the complete one."""
    assert operation.request.label == label
    assert "19195550123" in operation.request.path
    error = error_for(operation.request, Response(404, {}, b""), connection="retreaver_default")
    assert label in str(error)
    assert "9195550" not in str(error)


def test_library_logs_mask_phone_numbers():
    """A DEBUG record of an HTTP library keeps only the ends of a number, in every encoding."""
    line = '"POST /suppressed_numbers/%s.json?company_id=1 HTTP/1.1" 200 None'
    for written in ("%2B19195550123", "%2b19195550123", "+19195550123", "19195550123"):
        assert "9195550" not in redact(line % written)
        assert redact(line % written).count("…") == 1
    assert redact("/targets/19195550123.json") == "/targets/19195550123.json"


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        (caller_lists.create_caller_list(OWNER, "x"), "caller_list__create"),
        (caller_lists.get_caller_list(OWNER, "x"), "caller_list__show"),
        (caller_lists.delete_caller_list(OWNER, "x"), "caller_list__delete"),
        (caller_lists.list_caller_list_numbers(OWNER, "x"), "caller_list_number__index"),
        (caller_lists.add_caller_list_number(OWNER, "x", NUMBER), "caller_list_number__create"),
        (caller_lists.get_caller_list_number(OWNER, "x", NUMBER), "caller_list_number__show"),
        (caller_lists.remove_caller_list_number(OWNER, "x", NUMBER), "caller_list_number__delete"),
        (caller_lists.check_caller_list(OWNER, "x", NUMBER), "caller_list_check__create"),
        (caller_lists.upload_caller_list(OWNER, "x", [NUMBER], action="create"), "caller_list_upload__create"),
    ],
)
def test_a_403_names_the_missing_permission(operation, permission):
    """The error of a caller list has the permissions that the action needs, as they are documented."""
    error = error_for(operation.request, Response(403, {}, b"{}"), connection="retreaver_default")
    own = "" if permission == "caller_list__show" else f" and {permission}"
    assert f"this action needs caller_list__show{own}, which" in str(error)
