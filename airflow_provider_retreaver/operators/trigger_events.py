"""The events that end a deferral: the errors that they name, and events of no known shape."""

from __future__ import annotations

from airflow_provider_retreaver.core import errors
from airflow_provider_retreaver.core.quoting import quoted


class UnexpectedEvent(errors.RetreaverError):
    """A deferred task was resumed without an event that says how the wait ended."""

    @classmethod
    def of(cls, event: object) -> UnexpectedEvent:
        """Return the error for an event.

        :param event: what the trigger sent, or None.
        :return: the error.
        """
        return cls(
            f"The trigger's event does not say how the wait ended ({quoted(event, 200)}), so the task fails; clear "
            f"it to wait again."
        )


def error_of_event(kind: str, message: str) -> errors.RetreaverError:
    """Return the error that a trigger's event stands for.

    :param kind: name of its class.
    :param message: its text.
    :return: an error of that class of `core.errors`; the base of all for a class that is none of them.
    """
    error_class = getattr(errors, kind, None)
    if isinstance(error_class, type) and issubclass(error_class, errors.RetreaverError):
        return error_class(message)
    return errors.RetreaverError(f"{kind}: {message}")
