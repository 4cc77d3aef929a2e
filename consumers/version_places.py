"""Under which name each version is counted: its own while its model has places left, else `other` with the rest."""

from collections.abc import Callable, Collection, Mapping, Sequence

from consumers.identities import distinct
from monitor.clock import monotonic_seconds
from monitor.store.model_versions import PlacedVersions, VersionClaims
from monitor.types import OTHER_VERSIONS
from monitor.units import HOUR_MILLIS

ASK_AGAIN_SECONDS = 60.0  # a full model is asked this often whether a version retired meanwhile

WantedVersions = dict[int, dict[str, int]]
"""By model: versions to be placed before the next flush, in the order in which they came, with their newest hour."""


class VersionPlaces:
    """What this worker knows of the placed versions; the database decides, before each flush that brings new ones."""

    def __init__(self, *, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._seconds = seconds
        self._placed: dict[int, dict[str, int]] = {}
        self._ask_at: dict[int, float] = {}
        self._caps: dict[int, int] = {}

    def set_placed(self, placed: Mapping[int, PlacedVersions], caps: Mapping[int, int]) -> None:
        """Set what is stored, and how many live versions each model may have."""
        self._placed = {model_id: dict(versions.hours) for model_id, versions in placed.items()}
        self._caps = dict(caps)
        self._ask_at.clear()

    def counted_as(
        self, model_id: int, versions: Sequence[str], *, newest: int, claims: WantedVersions
    ) -> Sequence[str]:
        """Return the name under which each of *versions* is counted; put into *claims* what has to be placed for that.

        Args:
            newest: The newest event time (ms) among them.
        """
        placed = self._placed.get(model_id, {})
        of_model = claims.get(model_id, {})
        hour = newest // HOUR_MILLIS * HOUR_MILLIS
        names = distinct(versions)
        known = {version for version in names if version in placed}
        older = [version for version in sorted(known) if placed[version] < hour]
        unplaced = names - known - of_model.keys() - {OTHER_VERSIONS}
        new = _first(versions, unplaced, self._room(model_id, of_model.keys() - placed.keys()))
        if older or new:
            of_model = claims.setdefault(model_id, {})
            for version in (*older, *new):
                of_model[version] = max(hour, of_model.get(version, hour))
        others = unplaced - set(new)
        if not others:
            return versions
        return [OTHER_VERSIONS if version in others else version for version in versions]

    def to_claim(self, claims: WantedVersions) -> dict[int, VersionClaims]:
        """Return *claims* as the database takes them."""
        return {
            model_id: VersionClaims(cap=self._cap(model_id), hours=dict(hours)) for model_id, hours in claims.items()
        }

    def claimed(self, placed: Mapping[int, PlacedVersions]) -> bool:
        """Set what the database decided; return whether it refused any: then count again."""
        for model_id, versions in placed.items():
            self._placed[model_id] = dict(versions.hours)
            if versions.refused:
                self._ask_at[model_id] = self._seconds() + ASK_AGAIN_SECONDS
        return any(versions.refused for versions in placed.values())

    def _cap(self, model_id: int) -> int:
        return self._caps.get(model_id, 0)

    def _room(self, model_id: int, claimed: Collection[str]) -> int:
        if self._seconds() < self._ask_at.get(model_id, 0.0):
            return 0
        room = self._cap(model_id) - len(self._placed.get(model_id, {})) - len(claimed)
        if room <= 0 and not claimed:
            return 1  # full as far as we know: one asks whether another one has retired
        return max(room, 0)


def _first(versions: Sequence[str], among: frozenset[str], count: int) -> list[str]:
    """Return the *count* of *among* that came first."""
    if len(among) <= count:
        return sorted(among)
    first: dict[str, None] = {}
    for version in versions:
        if len(first) >= count:
            break
        if version in among:
            first[version] = None
    return list(first)
