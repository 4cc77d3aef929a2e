"""How alerters share the models: each is one alerter's, and few move when an alerter comes or goes; pure."""

from collections.abc import Collection
from hashlib import blake2b


def alerter_of(model_id: int, alerters: Collection[str]) -> str:
    """Return which of *alerters* looks at the model: the one with the highest hash of both (rendezvous hashing)."""
    return max(alerters, key=lambda alerter: (_weight(model_id, alerter), alerter))


def _weight(model_id: int, alerter: str) -> bytes:
    return blake2b(f"{model_id}\x1f{alerter}".encode(), digest_size=8).digest()
