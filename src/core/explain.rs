//! Why a pattern matched an event or did not: the pattern's tree with a verdict at every condition.
#![allow(missing_docs, unused_variables)]

use crate::{error::EventError, pattern::tree::Pattern, walk::Validation};

/// JSON text of an explanation, see `python/rulebus/explanation.py` for the shape:
/// `{"matched": bool, "conditions": [CONDITION…], "note": str|null}` with CONDITION =
/// `{"kind": "field", "path": str, "matched": bool, "alternatives": [{"operator": str, "operand": str, "matched": bool}…],
///   "found": [str…], "hint": str|null}` or `{"kind": "or", "matched": bool, "branches": [[CONDITION…]…]}`.
/// `operand` and `found` are JSON texts. `hint` names the nearest value that would have matched.
/// `note` says when every condition holds but not within one array element.
pub fn explain(pattern: &Pattern, event: &[u8], level: Validation) -> Result<String, EventError> { todo!() }
