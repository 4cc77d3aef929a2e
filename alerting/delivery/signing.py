"""Signs bodies by Standard Webhooks, so that any receiver can verify them with a published library."""

import base64
import binascii
from collections.abc import Mapping

from standardwebhooks import Webhook

from monitor.clock import to_datetime
from monitor.errors import SettingsError

SECRET_BYTES = range(24, 65)


def read_secret(name: str, environment: Mapping[str, str]) -> bytes:
    """Return the signing secret in the environment variable *name*: `whsec_` and base64 of 24 to 64 bytes.

    Raises:
        SettingsError: It is not set, not base64, or of another length; never shows the secret.
    """
    text = environment.get(name)
    if not text:
        raise SettingsError(
            f"{name}: expected a signing secret (whsec_ and base64 of 24 to 64 bytes) in the alerter's environment, "
            "found nothing"
        )
    encoded = text.removeprefix("whsec_")
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingsError(f"{name}: expected whsec_ and base64, found something else") from error
    if len(secret) not in SECRET_BYTES:
        raise SettingsError(f"{name}: expected a secret of 24 to 64 bytes, found {len(secret)}")
    return secret


def signed_headers(secret: bytes, *, identifier: str, body: bytes, now_millis: int) -> dict[str, str]:
    """Return the headers of one attempt; *identifier* is the same in all attempts, the timestamp is this one's."""
    moment = to_datetime(now_millis)
    return {
        "content-type": "application/json",
        "webhook-id": identifier,
        "webhook-timestamp": str(now_millis // 1000),
        "webhook-signature": Webhook(secret).sign(identifier, moment, body.decode()),
        "idempotency-key": identifier,
    }
