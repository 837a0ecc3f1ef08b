"""Input, input path and input transformer: what a target gets instead of the event.

Compiled once, when a target is put, into literals and places of the event that are spliced as they are.
"""

from rulebus.transform.compile import compile_transform
from rulebus.transform.definition_error import TransformDefinitionError
from rulebus.transform.path import PathSelector, compile_path
from rulebus.transform.protocol import Transform, TransformError

__all__ = [
    "PathSelector",
    "Transform",
    "TransformDefinitionError",
    "TransformError",
    "compile_path",
    "compile_transform",
]
