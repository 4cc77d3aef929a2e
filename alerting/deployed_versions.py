"""Deployed versions of one model in one transaction: their history, and which replaced ones still have events."""

from collections.abc import Sequence

import sqlalchemy as sa
import structlog

from alerting.incidents.replaced import ReplacedVersions, contradicted, replaced_at
from monitor.deployments import history_until
from monitor.store.configuration import AppliedModel
from monitor.store.deployments import Deployment, contradict_assumed, deployments_history
from monitor.store.evaluations import window_events
from monitor.units import millis
from monitor.windows.sliding import last_end

log = structlog.get_logger()


class DeployedVersions:
    """The deployments of one locked model up to *now* (ms).

    Attributes:
        history: Deployments that count: of the assumed ones only those that the prediction stream does not contradict.
    """

    def __init__(self, connection: sa.Connection, applied: AppliedModel, *, now: int) -> None:
        self._connection = connection
        self._applied = applied
        # What should be, whether the stream contradicts it or not: traffic against it is an incident.
        self._expected = history_until(deployments_history(connection, applied.model_id), at=now)
        self.history: tuple[Deployment, ...] = tuple(
            deployment for deployment in self._expected if deployment.contradicted_at is None
        )

    def replaced(self, window_ends: Sequence[int]) -> list[ReplacedVersions]:
        """Return what each of *window_ends* shows of replaced versions; note the assumptions that are contradicted.

        Their windows up to there are stored already.
        """
        spec = self._applied.spec
        shortest, switch_over = min(spec.scales), millis(spec.alerting.switch_over)
        events = window_events(
            self._connection,
            self._applied.model_id,
            versions={deployment.version for deployment in self._expected},
            scale=shortest,
            ends={last_end(shortest, end) for end in window_ends},
        )
        assumed = [deployment for deployment in self.history if deployment.assumed]
        for end in window_ends:
            wrong = contradicted(
                assumed, self.history, events, window_end=end, shortest=shortest, switch_over=switch_over
            )
            for deployment in wrong:
                self._contradict(deployment, at=end)
            assumed = [deployment for deployment in assumed if deployment not in wrong]
        return [
            replaced_at(end, self._expected, events, shortest=shortest, switch_over=switch_over) for end in window_ends
        ]

    def _contradict(self, deployment: Deployment, *, at: int) -> None:
        contradict_assumed(self._connection, self._applied.model_id, deployment, at=at)
        log.warning(
            "deployment.contradicted",
            model=str(self._applied.key),
            version=deployment.version,
            stage=deployment.stage.value,
            window_end=at,
        )
