//! Patterns given as Python objects, written out as JSON text for the parser, which then judges them like any other:
//! also too deep and too long are its words, since writing stops just beyond its limits. Explanations of events that are
//! dicts use it, too; matching never does.

use crate::{
    children::{Children, Step, pointer},
    input::wtf8,
    object::{Number, reason},
    place::Place,
};
use pyo3::{
    prelude::*,
    types::{PyBool, PyFloat, PyInt, PyString},
};
use rulebus_core::{error::PatternError, json::string::escape_into, limits::PatternLimits};

struct Frame<'py> {
    children: Children<'py>,
    /// The member under way; `None` before the first.
    step: Option<Step<'py>>,
}

struct Writer<'a, 'py> {
    out: String,
    stack: Vec<Frame<'py>>,
    limits: &'a PatternLimits,
}

/// The JSON text of a pattern given as a dict (or as what should have been one).
pub fn write<'py>(value: &Bound<'py, PyAny>, limits: &PatternLimits) -> Result<String, PatternError> {
    let mut writer = Writer { out: String::new(), stack: Vec::new(), limits };
    writer.value(value)?;
    while let Some(frame) = writer.stack.last_mut() {
        if writer.out.len() > limits.max_pattern_bytes {
            break;
        }
        let array = frame.children.is_array();
        match frame.children.next() {
            Some((step, value)) => {
                if frame.step.is_some() {
                    writer.out.push(',');
                }
                let key = match &step {
                    Step::Key(key) => Some(key.clone()),
                    Step::Index(_) => None,
                };
                frame.step = Some(step);
                if let Some(key) = key {
                    writer.key(&key)?;
                }
                writer.value(&value)?;
            }
            None => {
                writer.out.push(if array { ']' } else { '}' });
                writer.stack.pop();
            }
        }
    }
    Ok(writer.out)
}

impl<'py> Writer<'_, 'py> {
    fn key(&mut self, key: &Bound<'py, PyAny>) -> Result<(), PatternError> {
        match key.cast::<PyString>() {
            Ok(name) => self.string(name)?,
            Err(_) => return Err(self.error("unsupported-type", key, "a key", "a str as the key")),
        }
        self.out.push(':');
        Ok(())
    }

    fn value(&mut self, value: &Bound<'py, PyAny>) -> Result<(), PatternError> {
        if let Ok(string) = value.cast::<PyString>() {
            self.string(string)
        } else if value.is_none() {
            self.text("null")
        } else if let Ok(truth) = value.cast::<PyBool>() {
            self.text(if truth.is_true() { "true" } else { "false" })
        } else if let Ok(integer) = value.cast::<PyInt>() {
            let mut number = Number::default();
            match number.integer(integer) {
                Ok(()) => self.text(&String::from_utf8_lossy(number.bytes())),
                Err(error) => {
                    Err(PatternError { message: reason(&error), ..self.error("unsupported-type", value, "a number", "a shorter number") })
                }
            }
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.float(float)
        } else if let Some(children) = Children::of(value) {
            self.enter(children)
        } else {
            Err(self.error("unsupported-type", value, "a value", "dict, list, tuple, str, int, float, bool or None"))
        }
    }

    fn enter(&mut self, children: Children<'py>) -> Result<(), PatternError> {
        self.out.push(if children.is_array() { '[' } else { '{' });
        // Two more than the parser allows: it refuses the text before it misses anything.
        if self.stack.len() <= self.limits.max_pattern_depth.saturating_add(2) {
            self.stack.push(Frame { children, step: None });
            Ok(())
        } else {
            self.text(if children.is_array() { "]" } else { "}" })
        }
    }

    fn float(&mut self, float: &Bound<'py, PyFloat>) -> Result<(), PatternError> {
        if !float.value().is_finite() {
            let message = format!("{} has no JSON form", float.value().to_string().to_lowercase());
            return Err(PatternError { message, ..self.error("number-not-finite", float, "a number", "a finite number") });
        }
        // As Python writes it, so that a pattern prints the way its author knows it.
        match float.py().get_type::<PyFloat>().call_method1("__repr__", (float,)) {
            Ok(text) => self.text(&text.to_string()),
            Err(_) => Err(self.error("unsupported-type", float, "a number", "a finite number")),
        }
    }

    fn string(&mut self, string: &Bound<'py, PyString>) -> Result<(), PatternError> {
        match wtf8(string) {
            Ok(text) => {
                escape_into(&text, &mut self.out);
                Ok(())
            }
            Err(_) => Err(self.error("unsupported-type", string, "a text", "a str that can be encoded")),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), PatternError> {
        self.out.push_str(text);
        Ok(())
    }

    #[cold]
    fn error(&self, code: &'static str, value: &Bound<'_, PyAny>, what: &str, expected: &str) -> PatternError {
        let type_name = value.get_type().qualname().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        let place = Place::of(self.out.as_bytes(), self.out.len(), 0);
        PatternError {
            code,
            message: format!("{what} of type {type_name} has no JSON form"),
            pointer: pointer(self.stack.iter().filter_map(|frame| frame.step.as_ref())),
            offset: self.out.len(),
            length: 1,
            line: place.line,
            column: place.column,
            expected: expected.to_owned(),
            aws_message: "Event pattern is not valid JSON".to_owned(),
            excerpt: place.excerpt,
        }
    }
}
