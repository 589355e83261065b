"""The public names and parameters: changing one breaks users' DAGs, so it needs a decision."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from tests.paths import PROJECT

pytestmark = pytest.mark.airflow

NAMES = {
    "core.errors": {
        "AuthenticationError", "ChangeRefused", "ConnectionFailed", "ExportFailed", "Gone", "InvalidArgument",
        "InvalidConnection",
        "InvalidRequest", "ListingIncomplete", "NotFound", "OutcomeUnknown", "PartialFailure", "PermissionDenied",
        "ProtocolError", "RateLimited", "RetreaverError", "RunUnderWay", "Stopped", "StorageFailed",
        "TableNotWritten", "Unavailable", "VendorError",
    },
    "hooks.retreaver": {"RetreaverAsyncHook", "RetreaverHook"},
    "hooks.trackdrive": {"TrackDriveAsyncHook", "TrackDriveHook"},
    "operators.caps": {"RetreaverResetCapOperator", "RetreaverSetCapsOperator"},
    "sensors.account": {"RetreaverAccountDriftSensor"},
    "sensors.calls": {"RetreaverCallSensor", "RetreaverCallVolumeSensor"},
    "sensors.caps": {"RetreaverCapFilledSensor"},
    "sensors.number_pools": {"RetreaverNumberPoolSensor"},
    "sensors.targets": {"RetreaverTargetIdleSensor"},
    "triggers.account": {"RetreaverAccountDriftEventTrigger"},
    "triggers.calls": {"RetreaverCallVolumeEventTrigger", "RetreaverNewCallsEventTrigger"},
    "triggers.caps": {"RetreaverCapFilledEventTrigger"},
    "triggers.conditions": {"RetreaverConditionTrigger"},
    "operators.resources": {
        "RetreaverCreateOperator", "RetreaverDeleteOperator", "RetreaverGetOperator", "RetreaverListOperator",
        "RetreaverUpdateOperator", "RetreaverUpsertOperator",
    },
    "triggers.waiting": {"RetreaverWaitTrigger"},
    "operators.calls": {"RetreaverWriteCallDataOperator"},
    "operators.caller_lists": {"RetreaverCallerListSyncOperator"},
    "operators.payout_tables": {"RetreaverPayoutTableOperator"},
    "operators.reports": {"RetreaverReportOperator"},
    "operators.rtb": {
        "RetreaverCallReservationOperator", "RetreaverConfirmReservationOperator", "RetreaverReserveCallOperator",
    },
    "operators.suppression": {"RetreaverSuppressionSyncOperator"},
    "operators.account": {"RetreaverAccountApplyOperator", "RetreaverAccountPlanOperator"},
    "operators.tags": {"RetreaverUpdateTagsOperator"},
    "operators.target_groups": {"RetreaverUpdateTargetGroupOperator"},
    "operators.targets": {
        "RetreaverRestoreOperator", "RetreaverSetPausedOperator", "RetreaverUpdateBusinessHoursOperator",
    },
    "operators.trackdrive": {
        "TrackDriveBuyerGroupCreateOperator", "TrackDriveBuyerGroupDeleteOperator", "TrackDriveBuyerGroupGetOperator",
        "TrackDriveBuyerGroupListOperator", "TrackDriveBuyerGroupUpdateOperator",
    },
    "operators.webhooks": {"RetreaverWebhookBatchOperator", "RetreaverWebhookTagsOperator"},
    "triggers.webhooks": {"RetreaverWebhookEventTrigger"},
    "transfers.calls": {"RetreaverCallsToObjectStorageOperator", "RetreaverCallsToSqlOperator"},
    "transfers.recordings": {"RetreaverRecordingsToObjectStorageOperator"},
    "transfers.rtb_inbounds": {"RetreaverRtbInboundsToObjectStorageOperator"},
    "transfers.warehouse": {"RetreaverMergeCallsOperator"},
    "transfers.iceberg": {"RetreaverAddCallsToIcebergOperator"},
    "sandbox": {"Answer", "Sandbox", "SandboxOptions"},
    "transport.client": {"AsyncRetreaverClient", "RetreaverClient"},
}  # fmt: skip

CHANGE = {"max_changes", "state_path", "dry_run", "retreaver_conn_id"}
SNAPSHOT = {"snapshot_path", "overwrite_snapshot"}
SENSOR = {"retreaver_conn_id", "deferrable", "failure_budget", "state_path"}
NUMBERS = {
    "mode", "source", "source_format", "column", "encoding", "delimiter", "skip_lines",
    "layout", "sql", "sql_conn_id", "numbers", "default_region",
    "max_removals", "max_rejects", "max_unreadable", "allow_empty", "state_path", "dry_run", "retreaver_conn_id",
}  # fmt: skip
PARAMETERS = {
    ("operators.numbers.base", "RetreaverNumbersOperator"): NUMBERS,
    ("operators.suppression", "RetreaverSuppressionSyncOperator"): NUMBERS | {
        "can_resubscribe", "campaign_id", "campaign_name", "only_ours", "max_failures",
    },
    ("operators.caller_lists", "RetreaverCallerListSyncOperator"): NUMBERS | {
        "target_name", "campaign_name",
        "list_name", "target_id", "campaign_id", "allow_gap", "allow_accept_list", "verify_wait",
    },
    ("operators.calls", "RetreaverWriteCallDataOperator"): {
        "call_uuid", "caller_number", "tags", "rows", "source", "source_format", "encoding", "delimiter", "sql",
        "sql_conn_id", "columns", "call_uuid_column", "caller_number_column", "default_region", "max_rows",
        "max_rejects", "max_failures", "verify_after", "deferrable", "state_path", "dry_run", "retreaver_conn_id",
    },
    ("operators.payout_tables", "RetreaverPayoutTableOperator"): {
        "campaign_name",
        "campaign_id", "csv", "source", "encoding", "rows", "restore", "table_version", "salt", "activate", "confirm",
        "overwrite", "max_payout_pct", "check_ids", "state_path", "dry_run", "retreaver_conn_id",
    },
    ("triggers.waiting", "RetreaverWaitTrigger"): {"until"},
    ("operators.trackdrive", "TrackDriveBuyerGroupListOperator"): {
        "columns", "order", "order_dir", "fulltext", "created_at_from", "created_at_to", "time_zone", "root",
        "per_page", "limit", "truncate", "destination", "format", "csv_escape_formulas", "trackdrive_conn_id",
    },
    ("operators.trackdrive", "TrackDriveBuyerGroupGetOperator"): {
        "buyer_group_id", "missing_ok", "trackdrive_conn_id",
    },
    ("operators.trackdrive", "TrackDriveBuyerGroupCreateOperator"): {
        "attributes", "state_path", "dry_run", "trackdrive_conn_id",
    },
    ("operators.trackdrive", "TrackDriveBuyerGroupUpdateOperator"): {
        "buyer_group_ids", "attributes", "add", "remove", "add_user_buyer_ids", "remove_user_buyer_ids", "replace",
        "reset_total_caps", "max_staleness", "force", "max_changes", "state_path", "dry_run", "trackdrive_conn_id",
    },
    ("operators.trackdrive", "TrackDriveBuyerGroupDeleteOperator"): {
        "buyer_group_id", "confirm", "missing_ok", "state_path", "dry_run", "trackdrive_conn_id",
    },
    ("operators.caps", "RetreaverResetCapOperator"): {
        "target_names", "target_group_names",
        "dry_run", "retreaver_conn_id",
        "target_ids", "tids", "target_group_ids", "tag", "only_filled", "max_staleness", "force", "state_path",
    },
    ("transfers.calls", "RetreaverCallsToSqlOperator"): {
        "sql_conn_id", "table", "start", "end", "by", "lookback", "filters", "allow_unknown", "version", "mapping",
        "create_table", "batch_size", "max_rejects", "phone_numbers", "phone_numbers_conn_id", "retreaver_conn_id",
    },
    ("transfers.recordings", "RetreaverRecordingsToObjectStorageOperator"): {
        "destination", "start", "end", "by", "filters", "allow_unknown", "version", "downloads", "missing_ok",
        "retreaver_conn_id",
    },
    ("transfers.rtb_inbounds", "RetreaverRtbInboundsToObjectStorageOperator"): {
        "destination", "start", "end", "filters", "allow_unknown", "compression", "csv_escape_formulas",
        "phone_numbers", "phone_numbers_conn_id", "on_unknown_job",
        "poll_interval", "timeout", "deferrable", "state_path", "retreaver_conn_id",
    },
    ("transfers.warehouse", "RetreaverMergeCallsOperator"): {
        "manifest", "sql_conn_id", "table", "engine", "columns", "create_table", "location", "stage_in", "iam_role",
        "allow_incomplete", "hook_params",
    },
    ("transfers.iceberg", "RetreaverAddCallsToIcebergOperator"): {
        "manifest", "iceberg_conn_id", "table", "create_table", "allow_incomplete",
    },
    ("transfers.exports", "RetreaverExportOperator"): {
        "start", "end", "by", "filters", "allow_unknown", "version", "retreaver_conn_id",
    },
    ("sensors.account", "RetreaverAccountDriftSensor"): SENSOR | {
        "applied_path", "paths", "environment", "variables",
    },
    ("sensors.calls", "RetreaverCallVolumeSensor"): SENSOR | {
        "start", "end", "window", "at_least", "at_most", "filters", "allow_unknown",
    },
    ("sensors.calls", "RetreaverCallSensor"): SENSOR | {"uuid", "status"},
    ("sensors.caps", "RetreaverCapFilledSensor"): SENSOR | {
        "target_names", "target_group_names",
        "target_id", "tid", "target_group_id", "cap", "at_least", "remaining", "match",
    },
    ("sensors.targets", "RetreaverTargetIdleSensor"): SENSOR | {
        "target_names", "target_group_names",
        "target_id", "tid", "target_group_id", "at_most", "match",
    },
    ("sensors.number_pools", "RetreaverNumberPoolSensor"): SENSOR | {
        "campaign_name", "affiliate_name",
        "number_pool_id", "cid", "afid", "below", "match",
    },
    ("triggers.calls", "RetreaverNewCallsEventTrigger"): {
        "since", "filters", "allow_unknown", "overlap", "retreaver_conn_id", "poll_interval", "company_id",
    },
    ("operators.resources", "RetreaverListOperator"): {
        "resource", "filters", "list_owner", "limit", "truncate", "destination",
        "retreaver_conn_id",
    },
    ("operators.resources", "RetreaverGetOperator"): {
        "resource", "resource_id", "customer_id", "object_name", "list_owner", "missing_ok",
        "retreaver_conn_id",
    },
    ("operators.resources", "RetreaverCreateOperator"): {
        "resource", "attributes", "list_owner", "confirm", "state_path",
        "dry_run", "retreaver_conn_id",
    },
    ("operators.resources", "RetreaverUpdateOperator"): {
        "resource", "resource_id", "customer_id", "object_name", "attributes",
        "dry_run", "retreaver_conn_id",
    },
    ("operators.resources", "RetreaverUpsertOperator"): {
        "resource", "resource_id", "customer_id", "object_name", "attributes", "list_owner", "confirm",
        "dry_run", "retreaver_conn_id",
    },
    ("operators.resources", "RetreaverDeleteOperator"): {
        "resource", "resource_id", "customer_id", "object_name", "list_owner", "confirm", "missing_ok", "state_path",
        "dry_run", "retreaver_conn_id",
    },
    ("operators.caps", "RetreaverSetCapsOperator"): CHANGE | SNAPSHOT | {
        "target_names", "target_group_names",
        "hard", "hourly", "daily", "monthly", "concurrency", "target_ids", "tids", "tag", "target_group_ids", "rows",
    },
    ("operators.targets", "RetreaverSetPausedOperator"): CHANGE | SNAPSHOT | {
        "target_names", "target_group_names",
        "paused", "target_ids", "tids", "target_group_ids", "tag", "only_filled", "keep_open",
    },
    ("operators.targets", "RetreaverUpdateBusinessHoursOperator"): CHANGE | SNAPSHOT | {
        "target_names", "target_group_names",
        "hours", "target_ids", "tids", "target_group_ids", "tag", "time_zone", "change_time_zone",
    },
    ("operators.targets", "RetreaverRestoreOperator"): CHANGE | {"snapshot_path", "parts", "overwrite"},
    ("operators.account", "RetreaverAccountPlanOperator"): {
        "applied_path",
        "paths", "plan_path", "environment", "variables", "skip_empty", "retreaver_conn_id",
    },
    ("operators.account", "RetreaverAccountApplyOperator"): CHANGE | {
        "applied_path",
        "plan_path", "sha256", "approved_by", "paths", "environment", "variables", "allow_destroy", "only", "targets",
    },
    ("operators.tags", "RetreaverUpdateTagsOperator"): CHANGE | {
        "target_names", "target_group_names",
        "add", "remove", "replace", "target_ids", "tids", "target_group_ids", "tag", "contact_ids", "contact_numbers",
    },
    ("operators.target_groups", "RetreaverUpdateTargetGroupOperator"): CHANGE | {
        "target_group_name", "add_names", "remove_names", "replace_names",
        "target_group_id", "add", "remove", "replace",
    },
    ("operators.change_base", "RetreaverChangeOperator"): CHANGE,
    ("operators.change_base", "RetreaverSnapshotOperator"): CHANGE | SNAPSHOT,
    ("hooks.retreaver", "RetreaverHook"): {"retreaver_conn_id"},
    ("hooks.trackdrive", "TrackDriveHook"): {"trackdrive_conn_id"},
}  # fmt: skip

_HOOK = {"run", "iterate", "count", "get_conn", "test_connection", "close"}
METHODS = {("hooks.retreaver", "RetreaverHook"): _HOOK, ("hooks.trackdrive", "TrackDriveHook"): _HOOK}


def public_classes(name: str) -> set[str]:
    """Return the classes that a module offers: those it lists, else those it defines."""
    module = import_module(f"airflow_provider_retreaver.{name}")
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        key
        for key, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not key.startswith("_")
    }


@pytest.mark.parametrize("name", NAMES)
def test_public_classes(name):
    """A module offers exactly the classes that are promised."""
    assert public_classes(name) == NAMES[name]


@pytest.mark.parametrize(("module", "name"), PARAMETERS)
def test_parameters(module, name):
    """A class takes exactly the parameters that are promised."""
    initialiser = getattr(import_module(f"airflow_provider_retreaver.{module}"), name).__init__
    taken = inspect.signature(inspect.unwrap(initialiser)).parameters.values()
    assert {one.name for one in taken if one.kind is not one.VAR_KEYWORD} - {"self"} == PARAMETERS[module, name]


@pytest.mark.parametrize(("module", "name"), METHODS)
def test_methods(module, name):
    """A class has the methods that are promised."""
    assert METHODS[module, name] <= set(dir(getattr(import_module(f"airflow_provider_retreaver.{module}"), name)))


HOOKS = {name for module in ("hooks.retreaver", "hooks.trackdrive") for name in NAMES[module]}
AT_FIRST_USE = """
import sys
import airflow_provider_retreaver as package

