"""Stores: where a bus keeps what it accepted until it is delivered.

The protocol and the built-in kinds, one file each. Importing this package imports no third-party library.
"""
