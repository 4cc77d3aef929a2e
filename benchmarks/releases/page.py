"""The figures of docs/releases.md, between two marks, from a summary."""

from pathlib import Path

from benchmarks.releases.outcome import KindRow, Summary

PAGE = Path(__file__).parents[2] / "docs" / "releases.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end -->"


def with_figures(page: str, summary: Summary) -> str:
    """Return *page* with the figures of *summary*."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{figures(summary)}\n{END}{after}"


def figures(summary: Summary) -> str:
    """Return the tables, and what is not in them."""
    one = summary.one_key
    return "\n".join(
        (
            f"{summary.histories:,} histories, seed {summary.seed}: {summary.wrong} rollbacks on two keys of a version "
            "that is not worse.",
            "",
            _table(summary.kinds, "kind"),
            "",
            "Of the slightly and the clearly bad ones, by how they were released:",
            "",
            _table(summary.of_worse, "release"),
            "",
            f"- With `keys: 1`, which asks for no labels, {one.rolled_back} of {one.histories} were rolled back, "
            f"{one.wrong} of them from a version that is not worse.",
            "- What was put to people was sent or rejected by the toss of a coin, half of it by nobody: "
            f"{summary.approved} rollbacks, {summary.approved_wrong} of them from a version that is not worse. That is "
            "what people are asked for.",
            f"- {summary.retraining_incidents:,} of {summary.incidents:,} incidents asked for a retraining, "
            f"{summary.retrainings:,} times: at most {summary.most_an_incident} an incident and "
            f"{summary.most_a_month} a model and month; {summary.retrained_instead} times of a version that is truly "
            "worse while its inputs are stable, before anybody rejected its rollback.",
            "",
        )
    )


def _table(rows: tuple[KindRow, ...], first: str) -> str:
    head = (first, "histories", "truly worse", "rolled back", "from one not worse", "median hours", "put to people")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        share = f" ({row.rolled_back_worse / row.worse:.0%} of the worse)" if row.worse else ""
        cells = (
            row.name,
            f"{row.histories:,}",
            f"{row.worse:,}",
            f"{row.rolled_back:,}{share}",
            f"{row.wrong}",
            "" if row.hours is None else f"{row.hours:.1f}",
            f"{row.put_to_people:,}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
