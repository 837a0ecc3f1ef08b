"""A bus's numbers for other systems: `prometheus` and `otel`, each behind the extra of its name.

Both read `bus.statistics()` when they are asked, and cost nothing before. Must never be imported by the bus itself.
"""
