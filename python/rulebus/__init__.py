"""Event routing for Python at the speed of Rust: the event bus of the AWS EventBridge kind, as a library.

The public names, each defined in one module below. Importing this package imports no third-party library.
"""

__all__: list[str] = []
