"""How long the brokers have been silent, from the Kafka client's own statistics."""

import msgspec

_CONNECTED = "UP"


class _Broker(msgspec.Struct):
    """*rxidle*: microseconds since its last bytes came, negative before the first of a connection."""

    state: str
    rxidle: int = -1


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker] = {}


_DECODER = msgspec.json.Decoder(_Statistics)


def seconds_of_silence(statistics: str) -> float | None:
    """Return the seconds since any connected broker sent something; None while none is connected.

    *statistics*: the JSON that librdkafka gives to `stats_cb` (its STATISTICS.md).
    """
    brokers = _DECODER.decode(statistics).brokers.values()
    return min(
        (broker.rxidle / 1e6 for broker in brokers if broker.state == _CONNECTED and broker.rxidle >= 0), default=None
    )
