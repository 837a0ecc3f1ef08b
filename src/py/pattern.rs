//! The class `Pattern`: one pattern by itself. Also where pattern texts of every kind are taken in.

use crate::{
    errors::{Fault, capacity_err, pattern_err, wrong_type},
    input::{Event, text},
    matcher::with_scratch,
    object,
    options::Options,
    source,
};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyDict, PyString},
};
use rulebus_core::{
    compile::accept,
    error::PatternError,
    explain::{explain, explain_leaves},
    limits::{EventLimits, PatternLimits},
    pattern::{self, tree},
    store::{Change, Put, RuleSet, Snapshot},
    walk::Validation,
};
use std::{borrow::Cow, sync::Arc};

/// A pattern as given: already read, or text.
pub enum Source<'a> {
    /// The tree of a `Pattern`.
    Read(tree::Pattern),
    /// JSON text.
    Text(Cow<'a, [u8]>),
    /// A dict that is no JSON.
    Bad(Box<PatternError>),
}

impl<'a> Source<'a> {
    /// A pattern given as `str`, bytes, dict or `Pattern`; `TypeError` for anything else.
    pub fn of(object: &'a Bound<'_, PyAny>, limits: &PatternLimits) -> PyResult<Self> {
        if let Ok(pattern) = object.cast::<Pattern>() {
            return Ok(Self::Read(pattern.get().tree.clone()));
        }
        if object.is_instance_of::<PyDict>() {
            return Ok(source::write(object, limits)
                .map_or_else(|error| Self::Bad(error.into()), |text| Self::Text(Cow::Owned(text.into_bytes()))));
        }
        text(object)?.map(Self::Text).ok_or_else(|| wrong_type("a pattern is str, bytes, dict or Pattern", object))
    }

    /// The tree, or why there is none. Needs no interpreter.
    pub fn read(&self, limits: &PatternLimits) -> Result<tree::Pattern, PatternError> {
        match self {
            Self::Read(tree) => Ok(tree.clone()),
            Self::Text(text) => accept(text, limits),
            Self::Bad(error) => Err((**error).clone()),
        }
    }
}

/// Explains a pattern and an event; JSON text, see the core.
pub fn explanation(
    py: Python<'_>,
    tree: &tree::Pattern,
    event: &Bound<'_, PyAny>,
    level: Validation,
    limits: EventLimits,
) -> PyResult<String> {
    match Event::of(event)? {
        Event::Text(text) => py.detach(|| explain(tree, &text, level, limits)).map_err(|error| Fault::in_text(error, &text).to_err(py)),
        // Its text says more: which keys stand where one was looked for.
        Event::Dict(dict) => match source::write(dict, &whole(&limits)) {
            Ok(text) if text.len() <= limits.max_event_bytes => explanation(py, tree, PyString::new(py, &text).as_any(), level, limits),
            // What cannot be written out may stand where no condition looks.
            _ => explain_leaves(tree, limits, |snapshot, scratch| {
                object::walk(dict, snapshot.trie(), snapshot.limits(), &mut scratch.leaves)
            })
            .map_err(|fault| fault.to_err(py)),
        },
    }
}

/// Limits for writing out a whole event.
fn whole(limits: &EventLimits) -> PatternLimits {
    PatternLimits { max_pattern_bytes: limits.max_event_bytes, max_pattern_depth: limits.max_event_depth, ..PatternLimits::default() }
}

/// One event pattern, read and checked; the native half of `rulebus.Pattern`.
#[pyclass(frozen, subclass, weakref, module = "rulebus._core")]
pub struct Pattern {
    tree: tree::Pattern,
    json: String,
    options: Options,
    alone: PyOnceLock<Arc<Snapshot>>,
}

#[pymethods]
impl Pattern {
    #[new]
    #[pyo3(signature = (source, **options))]
    fn new(py: Python<'_>, source: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Options::read(options)?;
        let tree = Source::of(source, &options.pattern)?.read(&options.pattern).map_err(|error| pattern_err(py, &error))?;
        let json = pattern::print(&tree);
        Ok(Self { tree, json, options, alone: PyOnceLock::new() })
    }

    /// The canonical JSON text: no blanks, keys joined with dots, numbers as they were written.
    #[getter]
    fn json(&self) -> &str {
        &self.json
    }

    /// Whether the pattern matches the event (bytes, bytearray, memoryview, str or dict).
    ///
    /// Raises EventError for what is no event and TypeError for what cannot be one.
    #[pyo3(signature = (event, /))]
    fn matches(&self, py: Python<'_>, event: &Bound<'_, PyAny>) -> PyResult<bool> {
        let snapshot = self.alone.get_or_try_init(py, || {
            let set = RuleSet::new(self.options.event);
            set.apply(Change { remove: vec![], put: vec![Put { replaces: None, pattern: self.tree.clone() }] })
                .map_err(|error| capacity_err(py, error.to_string()))?;
            PyResult::Ok(set.load())
        })?;
        with_scratch(|scratch| crate::matcher::any(py, snapshot, self.options.level, event, scratch))
    }

    fn _explain(&self, py: Python<'_>, event: &Bound<'_, PyAny>) -> PyResult<String> {
        explanation(py, &self.tree, event, self.options.level, self.options.event)
    }

    fn _options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.options.to_dict(py)
    }
}
