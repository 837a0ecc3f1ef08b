//! The keyword arguments of matchers and patterns: validation level and limits, by the names of the core.

use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};
use rulebus_core::{
    compile::resolve::MOST_PATHS,
    limits::{EventLimits, PatternLimits},
    walk::Validation,
};

/// Deepest patterns that may be asked for: what reads, prints and compiles them recurses.
const DEEPEST_PATTERN: usize = 1000;

/// How a matcher reads events and patterns.
#[derive(Clone, Copy)]
pub struct Options {
    /// Whether a matcher observes events and places rules by what it observed.
    pub adapt: bool,
    /// How much of an event is checked.
    pub level: Validation,
    /// Limits on events.
    pub event: EventLimits,
    /// Limits on patterns.
    pub pattern: PatternLimits,
}

impl Default for Options {
    fn default() -> Self {
        let (event, pattern) = (EventLimits::default(), PatternLimits::default());
        Self { adapt: true, level: Validation::default(), event, pattern }
    }
}

impl Options {
    /// Reads keyword arguments; those not given keep their defaults.
    pub fn read(given: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = Self::default();
        for (key, value) in given.into_iter().flatten() {
            options.set(key.extract()?, &value).map_err(|error| named(error, &key))?;
        }
        if options.pattern.max_pattern_depth > DEEPEST_PATTERN {
            return Err(PyValueError::new_err(format!("max_pattern_depth is at most {DEEPEST_PATTERN}")));
        }
        if options.pattern.max_pattern_paths > MOST_PATHS {
            return Err(PyValueError::new_err(format!("max_pattern_paths is at most {MOST_PATHS}")));
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match key {
            "adapt" => self.adapt = value.extract()?,
            "validation" => self.level = level(value.extract()?)?,
            "max_event_bytes" => self.event.max_event_bytes = value.extract()?,
            "max_event_depth" => self.event.max_event_depth = value.extract()?,
            "max_event_values" => self.event.max_event_values = value.extract()?,
            "max_array_steps" => self.event.max_array_steps = value.extract()?,
            "max_pattern_bytes" => self.pattern.max_pattern_bytes = value.extract()?,
            "max_pattern_depth" => self.pattern.max_pattern_depth = value.extract()?,
            "max_pattern_paths" => self.pattern.max_pattern_paths = value.extract()?,
            "max_or_branches" => self.pattern.max_or_branches = value.extract()?,
            "max_wildcard_complexity" => self.pattern.max_wildcard_complexity = value.extract()?,
            _ => return Err(pyo3::exceptions::PyTypeError::new_err("there is no such option")),
        }
        Ok(())
    }

    /// The options as keyword arguments.
    pub fn to_dict<'py>(self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("adapt", self.adapt)?;
        dict.set_item("validation", name(self.level))?;
        dict.set_item("max_event_bytes", self.event.max_event_bytes)?;
        dict.set_item("max_event_depth", self.event.max_event_depth)?;
        dict.set_item("max_event_values", self.event.max_event_values)?;
        dict.set_item("max_array_steps", self.event.max_array_steps)?;
        dict.set_item("max_pattern_bytes", self.pattern.max_pattern_bytes)?;
        dict.set_item("max_pattern_depth", self.pattern.max_pattern_depth)?;
        dict.set_item("max_pattern_paths", self.pattern.max_pattern_paths)?;
        dict.set_item("max_or_branches", self.pattern.max_or_branches)?;
        dict.set_item("max_wildcard_complexity", self.pattern.max_wildcard_complexity)?;
        Ok(dict)
    }
}

fn level(name: &str) -> PyResult<Validation> {
    match name {
        "strict" => Ok(Validation::Strict),
        "checked" => Ok(Validation::Checked),
        "trusted" => Ok(Validation::Trusted),
        _ => Err(PyValueError::new_err(format!("{name:?} is not one of \"strict\", \"checked\", \"trusted\""))),
    }
}

fn name(level: Validation) -> &'static str {
    match level {
        Validation::Strict => "strict",
        Validation::Checked => "checked",
        Validation::Trusted => "trusted",
    }
}

/// The error with the option's name before it; negative and huge numbers become `ValueError`.
fn named(error: PyErr, key: &Bound<'_, PyAny>) -> PyErr {
    Python::attach(|py| {
        let message = format!("{key}: {}", error.value(py));
        let is_type_error = error.is_instance_of::<pyo3::exceptions::PyTypeError>(py);
        if is_type_error { pyo3::exceptions::PyTypeError::new_err(message) } else { PyValueError::new_err(message) }
    })
}

/// A number of threads; 0 = as many as there are processors.
pub fn threads(given: isize) -> PyResult<usize> {
    match usize::try_from(given) {
        Ok(0) => Ok(std::thread::available_parallelism().map_or(1, |n| n.get())),
        Ok(threads) => Ok(threads.min(256)),
        Err(_) => Err(PyValueError::new_err("threads is 0 (as many as there are processors) or more")),
    }
}
