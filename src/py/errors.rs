//! The core's errors as Python exceptions. The classes are Python's (`rulebus.errors`), so that they pickle and read
//! well; they are looked up once, when the first error is raised.

use crate::place::Place;
use pyo3::{exceptions::PyTypeError, prelude::*, sync::PyOnceLock, types::PyType};
use rulebus_core::error::{EventError, EventErrorCode, PatternError};

type Class = PyOnceLock<Py<PyType>>;

fn class<'py>(py: Python<'py>, cell: &'static Class, name: &str) -> PyResult<&'py Bound<'py, PyType>> {
    cell.import(py, "rulebus.errors", name)
}

/// Why an event was refused, with everything its exception says; made while the event is at hand.
#[derive(Clone)]
pub struct Fault {
    code: EventErrorCode,
    /// Instead of the code's sentence.
    message: Option<String>,
    offset: usize,
    line: usize,
    column: usize,
    excerpt: String,
    /// For events that are no text.
    pointer: Option<String>,
}

impl Fault {
    /// An error of an event's text.
    pub fn in_text(error: EventError, text: &[u8]) -> Self {
        Self::in_line(error, text, 0, 0)
    }

    /// An error of an event that stands at an offset in a larger text, behind so many lines.
    pub fn in_line(error: EventError, text: &[u8], offset: usize, lines: usize) -> Self {
        let place = Place::of(text, error.offset, lines);
        Self {
            code: error.code,
            message: None,
            offset: error.offset + offset,
            line: place.line,
            column: place.column,
            excerpt: place.excerpt,
            pointer: None,
        }
    }

    /// An error of an event that is a Python object.
    pub fn in_object(code: EventErrorCode, pointer: String, message: Option<String>) -> Self {
        Self { code, message, offset: 0, line: 0, column: 0, excerpt: String::new(), pointer: Some(pointer) }
    }

    /// Instead of an event stands something else.
    pub fn not_an_event(error: PyErr, py: Python<'_>) -> Self {
        Self::in_object(EventErrorCode::UnsupportedType, String::new(), Some(error.value(py).to_string()))
    }

    /// The exception, not raised.
    pub fn to_object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static CLASS: Class = PyOnceLock::new();
        let message = self.message.as_deref().unwrap_or(self.code.sentence());
        let place = (self.offset, self.line, self.column, &self.excerpt, self.pointer.as_deref());
        class(py, &CLASS, "EventError")?.call1((self.code.name(), message, place.0, place.1, place.2, place.3, place.4))
    }

    /// The exception, to be raised.
    pub fn to_err(&self, py: Python<'_>) -> PyErr {
        self.to_object(py).map_or_else(|e| e, PyErr::from_value)
    }
}

impl From<EventError> for Fault {
    /// An error of the match itself, in an event that is no text.
    fn from(error: EventError) -> Self {
        Self::in_object(error.code, String::new(), None)
    }
}

/// The exception of a refused pattern, not raised.
pub fn pattern_error<'py>(py: Python<'py>, error: &PatternError) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: Class = PyOnceLock::new();
    let (what, hows) = ((error.code, &error.message, &error.pointer), (&error.expected, &error.aws_message, &error.excerpt));
    class(py, &CLASS, "PatternError")?.call1((what.0, what.1, what.2, error.offset, error.line, error.column, hows.0, hows.1, hows.2))
}

/// The exception of a refused pattern, to be raised.
pub fn pattern_err(py: Python<'_>, error: &PatternError) -> PyErr {
    pattern_error(py, error).map_or_else(|e| e, PyErr::from_value)
}

/// The exception of an update with bad rules: (name, error) of each.
pub fn rule_set_err<'py>(py: Python<'py>, errors: Vec<(Bound<'py, PyAny>, PatternError)>) -> PyErr {
    static CLASS: Class = PyOnceLock::new();
    let build = || {
        let pairs = errors.into_iter().map(|(name, error)| Ok((name, pattern_error(py, &error)?))).collect::<PyResult<Vec<_>>>()?;
        class(py, &CLASS, "RuleSetError")?.call1((pyo3::types::PyTuple::new(py, pairs)?,))
    };
    build().map_or_else(|e| e, PyErr::from_value)
}

/// The exception of a change that a rule set cannot hold.
pub fn capacity_err(py: Python<'_>, message: String) -> PyErr {
    static CLASS: Class = PyOnceLock::new();
    class(py, &CLASS, "RulebusError").and_then(|c| c.call1((message,))).map_or_else(|e| e, PyErr::from_value)
}

/// `TypeError`: `what` (with what it may be), not the type at hand.
pub fn wrong_type(what: &str, found: &Bound<'_, PyAny>) -> PyErr {
    match found.get_type().qualname() {
        Ok(name) => PyTypeError::new_err(format!("{what}, not {name}")),
        Err(error) => error,
    }
}
