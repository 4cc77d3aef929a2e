"""How much memory a process has had at most."""

from pathlib import Path


def resident_megabytes(pid: int) -> float:
    """Return the highest resident set of a process so far, as Linux keeps it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise AssertionError(f"/proc/{pid}/status has no VmHWM")
