"""Operators of real-time bidding: reserve a buyer for a caller, and confirm the reservation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_retreaver.core.errors import OutcomeUnknown, RetreaverError, StorageFailed
from airflow_provider_retreaver.core.quoting import one_line
from airflow_provider_retreaver.links import note_objects
from airflow_provider_retreaver.operators.base import FinalOutcomeUnknown, RetreaverWriteOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_retreaver.core.operations import Procedure
    from airflow_provider_retreaver.domain.bidding.reservation import ReservationResult
    from airflow_provider_retreaver.storage.run_state import RunState

OnNoTarget = Literal["return", "skip"]
ON_NO_TARGET = ("return", "skip")


class _ReservingOperator(RetreaverWriteOperator):
    """What the operators that reserve a buyer have in common: reading the parameters, and what follows the answer."""

    caller_number: str | None
    publisher_id: str | None
    publisher_name: str | None
    inbound_number: str | None
    tags: Mapping[str, str | int | float] | str | None
    on_no_target: OnNoTarget

    @abstractmethod
    def reservation(self, given: Mapping[str, Any]) -> Procedure[ReservationResult]:
        """Return the procedure that reserves the buyer.

        :param given: `publisher_id`, `caller_number`, `inbound_number` and `tags`; None for what was not given.
        :return: the procedure; nothing is sent before it is run.
        :raises InvalidArgument: naming the parameter that is not valid.
        """

    def execute(self, context: Context) -> ReservationResult:
        """Send the reservation."""
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.domain.bidding.reservation import nothing_sent
        from airflow_provider_retreaver.domain.objects.named_values import STAND_IN
        from airflow_provider_retreaver.domain.objects.names import AFFILIATE, find_customer_id
        from airflow_provider_retreaver.operators.name_choice import find_for_run
        from airflow_provider_retreaver.operators.target_choice import object_name

        with self.connected() as hook:
            parameters.one_of(self.on_no_target, ON_NO_TARGET, "on_no_target")
            texts = {name: getattr(self, name) for name in ("publisher_id", "caller_number", "inbound_number")}
            given: dict[str, Any] = {
                name: value if parameters.is_given(value) else None for name, value in texts.items()
            }
            given["tags"] = parameters.mapping(self.tags, "tags")
            name = object_name(self, "publisher_id", "publisher_name")
            procedure = self.reservation(given if name is None else {**given, "publisher_id": str(STAND_IN)})
            if self.is_dry_run():
                self.log.info("Dry run: a call would be reserved; nothing was sent")
                return nothing_sent()
            if name is not None:
                find = partial(find_customer_id, AFFILIATE, name, "publisher_name")
                procedure = self.reservation({**given, "publisher_id": find_for_run(hook.run, context, None, find)})
            result = hook.run(procedure)
            # A reservation has no page; the call that is placed for it is in the log.
            note_objects(self, context, hook, "calls")
        shown = (one_line(result[name], numbers=False) for name in ("uuid", "status", "payout", "expires_at"))
        self.log.info("Reservation %s is %s, payout %s, expires at %s", *shown)
        return _checked(result, self.on_no_target)


class RetreaverReserveCallOperator(_ReservingOperator):
    """Reserve a buyer for a caller; returns `{"uuid", "status", "reserved", "payout", "seconds", …}`.

    `status` is `reserved` when a buyer was found and `no-target` when none was, which is a result and no error. A
    reservation counts on no cap until `RetreaverConfirmReservationOperator` confirms it. The same caller gets the
    same reservation until it expires (Ping Shield, `ping_shield` in the result), so a retry is safe; without a
    `caller_number` a retry may reserve twice. The connection needs the extra `postback_key`, a postback key of type
    "Real Time Bidding". Retreaver's reference: "Real Time Bidding"; see docs/bidding.md.

    :param caller_number: phone number of the caller, E.164; None only when the postback key allows that.
    :param publisher_id: the customer's ID of the publisher (afid).
    :param publisher_name: instead of it: the publisher's name, or its company's; looked up by the list of affiliates.
    :param inbound_number: a number of the account that the caller is to dial, E.164.
    :param tags: tags of the call by key; at most 100.
    :param on_no_target: `return` the result when no buyer is found, or `skip` the task.
    :param dry_run: check the parameters and return; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    :raises AuthenticationError: when the postback key is wrong, paused, or of another type.
    :raises OutcomeUnknown: when an answer without `caller_number` was lost.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        *("caller_number", "publisher_id", "publisher_name", "inbound_number", "tags", "on_no_target"),
    )

    def __init__(
        self,
        *,
        caller_number: str | None = None,
        publisher_id: str | None = None,
        publisher_name: str | None = None,
        inbound_number: str | None = None,
        tags: Mapping[str, str | int | float] | str | None = None,
        on_no_target: OnNoTarget = "return",
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.caller_number = caller_number
        self.publisher_id = publisher_id
        self.publisher_name = publisher_name
        self.inbound_number = inbound_number
        self.tags = tags
        self.on_no_target = on_no_target

    def reservation(self, given: Mapping[str, Any]) -> Procedure[ReservationResult]:
        """Return the reservation by real-time bidding."""
        from airflow_provider_retreaver.domain.bidding.reservation import run_reservation
        from airflow_provider_retreaver.resources.rtb import reserve_call

        return run_reservation(reserve_call(**given))


class RetreaverConfirmReservationOperator(RetreaverWriteOperator):
    """Confirm a reservation, which obliges the publisher to place the call; returns the same as a reserve.

    The buyer's caps may have filled in between: `status` is then `no-target`, a result and no error. An expired
    reservation is refused before anything is sent, and one that is confirmed already is returned as it is. When the
    answer is lost, the task fails without a retry and says so: it is not documented what a repeated confirmation
    does. An attempt that was killed is not repeated either: Airflow's task state store (3.3) or `state_path` has a
    record of what each attempt has sent, and a later attempt (a retry, or after Clear) without such a record sends
    nothing. The connection needs the extra `postback_key`, as for `RetreaverReserveCallOperator`. Retreaver's
    reference: "Real Time Bidding".

    :param reservation: the result of `RetreaverReserveCallOperator` (`reserve.output`), or the reservation's UUID.
    :param expires_at: until when it lives, RFC 3339; by default that of the result.
    :param on_no_target: `return` the result when there is no buyer, or `skip` the task.
    :param state_path: folder on object storage for the record of what attempts have sent, the same for all of them;
        None for Airflow's task state store (3.3). Without either only the first attempt sends anything.
    :param dry_run: check the parameters and return; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    :raises ChangeRefused: when the reservation has expired; nothing was sent.
    :raises OutcomeUnknown: when the answer was lost, or an earlier attempt has left no record; the task is not
        retried.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        *("reservation", "expires_at", "on_no_target", "state_path"),
    )

    def __init__(
        self,
        *,
        reservation: Mapping[str, object] | str,
        expires_at: str | None = None,
        on_no_target: OnNoTarget = "return",
        state_path: str | None = None,
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.reservation = reservation
        self.expires_at = expires_at
        self.on_no_target = on_no_target
        self.state_path = state_path

    def execute(self, context: Context) -> ReservationResult:
        """Send the confirmation."""
        from airflow_provider_retreaver.core import parameters
        from airflow_provider_retreaver.domain.bidding.reservation import Confirmation, nothing_sent
        from airflow_provider_retreaver.storage.run_state import RunState

        with self.connected() as hook:
            state = RunState(context, "confirm", self.state_path if parameters.is_given(self.state_path) else None)
            saved = state.load()
            unrecorded = saved is None and state.may_be_new
            if saved is None and not unrecorded:
                # First of all, so that a later attempt knows that this one would have left a record.
                state.save({"sent": {}})
            sent = (saved or {}).get("sent", {})
            parameters.one_of(self.on_no_target, ON_NO_TARGET, "on_no_target")
            dry_run = self.is_dry_run()
            confirmation = Confirmation.of(self.reservation, self.expires_at, dry_run=dry_run)
            if not isinstance(confirmation, Confirmation):
                shown = (one_line(confirmation[name], numbers=False) for name in ("uuid", "status"))
                self.log.info("Reservation %s is %s already; nothing was sent", *shown)
                return _checked(confirmation, self.on_no_target)
            if dry_run:
                uuid = one_line(confirmation.uuid, numbers=False)
                self.log.info("Dry run: reservation %s would be confirmed; nothing was sent", uuid)
                return nothing_sent()
            if self.retries and not state.lasting:
                self.log.warning(
                    "This Airflow keeps no state between attempts, so a retry sends no confirmation: set state_path."
                )
            try:
                if confirmation.uuid in sent:
                    raise confirmation.unknown()
                state.save({"sent": {**sent, confirmation.uuid: True}})
                if unrecorded:
                    raise confirmation.unrecorded()
                result = hook.run(confirmation.run())
            except OutcomeUnknown as error:
                raise FinalOutcomeUnknown(error.message, method=error.method, path=error.path) from None
            except RetreaverError:
                self._note_known(state, sent)
                raise
            self._note_known(state, sent)
            note_objects(self, context, hook, "calls")
        shown = (one_line(result[name], numbers=False) for name in ("uuid", "status", "payout"))
        self.log.info("Reservation %s is %s, payout %s", *shown)
        return _checked(result, self.on_no_target)

    def _note_known(self, state: RunState, others: dict[str, Any]) -> None:
        """Remember only the confirmations whose outcome is unknown; an error here must not hide what is known.

        The record stays also when it is empty: without one a later attempt sends nothing.
        """
        try:
            state.save({"sent": others})
        except StorageFailed as error:
            self.log.warning("%s If the task runs again, the answer counts as lost", error)


class RetreaverCallReservationOperator(_ReservingOperator):
    """Reserve a buyer for a caller by the older call reservations; returns what `RetreaverReserveCallOperator` does.

    Deprecated by Retreaver, whose support for the postback keys of type "Call Reservation" is ending: use
    `RetreaverReserveCallOperator` and `RetreaverConfirmReservationOperator` instead. There is no confirmation, and no
    payout in the answer. An answer without a buyer has a number to dial too: decide by `reserved`. A lost answer is
    not repeated. Retreaver's article "Call Reservation API"; see docs/bidding.md.

    :param publisher_id: the customer's ID of the publisher (afid).
    :param publisher_name: instead of it: the publisher's name, or its company's; looked up by the list of affiliates.
    :param caller_number: phone number of the caller, E.164.
    :param inbound_number: a number of the key's campaign to dial, E.164; its own tags are not applied.
    :param tags: tags of the call by key; at most 100.
    :param on_no_target: `return` the result when no buyer is found, or `skip` the task.
    :param dry_run: check the parameters and return; nothing is sent.
    :param retreaver_conn_id: ID of the connection.
    :raises InvalidArgument: naming the parameter that is not valid; nothing was sent.
    :raises AuthenticationError: when the postback key is wrong, paused, or of another type.
    :raises OutcomeUnknown: when the answer was lost.
    """

    template_fields = (
        *RetreaverWriteOperator.template_fields,
        *("publisher_id", "publisher_name", "caller_number", "inbound_number", "tags", "on_no_target"),
    )

    def __init__(
        self,
        *,
        caller_number: str,
        publisher_id: str | None = None,
        publisher_name: str | None = None,
        inbound_number: str | None = None,
        tags: Mapping[str, str | int | float] | str | None = None,
        on_no_target: OnNoTarget = "return",
        dry_run: bool | str = False,
        retreaver_conn_id: str = "retreaver_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(dry_run=dry_run, retreaver_conn_id=retreaver_conn_id, **kwargs)
        self.publisher_id = publisher_id
        self.publisher_name = publisher_name
        self.caller_number = caller_number
        self.inbound_number = inbound_number
        self.tags = tags
        self.on_no_target = on_no_target

    def reservation(self, given: Mapping[str, Any]) -> Procedure[ReservationResult]:
        """Return the reservation by the older API."""
        from airflow_provider_retreaver.domain.bidding.reservation import run_call_reservation
        from airflow_provider_retreaver.resources.call_reservations import create_call_reservation

        self.log.warning("Retreaver ends its support for call reservations; use RetreaverReserveCallOperator instead")
        return run_call_reservation(create_call_reservation(**given))


def _checked(result: ReservationResult, on_no_target: OnNoTarget) -> ReservationResult:
    from airflow_provider_retreaver.domain.bidding.reservation import NO_TARGET

    if result["status"] == NO_TARGET and on_no_target == "skip":
        uuid = one_line(result["uuid"], numbers=False)
        raise AirflowSkipException(f"Reservation {uuid}: there is no buyer for this call.")
    return result
