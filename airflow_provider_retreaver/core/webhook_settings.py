"""Settings of a connection for webhooks: who may send them, where they are kept, and what answers them."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Literal, get_args

from airflow_provider_retreaver.core.extras import Fields
from airflow_provider_retreaver.core.secrets import Secret

# When Retreaver sends a webhook. Its integration guide: "Webhook Support".
TriggerName = Literal["start", "selected", "timer", "postback", "always"]
TRIGGERS: tuple[TriggerName, ...] = get_args(TriggerName)
# Characters of a token at least: it is all that keeps strangers out.
LEAST_TOKEN = 16
KILOBYTE = 1_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What the endpoint for webhooks needs of a connection.

    :param company: digits of the company's ID.
    :param tokens: those that are valid: one, or two while they are being exchanged.
    :param spool: folder on object storage in which webhooks are kept.
    :param networks: from which webhooks are accepted; none for every address.
    :param lookup: path of the file with the tags of callers; None for answers without tags.
    :param max_bytes: of a webhook's body at most.
    :param max_rate: webhooks a second that one process of the api-server accepts.
    """

    company: str
    tokens: tuple[Secret, ...]
    spool: str
    networks: tuple[Network, ...] = ()
    lookup: str | None = None
    max_bytes: int = 64 * KILOBYTE
    max_rate: float = 200.0

    @classmethod
    def parse(cls, fields: Fields, company: str | None) -> WebhookSettings | None:
        """Read the extras that begin with `webhook_`.

        :param fields: of the connection.
        :param company: its Company ID.
        :return: the settings; None where the connection has no `webhook_token`.
        :raises InvalidConnection: naming the extra.
        """
        token, next_token = fields.secret("webhook_token"), fields.secret("webhook_next_token")
        spool, lookup = fields.text("webhook_spool"), fields.text("webhook_lookup")
        networks = _networks(fields, "webhook_addresses")
        max_bytes = int(fields.number("webhook_max_kb", 64, 1, 1_000) * KILOBYTE)
        max_rate = fields.number("webhook_rate", 200, 0.1, 10_000)
        if token is None:
            if next_token is not None:
                raise fields.error("webhook_next_token", "is set without webhook_token; fill in that first")
            return None
        for name, secret in (("webhook_token", token), ("webhook_next_token", next_token)):
            if secret is not None and len(secret.reveal()) < LEAST_TOKEN:
                raise fields.error(name, f"must have at least {LEAST_TOKEN} characters; take a long random one")
        if spool is None:
            raise fields.error("webhook_spool", "is missing: the folder on object storage that keeps webhooks")
        if company is None:
            raise fields.error("login", "is blank, and webhooks need the company's number in digits")
        return cls(
            company=company,
            tokens=(token,) if next_token is None else (token, next_token),
            spool=spool,
            networks=networks,
            lookup=lookup,
            max_bytes=max_bytes,
            max_rate=max_rate,
        )

    def accepts_token(self, given: str) -> bool:
        """Return whether a token is valid; the time that this takes says nothing about the valid ones.

        :param given: what a request has; blank for none.
        :return: True when it is one of the tokens.
        """
        return is_token(given, self.tokens)

    def accepts_address(self, address: str | None) -> bool:
        """Return whether webhooks are accepted from an address.

        :param address: of the client, as text; None where it is not known.
        :return: True when it is in one of the networks, or there are none.
        """
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        # A socket for both versions shows an IPv4 address within an IPv6 one.
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.networks)


def is_token(given: str, valid: tuple[Secret, ...]) -> bool:
    """Compare a token with each of the valid ones, in constant time.

    :param given: of a request.
    :param valid: the valid tokens.
    :return: True when it equals one of them.
    """
    encoded = given.encode("utf-8", "surrogatepass")
    # All are compared, whichever equals.
    found = [hmac.compare_digest(encoded, token.reveal().encode()) for token in valid]
    return any(found)


def _networks(fields: Fields, name: str) -> tuple[Network, ...]:
    found: list[Network] = []
    for text in (fields.text(name) or "").split(","):
        if not text.strip():
            continue
        try:
            found.append(ipaddress.ip_network(text.strip()))
        except ValueError:
            raise fields.error(
                name, "must be addresses or networks, with commas, like 203.0.113.7, 198.51.100.0/24"
            ) from None
    return tuple(found)
