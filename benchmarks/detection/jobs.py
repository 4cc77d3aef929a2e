"""Jobs of the benchmark: which streams are judged, by Driftline alone or by Driftline and every peer."""

from dataclasses import dataclass

from benchmarks.detection.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnJob:
    """One reference and the current parts that follow it, judged by Driftline."""

    recipe: Recipe
    reference_seed: int
    current_seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerJob:
    """One synthetic stream judged by Driftline and every peer."""

    recipe: Recipe
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RealJob:
    """One real set judged by Driftline and every peer."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersAloneJob:
    """The peers' part of *job*, so that a later run finds their answers."""

    job: PeerJob | RealJob


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingJob:
    """The CPU of Driftline, of every peer and of whole Evidently reports on one synthetic stream."""

    recipe: Recipe
    seed: int


Job = OwnJob | PeerJob | RealJob | PeersAloneJob | TimingJob


def job_name(job: Job) -> str:
    """Return the name of the job's stream."""
    match job:
        case RealJob():
            return job.name
        case PeersAloneJob():
            return f"{job_name(job.job)} (peers)"
        case TimingJob():
            return f"{job.recipe.name} (CPU)"
        case _:
            return job.recipe.name
