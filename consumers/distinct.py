"""The distinct ones of many names that are mostly one."""

from collections.abc import Sequence


def distinct(names: Sequence[str]) -> frozenset[str]:
    """Return the distinct *names*; where all are one, as usual with versions, none has to be hashed."""
    if not names:
        return frozenset()
    return frozenset(names[:1] if names.count(names[0]) == len(names) else names)
