"""The bus: events in, rules matched, targets called in parallel, nothing lost.

One file each for the facades (`EventBus`, `AsyncEventBus`), the hub behind them, entries, envelope, rules, limits and
refusals. Importing this package imports no facade: `rulebus` does that when they are asked for.
"""
