"""Schedules: ``rate(5 minutes)`` and ``cron(0 10 ? * MON-FRI *)`` in AWS's dialect, and when they are due.

Pure computation on seconds since 1970 in UTC: no clock, no waiting. Relies on the standard library alone.
"""

from __future__ import annotations

from rulebus.schedule.error import ScheduleError
from rulebus.schedule.expression import Schedule, parse

__all__ = ["Schedule", "ScheduleError", "parse"]
