"""What all operators of this package share: the connection, errors that end a task at once, partial results."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowNotFoundException, BaseOperator
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_retreaver.assets import require_company, update_outlet_events
from airflow_provider_retreaver.core.errors import (
    AuthenticationError,
    ChangeRefused,
    ConnectionFailed,
    Gone,
    InvalidArgument,
    InvalidConnection,
    NotFound,
    OutcomeUnknown,
    PartialFailure,
    PermissionDenied,
    RetreaverError,
    TableNotWritten,
    is_final,
)
from airflow_provider_retreaver.core.parameters import flag
from airflow_provider_retreaver.core.quoting import message_line
from airflow_provider_retreaver.links import NotedLink, RetreaverLink
from airflow_provider_retreaver.operators.boundary import TaskBoundary, noted_refusals
from airflow_provider_retreaver.operators.stopping import StopsOnKill

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_retreaver.hooks.client_hook import ClientHook
    from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

HookT = TypeVar("HookT", bound="ClientHook[Any]")

# Operators of Airflow 2.11 have a method `dry_run`, which `airflow tasks test --dry-run` calls. Airflow 3 still has
# the method, but nothing calls it.
DRY_RUN_FIELD = "dry_run" if AIRFLOW_V_3_0_PLUS else "dry_run_only"

# The extra of an event is never deleted, and read with every run that it starts.
MAX_EVENT_IDS = 1000


class FinalAuthenticationError(AuthenticationError, AirflowFailException):
    """The key was refused; the task is not retried."""


class FinalPermissionDenied(PermissionDenied, AirflowFailException):
    """The company was refused; the task is not retried."""


class FinalInvalidConnection(InvalidConnection, AirflowFailException):
    """The connection is invalid; the task is not retried."""


class FinalInvalidArgument(InvalidArgument, AirflowFailException):
    """A parameter is invalid; the task is not retried."""


class FinalChangeRefused(ChangeRefused, AirflowFailException):
    """A guard refused the change; the task is not retried, so that someone checks it."""


class FinalOutcomeUnknown(OutcomeUnknown, AirflowFailException):
    """A write that must not be repeated may be done or not; the task is not retried."""


class FinalNotFound(NotFound, AirflowFailException):
    """There is no such object; the task is not retried."""


class FinalGone(Gone, AirflowFailException):
    """The object was deleted; the task is not retried."""


class FinalConnectionFailed(ConnectionFailed, AirflowFailException):
    """The server's certificate was not accepted; the task is not retried."""


class FinalTableNotWritten(TableNotWritten, AirflowFailException):
    """A table cannot hold a call; the task is not retried."""


class FinalPartialFailure(PartialFailure, AirflowFailException):
    """Some changes were not made, each for a reason that no retry mends; the task is not retried."""


_FINAL: tuple[tuple[type[RetreaverError], type[RetreaverError]], ...] = (
    (AuthenticationError, FinalAuthenticationError),
    (PermissionDenied, FinalPermissionDenied),
    (InvalidConnection, FinalInvalidConnection),
    (InvalidArgument, FinalInvalidArgument),
    (ChangeRefused, FinalChangeRefused),
    (NotFound, FinalNotFound),
    (Gone, FinalGone),
    (ConnectionFailed, FinalConnectionFailed),
    (PartialFailure, FinalPartialFailure),
    (TableNotWritten, FinalTableNotWritten),
)


@contextmanager
def final_errors(retried: tuple[type[RetreaverError], ...] = ()) -> Generator[None]:
    """Make errors that no retry mends ones that Airflow does not retry; they keep their type and fields.

    An Airflow connection that is not defined is one of them, whether Retreaver's, a storage's or a database's.

    :param retried: types that are raised as they are.
    """
    try:
        yield
    except RetreaverError as error:
        if is_final(error) and not isinstance(error, (AirflowFailException, *retried)):
            kind = next(final_kind for kind, final_kind in _FINAL if isinstance(error, kind))
            _change_kind(error, kind, error.args, error.__dict__)
        raise
    except AirflowNotFoundException as error:
        what = message_line(str(error))
        final = FinalInvalidConnection(f"{what}: create the connection in Airflow, or give the ID of another one.")
        _change_kind(error, FinalInvalidConnection, final.args, final.__dict__)
        raise


def _change_kind(
    error: Exception, kind: type[RetreaverError], args: tuple[object, ...], fields: dict[str, Any]
) -> None:
    """Change what an exception is in its place: a second exception would add a second traceback to the log."""
    error.__class__ = kind
    error.args = args
    error.__dict__ = fields


