"""Archives, and replays of what they keep.

`Archives` keeps the definitions and forgets what is too old, `Replays` puts archived events on a bus again. Both are logic
over a store and callbacks: they know no bus, and no thread but a replay's own.
"""

from __future__ import annotations

from rulebus.archive.archives import Archives
from rulebus.archive.definition import Archive
from rulebus.archive.preview import Match, ReplayPreview
from rulebus.archive.replay import Put, Replay
from rulebus.archive.replays import Replays
from rulebus.archive.status import Moment, ReplayState, ReplayStatus

__all__ = [
    "Archive",
    "Archives",
    "Match",
    "Moment",
    "Put",
    "Replay",
    "ReplayPreview",
    "ReplayState",
    "ReplayStatus",
    "Replays",
]
