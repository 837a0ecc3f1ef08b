"""Targets: what a rule's events are delivered to.

The protocol and the built-in kinds, one file each. Importing this package imports no third-party library.
"""
