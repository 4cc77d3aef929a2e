"""The peers, run in an environment of their own: streams come in as files, alarms per window and CPU go out as JSON.

Nothing here imports Driftline: `.cache/peers` has the peers and what they need, and nothing else.
"""
