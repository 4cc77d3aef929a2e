"""An alerter's looks at its models until nothing is due, as its process does them."""

from alerting.alerter import Alerter


def advance_fully(alerter: Alerter) -> None:
    """Sweep once, then work off what is behind."""
    alerter.advance()
    while alerter.behind:
        alerter.catch_up()
