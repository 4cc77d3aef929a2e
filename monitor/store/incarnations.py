"""Incarnations of a topic: deleted and created again under its name it is another log, with a number of its own."""

import sqlalchemy as sa

_ADD = sa.text(
    """
    INSERT INTO topic_incarnation (topic, topic_id, number)
    SELECT :topic, :topic_id, coalesce(max(number) + 1, 0) FROM topic_incarnation WHERE topic = :topic
    ON CONFLICT (topic, topic_id) DO NOTHING
    """
)
_NUMBER = sa.text("SELECT number FROM topic_incarnation WHERE topic = :topic AND topic_id = :topic_id")


def incarnation_of(connection: sa.Connection, topic: str, topic_id: str) -> int:
    """Return the number of the incarnation of *topic* that Kafka calls *topic_id*; one never seen is the next one.

    Numbers rise in the order in which the incarnations were first read, so they order what stands at equal offsets.
    """
    names = {"topic": topic, "topic_id": topic_id}
    if (known := connection.execute(_NUMBER, names).scalar()) is None:
        connection.execute(_ADD, names)
        known = connection.execute(_NUMBER, names).scalar_one()
    return int(known)
