"""Judges each stream of a directory by every peer: `python -m benchmarks.detection.peers DIRECTORY`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.detection.peers.evidently_peer import evidently_default, evidently_psi, report_cpu_seconds
from benchmarks.detection.peers.nannyml_peer import nannyml_js, nannyml_ks
from benchmarks.detection.peers.river_peer import river_adwin, river_kswin, river_page_hinkley
from benchmarks.detection.peers.scipy_peer import scipy_benjamini_hochberg, scipy_bonferroni, scipy_plain
from benchmarks.detection.peers.textbook_peer import textbook_psi_one, textbook_psi_two
from benchmarks.detection.peers.windows import PeerWindows, read_windows

PEERS: dict[str, Callable[[PeerWindows], Iterator[list[str]]]] = {
    "evidently": evidently_default,
    "evidently, PSI": evidently_psi,
    "nannyml, JS": nannyml_js,
    "nannyml, KS": nannyml_ks,
    "scipy KS, Bonferroni": scipy_bonferroni,
    "scipy KS, Benjamini-Hochberg": scipy_benjamini_hochberg,
    "river, ADWIN": river_adwin,
    "river, Page-Hinkley": river_page_hinkley,
    "river, KSWIN (1 in 50)": river_kswin,
    "textbook, PSI > 0.1": textbook_psi_one,
    "textbook, PSI > 0.2": textbook_psi_two,
    "textbook, KS p < 0.05": scipy_plain,
}
REPORTS_TIMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One stream by one peer: the alarming columns of each window, the strongest first, and the CPU of all windows."""

    peer: str
    alarms: list[list[str]]
    cpu_seconds: float


def main() -> None:
    """Read each stream's windows, judge them, write `alarms.json` into their directory; print what is done."""
    root, wanted = Path(sys.argv[1]), sys.argv[2:]
    for directory in sorted(path.parent for path in root.glob("*/windows.json")):
        windows = read_windows(directory)
        judged = [_judged(name, judge, windows) for name, judge in PEERS.items() if not wanted or name in wanted]
        answer: dict[str, object] = {"judged": [asdict(conclusion) for conclusion in judged], "report_cpu_seconds": []}
        if (directory / "time-reports").exists():
            answer["report_cpu_seconds"] = report_cpu_seconds(windows, limit=REPORTS_TIMED)
        (directory / "alarms.json").write_text(json.dumps(answer))
        print(f"peers: {directory.name}, {len(windows.bounds)} windows", flush=True)


def _judged(name: str, judge: Callable[[PeerWindows], Iterator[list[str]]], windows: PeerWindows) -> Judged:
    begun = time.process_time()
    alarms = list(judge(windows))
    return Judged(peer=name, alarms=alarms, cpu_seconds=time.process_time() - begun)


if __name__ == "__main__":
    main()
