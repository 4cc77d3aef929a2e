"""What `driftline status` prints about models: last verdicts, accuracy, deployments, notices, open incidents."""

from driftline.cli.output import print_line, print_table
from monitor.humanize import moment, span_text
from monitor.store.views.status import ModelStatus

RETIRED_NAMED = 8


def print_models(models: tuple[ModelStatus, ...]) -> None:
    """Print what is going on with *models*; of versions that serve no more their names alone."""
    verdicts = [(model, v) for model in models for v in model.verdicts if v.version not in model.retired]
    print_table(
        "Last windows",
        ("model", "version", "scale", "until (UTC)", "events", "verdict"),
        [
            (model.name, v.version, span_text(v.length), moment(v.window_end), v.events, v.verdict)
            for model, v in verdicts
        ],
        notes=[v.sentence for _, v in verdicts],
        empty=_why_no_verdicts(models),
    )
    accuracies = [
        (
            model.name,
            a.version,
            span_text(a.length),
            moment(a.window_end),
            a.labelled,
            _share(a.accuracy),
            _interval(a.low, a.high),
        )
        for model in models
        for a in model.accuracies
        if a.version not in model.retired
    ]
    if accuracies:
        headings = ("model", "version", "scale", "until (UTC)", "truths", "accuracy", "interval")
        print_table("Accuracy, newest mature windows", headings, accuracies, empty="")
    deployments = [
        (
            model.name,
            d.version,
            f"{d.stage.value} (assumed)" if d.assumed else d.stage.value,
            _share(d.traffic),
            moment(d.event_time),
        )
        for model in models
        for d in model.deployments
        if d.version not in model.retired
    ]
    if deployments:
        assumed = any(d.assumed for model in models for d in model.deployments if d.version not in model.retired)
        note = "assumed: a rollback was accepted, and no deployment event has shown it yet" if assumed else ""
        print_table(
            "Deployments",
            ("model", "version", "newest stage", "traffic", "since (UTC)"),
            deployments,
            notes=[note],
            empty="",
        )
    print_retired(models)
    print_unrevised(models)
    print_held(models)
    print_table(
        "Open incidents",
        ("id", "model", "version", "kind", "tier", "since (UTC)"),
        [
            (i.id[:8], model.name, i.version, i.kind, i.tier.word, moment(i.first_end))
            for model in models
            for i in model.open_incidents
        ],
        notes=[i.sentence for model in models for i in model.open_incidents],
        empty="none",
    )


def _why_no_verdicts(models: tuple[ModelStatus, ...]) -> str:
    if not models:
        return "no model is applied; see `driftline init` and `driftline apply`"
    return "none of a version that serves" if any(model.verdicts for model in models) else "none evaluated yet"


def print_retired(models: tuple[ModelStatus, ...]) -> None:
    """Print which versions serve no more, the first ones by name: nothing else is shown of them."""
    for model in models:
        if count := len(model.retired):
            names = ", ".join(model.retired[:RETIRED_NAMED]) + (", ..." if count > RETIRED_NAMED else "")
            print_line(f"Retired versions of {model.name}: {names} ({count:,}).")


def print_unrevised(models: tuple[ModelStatus, ...]) -> None:
    """Print which deployment events came after windows of their time were final, and what that means."""
    for model in models:
        for warm_up in model.unrevised:
            print_line(
                f"Notice: the first deployment event of {model.name}, version {warm_up.version}"
                f" ({moment(warm_up.deployed_at)} UTC) came late. Windows up to {moment(warm_up.unrevised_until)} UTC"
                " were final and stay as they were judged before it; later ones were judged again."
            )


def print_held(models: tuple[ModelStatus, ...]) -> None:
    """Print by which holds actions of *models* are stopped, each hold once."""
    for hold in {hold.id: hold for model in models for hold in model.holds}.values():
        print_line(f"Held: {hold.words} (`driftline holds`).")


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _interval(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:.4f} to {high:.4f}"