class ApiOperator(StopsOnKill, BaseOperator):
    """What the operators of every API share, whichever connection they use.

    Airflow wraps the `__init__` of each class of operators. A class without one of its own would have Airflow's with
    its defaults, such as None for `inlets`, which mapped tasks take for parameters that were given.
    """

    object_link: type[NotedLink]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @abstractmethod
    def create_hook(self) -> ClientHook[Any]:
        """Return the hook of the operator's connection.

        :return: the hook; nothing was read for it.
        """

    def connected(self) -> TaskBoundary[ClientHook[Any]]:
        """Provide a hook, which is closed at the end; errors that no retry can avoid fail the task at once.

        The block ends when Airflow tells the task to stop. It has to be the outermost one of `execute`.

        :return: a context manager.
        """
        return self.bounded(self.create_hook())

    def bounded(self, hook: HookT) -> TaskBoundary[HookT]:
        """Provide a given hook as `connected` does.

        :param hook: of the operator's connection.
        :return: a context manager.
        """
        return TaskBoundary(self._with_hook(hook), self.log)

    @contextmanager
    def _with_hook(self, hook: HookT) -> Generator[HookT]:
        with self.stopped_on_kill(), final_errors(), noted_refusals(), hook:
            require_company(self.outlets, lambda: hook.settings)
            yield hook

    def update_outlet_events(self, context: Context, **extra: Any) -> None:
        """Add what the task did to the events of its outlets; Airflow sends them if the task succeeds.

        :param context: of the task.
        :param extra: small plain JSON, without phone numbers and secrets.
        """
        update_outlet_events(context, self.outlets, extra)

    def lineage_datasets(self) -> tuple[list[Dataset], list[Dataset]]:
        """Return what was read and written besides the task's inlets and outlets, for OpenLineage.

        :return: inputs and outputs.
        """
        return [], []

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Return inputs and outputs; called by OpenLineage, where it is installed.

        Without it OpenLineage would report the files of an operator's own state as the task's data.
        """
        return lineage_of(self)


class RetreaverOperator(ApiOperator):
    """Base of the operators.

    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    """

    template_fields: tuple[str, ...] = ("retreaver_conn_id",)
    ui_color = "#e8f4ea"
    object_link = RetreaverLink
    operator_extra_links: Collection[BaseOperatorLink] = (RetreaverLink(),)

    def __init__(self, *, retreaver_conn_id: str = "retreaver_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retreaver_conn_id = retreaver_conn_id

    def create_hook(self) -> RetreaverHook:
        """Return the hook of the connection."""
        from airflow_provider_retreaver.hooks.retreaver import RetreaverHook

        return RetreaverHook(self.retreaver_conn_id)

    def connected(self) -> TaskBoundary[RetreaverHook]:
        """Provide a hook, see `ApiOperator.connected`."""
        return self.bounded(self.create_hook())


class DryRuns(ApiOperator):
    """Reads the parameter `dry_run` of operators that change something."""

    def is_dry_run(self) -> bool:
        """Return whether the task may only read.

        :return: the parameter `dry_run`, rendered.
        :raises InvalidArgument: when it is not a truth value.
        """
        return flag(getattr(self, DRY_RUN_FIELD), "dry_run")


class RetreaverWriteOperator(DryRuns, RetreaverOperator):
    """Base of the operators that change something.

    :param dry_run: log and return the change, send nothing. The attribute and the template field have the same name,
        except on Airflow 2.11 (`dry_run_only`).
    :param retreaver_conn_id: ID of a connection of type `retreaver`.
    """

    template_fields: tuple[str, ...] = (*RetreaverOperator.template_fields, DRY_RUN_FIELD)

    def __init__(
        self, *, dry_run: bool | str = False, retreaver_conn_id: str = "retreaver_default", **kwargs: Any
    ) -> None:
        super().__init__(retreaver_conn_id=retreaver_conn_id, **kwargs)
        # By name: the attribute takes the place of Airflow's method.
        setattr(self, DRY_RUN_FIELD, dry_run)


def publish_partial(context: Context, result: Mapping[str, object]) -> None:
    """Push the result of a task that is about to fail, so that another task can report what was done.

    :param context: of the task.
    :param result: lists of rows, or counts of them; nothing is pushed when all are empty.
    """
    instance = context.get("ti")
    parts = (part for part in result.values() if isinstance(part, (list, int)) and not isinstance(part, bool))
    if instance is not None and any(parts):
        instance.xcom_push(key="return_value", value=result)


@contextmanager
def partial_result(context: Context, result: Callable[[], Mapping[str, object] | None]) -> Generator[None]:
    """Push the result of a block that fails, or whose task is told to stop.

    :param context: of the task.
    :param result: returns what was done until then; None for nothing to push.
    :yield: a context manager.
    """
    done = False
    try:
        yield
        done = True
    finally:
        until_then = None if done else result()
        if until_then is not None:
            publish_partial(context, until_then)


def event_ids(rows: Iterable[Mapping[str, Any]]) -> list[int] | None:
    """Return IDs for the `extra` of an asset's event.

    :param rows: of a result; those without ID are left out.
    :return: each ID once; None when there are too many for an event.
    """
    ids = list(dict.fromkeys(row["id"] for row in rows if row.get("id") is not None))
    return ids if len(ids) <= MAX_EVENT_IDS else None


def lineage_of(operator: ApiOperator) -> OperatorLineage[Any, Any]:
    """Return what an operator has read and written, with its inlets and outlets that OpenLineage knows.

    Called by OpenLineage only, so that it is installed.

    :param operator: after its `execute`.
    :return: inputs and outputs, each once.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    inputs, outputs = operator.lineage_datasets()
    convert = ExtractorManager.convert_to_ol_dataset
    return OperatorLineage(
        inputs=_each_once([*inputs, *map(convert, operator.inlets)]),
        outputs=_each_once([*outputs, *map(convert, operator.outlets)]),
    )


def _each_once(datasets: Iterable[Dataset | None]) -> list[Dataset]:
    found: dict[tuple[str, str], Dataset] = {}
    for dataset in datasets:
        if dataset is not None:
            found.setdefault((dataset.namespace, dataset.name), dataset)
    return list(found.values())
