"""The demo's model spec: what `driftline init` proposed, with receivers, actions and the story's freshness."""

SECRET_VARIABLE = "DEMO_WEBHOOK_SECRET"
SCALES = "4h/20m,12h/1h"

_REST = """
alerting:
  owner: risk-team                              # who answers; needed for rollbacks
  runbook: https://example.org/runbooks/credit  # a link; needed for rollbacks
  close_after: 2                                # better windows in a row, without overlap, that close an incident
  keep_firing_for: 1h                           # a new start this soon re-opens the same incident
  # Only for the demo: its events lie years in the past and pass a thousand times as fast as they happened. With the
  # default (10m, or twice the step) nothing would be sent of windows that old, which is right everywhere else.
  freshness: 36500d
  receivers:
    - name: team
      type: webhook
      url: {url}/team
      secret_env: {secret}
      from_tier: warning

actions:
  retraining:                                   # on drift or performance of tier alert
    mode: auto                                  # the default is dry_run: recorded, not sent
    url: {url}/retraining
    secret_env: {secret}
    cooldown: 24h                               # between two requests
    deadline: 30m                               # a request not delivered by then is dead
  rollback:                                     # to the last healthy version, on critical evidence
    mode: auto
    url: {url}/rollback
    secret_env: {secret}
    cooldown: 24h                               # between two rollbacks
    deadline: 5m                                # a request not delivered by then is dead
    keys: 2                                     # independent evidence must agree
    min_healthy: 1h                             # how long the target must have served well
    look_back: 7d                               # a version change this recent can be the cause
"""


def demo_spec(proposed: str, *, url: str) -> str:
    """Return the spec in *proposed*, as `driftline init` wrote it, with the demo's floor, receivers and actions."""
    judged, found, _ = proposed.partition("\nalerting:")
    floor = "  floor: null "
    assert found, "init's spec has an alerting section"
    assert floor in judged, "init's spec has an accuracy floor"
    return judged.replace(floor, "  floor: 0.7  ", 1) + _REST.format(url=url, secret=SECRET_VARIABLE)
