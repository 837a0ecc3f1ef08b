"""Input, input path and input transformer: what a target gets instead of the event.

Compiled once, when a target is put, into literals and places of the event that are spliced as they are.
"""