ours = {name for name in sys.modules if name.startswith(package.__name__)}
assert ours == {package.__name__}, ours
assert not {"airflow", "requests", "aiohttp"} & set(sys.modules)
assert set(package.__all__) <= set(dir(package))
from airflow_provider_retreaver import RetreaverHook

assert RetreaverHook is sys.modules["airflow_provider_retreaver.hooks.retreaver"].RetreaverHook
assert "airflow_provider_retreaver.hooks.trackdrive" not in sys.modules
"""


def test_the_package_offers_its_version_and_the_hooks():
    """The package's top level has the version and the hooks, and nothing else."""
    package = import_module("airflow_provider_retreaver")
    plain = {key for key, value in vars(package).items() if not key.startswith("_") and not inspect.ismodule(value)}
    assert plain == {"TYPE_CHECKING", "annotations"}
    assert package.__version__.count(".") == 2
    assert set(package.__all__) == HOOKS
    for module in ("hooks.retreaver", "hooks.trackdrive"):
        for name in NAMES[module]:
            assert getattr(package, name) is getattr(import_module(f"airflow_provider_retreaver.{module}"), name)
    with pytest.raises(AttributeError, match="has no attribute 'RetreaverHok'"):
        getattr(package, "RetreaverHok")  # noqa: B009 - by name, as an import does


def test_the_hooks_of_the_package_are_loaded_at_first_use():
    """Importing the package, which Airflow does for every provider, loads nothing of it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AT_FIRST_USE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_type_checkers_know_the_hooks_of_the_package(tmp_path):
    """The hooks have their types, and a name that does not exist is an error."""
    module = tmp_path / "author.py"
    module.write_text(
        "from airflow_provider_retreaver import RetreaverHook, Typo\n\nreveal_type(RetreaverHook().get_conn)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", f"--cache-dir={tmp_path}/cache", str(module)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert 'has no attribute "Typo"' in done.stdout, done.stdout + done.stderr
    assert "-> airflow_provider_retreaver.transport.client.RetreaverClient" in done.stdout


def test_split_window_has_two_import_paths():
    """The path that was published first still works."""
    published = import_module("airflow_provider_retreaver.windows")
    former = import_module("airflow_provider_retreaver.domain.calls.time_window")
    assert published.__all__ == ["split_window"]
    assert former.split_window is published.split_window
