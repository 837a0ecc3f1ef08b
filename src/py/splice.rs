//! The classes `Selector` and `Splicer`: byte-exact selection for `rulebus.transform`, which reads paths and templates.
//! What arrives here is compiled already; only types are looked at.

use crate::{errors::Fault, errors::wrong_type, input};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyBytes, PyInt, PyList, PyString, PyTuple},
};
use rulebus_core::{
    error::{EventError, EventErrorCode},
    select::{Broken, Form, Found, Paths, Piece, Refusal, Splice, Step},
};
use std::borrow::Cow;

/// Bodies up to this size are read without letting other threads in: a switch costs more than the scan.
const SMALL: usize = 32 << 10;

/// A path: names are `str`, places `int`, all elements `None`.
fn steps(path: &Bound<'_, PyAny>) -> PyResult<Vec<Step>> {
    path.try_iter()?
        .map(|step| {
            let step = step?;
            if step.is_none() {
                return Ok(Step::All);
            }
            if let Ok(name) = step.cast::<PyString>() {
                return Ok(Step::Name(input::wtf8(name)?.into_owned()));
            }
            match step.cast::<PyInt>() {
                Ok(index) => Ok(Step::Index(index.extract()?)),
                Err(_) => Err(wrong_type("a step is str, int or None", &step)),
            }
        })
        .collect()
}

fn body<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    input::text(object)?.ok_or_else(|| wrong_type("an event is bytes, bytearray, memoryview or str", object))
}

fn broken(py: Python<'_>, broken: Broken, text: &[u8]) -> PyErr {
    let code = if broken.offset >= text.len() { EventErrorCode::Truncated } else { EventErrorCode::UnexpectedByte };
    Fault::in_text(EventError { code, offset: broken.offset }, text).to_err(py)
}

/// The values of one path.
#[pyclass(frozen, module = "rulebus._core")]
pub struct Selector {
    paths: Paths,
}

impl Selector {
    fn scan(&self, py: Python<'_>, text: &[u8], found: &mut Found) -> PyResult<()> {
        let result = if text.len() <= SMALL { self.paths.scan(text, found) } else { py.detach(|| self.paths.scan(text, found)) };
        result.map_err(|error| broken(py, error, text))
    }
}

#[pymethods]
impl Selector {
    #[new]
    #[pyo3(signature = (path, /))]
    fn new(path: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut paths = Paths::default();
        paths.add(&steps(path)?);
        Ok(Self { paths })
    }

    /// The first value's JSON text, or None.
    #[pyo3(signature = (event, /))]
    fn one<'py>(&self, event: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let text = body(event)?;
        let mut found = Found::default();
        self.scan(event.py(), &text, &mut found)?;
        Ok(found.first(0).map(|span| PyBytes::new(event.py(), span.of(&text))))
    }

    /// The JSON text of every value, in the event's order.
    #[pyo3(signature = (event, /))]
    fn all<'py>(&self, event: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let text = body(event)?;
        let mut found = Found::default();
        self.scan(event.py(), &text, &mut found)?;
        let values = found.values(0).into_iter().flatten();
        PyList::new(event.py(), values.map(|span| PyBytes::new(event.py(), span.of(&text))).collect::<Vec<_>>())
    }
}

/// A text with places for values.
#[pyclass(frozen, module = "rulebus._core")]
pub struct Splicer {
    splice: Splice,
}

fn form(name: &str) -> PyResult<Form> {
    Ok(match name {
        "value" => Form::Value,
        "name" => Form::Name,
        "inside" => Form::Inside,
        "bare" => Form::Bare,
        "part" => Form::Part,
        "needed" => Form::Needed,
        _ => return Err(PyValueError::new_err(format!("no such form: {name}"))),
    })
}

#[pymethods]
impl Splicer {
    /// Pieces are bytes (a literal), an int (a given string, by its place), or a pair of a path and a form.
    #[new]
    #[pyo3(signature = (pieces, longest, /))]
    fn new(pieces: &Bound<'_, PyAny>, longest: usize) -> PyResult<Self> {
        let mut paths = Paths::default();
        let pieces = pieces
            .try_iter()?
            .map(|piece| {
                let piece = piece?;
                if let Ok(literal) = piece.cast::<PyBytes>() {
                    return Ok(Piece::Literal(literal.as_bytes().to_vec()));
                }
                if let Ok(given) = piece.cast::<PyInt>() {
                    return Ok(Piece::Given(given.extract()?));
                }
                let (path, name): (Bound<'_, PyAny>, Bound<'_, PyString>) = piece.extract()?;
                Ok(Piece::Value(paths.add(&steps(&path)?), form(name.to_str()?)?))
            })
            .collect::<PyResult<Vec<_>>>()?;
        Ok(Self { splice: Splice::new(paths, pieces, longest) })
    }

    /// The text for an event; or, where none can be made, the number of the piece at fault, -1 if it would be too long.
    ///
    /// Raises EventError for what is no JSON.
    #[pyo3(signature = (event, given = None, /))]
    fn splice<'py>(&self, event: &Bound<'py, PyAny>, given: Option<&Bound<'py, PyTuple>>) -> PyResult<Bound<'py, PyAny>> {
        let py = event.py();
        let text = body(event)?;
        let strings = given.map(|g| g.iter().map(|s| Ok(s.cast_into::<PyBytes>()?)).collect::<PyResult<Vec<_>>>()).transpose()?;
        let strings: Vec<&[u8]> = strings.iter().flatten().map(|s| s.as_bytes()).collect();
        let (mut found, mut out) = (Found::default(), Vec::new());
        let result = if text.len() <= SMALL {
            self.splice.write(&text, &strings, &mut found, &mut out)
        } else {
            py.detach(|| self.splice.write(&text, &strings, &mut found, &mut out))
        };
        let fault = match result {
            Ok(()) => return Ok(PyBytes::new(py, &out).into_any()),
            Err(Refusal::Broken(error)) => return Err(broken(py, error, &text)),
            Err(Refusal::Misplaced(piece) | Refusal::Missing(piece)) => piece as isize,
            Err(Refusal::TooLong) => -1,
        };
        Ok(fault.into_pyobject(py)?.into_any())
    }
}
