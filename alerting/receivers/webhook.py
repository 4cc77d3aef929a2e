"""The receiver `webhook`: a signed HTTP POST without redirects or proxies, to a checked address."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from alerting.delivery.address_guard import TargetRefused, TargetUnresolved, checked_address
from alerting.delivery.retry import Attempt, AttemptOutcome, answer_outcome, failure_outcome, retry_after_seconds
from alerting.delivery.signing import read_secret, signed_headers
from monitor.clock import monotonic_seconds
from monitor.errors import SettingsError
from monitor.store.outbox import Lease

ANSWER_BYTES = 64 << 10
ERROR_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """How webhooks are sent; the secrets come from *environment* at each attempt and stay there."""

    timeout_seconds: float
    allow_private: bool
    environment: Mapping[str, str]


def post_webhook(lease: Lease, settings: WebhookSettings, *, now_millis: int) -> Attempt:
    """Send one attempt and return its outcome."""
    if lease.url is None or lease.secret_env is None:
        return Attempt(outcome=AttemptOutcome.DEAD, error="the endpoint has no url or no secret_env")
    try:
        secret = read_secret(lease.secret_env, settings.environment)
        address = checked_address(lease.url, allow_private=settings.allow_private)
    except (SettingsError, TargetRefused) as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=str(error))
    except TargetUnresolved as error:
        return Attempt(outcome=AttemptOutcome.RETRY, error=str(error))
    headers = signed_headers(secret, identifier=lease.effect.id, body=lease.effect.body, now_millis=now_millis)
    try:
        return _send(httpx2.URL(lease.url), address, headers, lease.effect.body, settings.timeout_seconds)
    except httpx2.InvalidURL as error:
        return Attempt(outcome=AttemptOutcome.DEAD, error=f"not a URL: {error}")
    except httpx2.HTTPError as error:
        said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
        return Attempt(outcome=failure_outcome(error), error=said)


def _send(url: httpx2.URL, address: str, headers: dict[str, str], body: bytes, timeout_seconds: float) -> Attempt:
    # Connecting to the address that was checked, not to the name again, leaves a rebound name no second look.
    checked = url.copy_with(host=address)
    named = {**headers, "host": url.netloc.decode()}
    deadline = monotonic_seconds() + timeout_seconds
    with (
        httpx2.Client(timeout=timeout_seconds, follow_redirects=False, trust_env=False) as client,
        client.stream("POST", checked, content=body, headers=named, extensions={"sni_hostname": url.host}) as response,
    ):
        answer = _bounded_answer(response, deadline)
        outcome = answer_outcome(response.status_code)
        return Attempt(
            outcome=outcome,
            status=response.status_code,
            error=None if outcome is AttemptOutcome.DONE else answer[:ERROR_CHARACTERS],
            retry_after_seconds=retry_after_seconds(response.headers.get("retry-after")),
        )


def _bounded_answer(response: httpx2.Response, deadline: float) -> str:
    """Return the answer's first 64 KiB; its status is known already, so a slow or broken rest changes nothing."""
    read = bytearray()
    try:
        for chunk in response.iter_raw(chunk_size=4096):
            read += chunk
            if len(read) >= ANSWER_BYTES or monotonic_seconds() > deadline:
                break
    except httpx2.HTTPError:
        read += b" (the answer broke off)"
    return bytes(read[:ANSWER_BYTES]).decode(errors="replace").replace("\x00", "")
