"""Reads signing secrets, and signs bodies by Standard Webhooks, so that any receiver can verify them with a library."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path

from standardwebhooks import Webhook

from monitor.clock import to_datetime
from monitor.errors import SettingsError
from monitor.spec.actions import SecretSource

SECRET_BYTES = range(24, 65)
_FILE_BYTES = 4096
_SIGNING_SECRET = "expected a signing secret (whsec_ and base64 of 24 to 64 bytes)"


def read_secret(source: SecretSource, environment: Mapping[str, str]) -> bytes:
    """Return one signing secret: `whsec_` and base64 of 24 to 64 bytes.

    Raises:
        SettingsError: It is not there, not base64, or of another length; never shows the secret.
    """
    place, text = secret_text(source, environment, wanted=_SIGNING_SECRET)
    encoded = text.removeprefix("whsec_")
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingsError(f"{place}: expected whsec_ and base64, found something else") from error
    if len(secret) not in SECRET_BYTES:
        raise SettingsError(f"{place}: expected a secret of 24 to 64 bytes, found {len(secret)}")
    return secret


def secret_text(source: SecretSource, environment: Mapping[str, str], *, wanted: str) -> tuple[str, str]:
    """Return where a secret is and what is there, never empty.

    Args:
        wanted: What was expected there, for people.

    Raises:
        SettingsError: Nothing is there, or it cannot be read.
    """
    if source.file is None:
        name = source.env or ""
        if text := environment.get(name):
            return name, text
        raise SettingsError(f"{name}: {wanted} in the alerter's environment, found nothing")
    try:
        with Path(source.file).open("rb") as file:
            content = file.read(_FILE_BYTES)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise SettingsError(
            f"{source.file}: {wanted} in this file of the alerter's machine, found {problem}"
        ) from error
    text = content.decode("ascii", errors="replace").strip()
    if not text:
        raise SettingsError(f"{source.file}: {wanted} in this file of the alerter's machine, found nothing in it")
    return source.file, text


def readable_secrets(sources: Sequence[SecretSource], environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return those of several secrets that can be read: while they are rotated one may be away.

    Raises:
        SettingsError: There is none; says why of each.
    """
    secrets, problems = [], []
    for source in sources:
        try:
            secrets.append(read_secret(source, environment))
        except SettingsError as error:
            problems.append(str(error))
    if not secrets:
        raise SettingsError("; ".join(problems) or "expected a secret to sign with, the spec names none")
    return tuple(secrets)


def signed_headers(secrets: Sequence[bytes], *, identifier: str, body: bytes, now_millis: int) -> dict[str, str]:
    """Return the headers of one attempt, with one signature for each secret.

    *identifier* is the same in all attempts, the timestamp is this one's.
    """
    moment = to_datetime(now_millis)
    return {
        "content-type": "application/json",
        "webhook-id": identifier,
        "webhook-timestamp": str(now_millis // 1000),
        "webhook-signature": " ".join(Webhook(secret).sign(identifier, moment, body.decode()) for secret in secrets),
        "idempotency-key": identifier,
    }
