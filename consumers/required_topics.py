"""The topics that an installation needs."""

from consumers.kafka import describe_topics
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import TopicRole


def require_topics(settings: Settings) -> None:
    """Return when the broker answers and has every topic of the settings.

    Raises:
        UnavailableError: No answer, or topics are missing; says which and what to do.
    """
    inputs = (settings.predictions_topics, settings.truths_topics, settings.deployments_topics)
    wanted = [*(name for names in inputs for name in names), settings.wakeups_topic]
    found = describe_topics(settings, wanted)
    if missing := [name for name in wanted if name not in found]:
        raise UnavailableError(
            f"Kafka at {settings.kafka_bootstrap} has no topic {', '.join(missing)}.\n"
            "Run `driftline topics create`, or correct the topics in the settings.",
            service="kafka",
        )


def topic_roles(settings: Settings) -> dict[str, TopicRole]:
    """Return what each input topic of the settings holds."""
    return {
        **dict.fromkeys(settings.predictions_topics, TopicRole.PREDICTIONS),
        **dict.fromkeys(settings.truths_topics, TopicRole.TRUTHS),
        **dict.fromkeys(settings.deployments_topics, TopicRole.DEPLOYMENTS),
    }
