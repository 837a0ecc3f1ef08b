//! The class `LinesResult`: matches of JSON lines as two arrays, lists of names only where they are asked for.
//! Rules are numbered anew within a result, from 0, in the order in which they first matched.

use crate::{
    buffer::{Array, Numbers},
    errors::Fault,
};
use pyo3::{
    exceptions::{PyIndexError, PyTypeError},
    prelude::*,
    types::{PyDict, PyInt, PyList, PyMemoryView, PySlice, PyTuple},
};
use rulebus_core::{
    map::Map,
    store::{LineError, Lines, RuleId},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many rules are numbered by a table, however few matches there are.
const TABLE: usize = 4096;

/// The matches of many events: a sequence with, for each event, the list of the names of its rules, or its EventError.
#[pyclass(frozen, module = "rulebus._core")]
pub struct LinesResult {
    offsets: Py<Array>,
    rules: Py<Array>,
    names: Py<PyTuple>,
    /// Ordered by event.
    faults: Vec<(usize, Fault)>,
}

impl LinesResult {
    /// The result for a buffer; `names` gives the names of rules.
    pub fn new<'py>(
        py: Python<'py>,
        matched: Lines,
        buffer: &[u8],
        names: impl FnOnce(&[RuleId]) -> PyResult<Vec<Bound<'py, PyAny>>>,
    ) -> PyResult<Self> {
        let Lines { offsets, mut rules, errors } = matched;
        let (met, faults) = py.detach(|| (renumber(&mut rules), line_faults(buffer, &errors)));
        Ok(Self {
            offsets: Py::new(py, Array::new(Numbers::U64(offsets.into())))?,
            rules: Py::new(py, Array::new(Numbers::U32(rules.into())))?,
            names: PyTuple::new(py, names(&met)?)?.unbind(),
            faults,
        })
    }

    fn event<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(at) = self.faults.binary_search_by_key(&index, |(event, _)| *event) {
            return self.faults[at].1.to_object(py);
        }
        let (offsets, rules, names) = (self.offsets.get(), self.rules.get(), self.names.bind(py));
        let range = offsets.at(index) as usize..offsets.at(index + 1) as usize;
        let found = range.map(|at| names.get_item(rules.at(at) as usize)).collect::<PyResult<Vec<_>>>()?;
        Ok(PyList::new(py, found)?.into_any())
    }
}

#[pymethods]
impl LinesResult {
    /// uint64, one more than there are events: `rules[offsets[i]:offsets[i + 1]]` are the matches of event i.
    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(self.offsets.bind(py).as_any())
    }

    /// uint32: for each match the number of the rule, an index into `names`.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(self.rules.bind(py).as_any())
    }

    /// The names of the rules that matched any event.
    #[getter]
    fn names(&self, py: Python<'_>) -> Py<PyTuple> {
        self.names.clone_ref(py)
    }

    /// The bad events: a tuple of (index of the event, EventError). Line, column and offset are those in the buffer.
    #[getter]
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        pairs(py, &self.faults)
    }

    /// How many events each rule matched: a dict from name to number.
    fn count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (rules, names) = (self.rules.get(), self.names.bind(py));
        let mut counts = vec![0u64; names.len()];
        py.detach(|| (0..rules.len()).for_each(|at| counts[rules.at(at) as usize] += 1));
        let dict = PyDict::new(py);
        for (name, count) in names.iter().zip(counts) {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }

    fn __len__(&self) -> usize {
        self.offsets.get().len() - 1
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let len = self.__len__() as isize;
        if let Ok(slice) = index.cast::<PySlice>() {
            let picked = slice.indices(len)?;
            let events = (0..picked.slicelength as isize).map(|i| self.event(py, (picked.start + i * picked.step) as usize));
            return Ok(PyList::new(py, events.collect::<PyResult<Vec<_>>>()?)?.into_any());
        }
        if !index.is_instance_of::<PyInt>() {
            return Err(PyTypeError::new_err("an index is an int or a slice"));
        }
        let at: isize = index.extract().map_err(|_| PyIndexError::new_err("there is no such event"))?;
        let at = if at < 0 { at + len } else { at };
        if (0..len).contains(&at) { self.event(py, at as usize) } else { Err(PyIndexError::new_err("there is no such event")) }
    }

    fn __iter__(slf: Bound<'_, Self>) -> LinesIterator {
        LinesIterator { result: slf.unbind(), next: AtomicUsize::new(0) }
    }

    fn __repr__(&self) -> String {
        let (events, matches, bad) = (self.__len__(), self.rules.get().len(), self.faults.len());
        format!("<rulebus.LinesResult: {events} events, {matches} matches, {bad} errors>")
    }
}

/// Goes through a LinesResult event by event.
#[pyclass(frozen, module = "rulebus._core")]
pub struct LinesIterator {
    result: Py<LinesResult>,
    next: AtomicUsize,
}

#[pymethods]
impl LinesIterator {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (at, result) = (self.next.fetch_add(1, Ordering::Relaxed), self.result.get());
        (at < result.__len__()).then(|| result.event(py, at)).transpose()
    }
}

/// Numbers rules in the order of their first match; returns the old number of each.
///
/// A table of all rules is fast while it is not much larger than the matches; of a million rules it took 4 MB, whose
/// pages cost more than the matching of a thousand lines. Then a map of the rules that matched.
fn renumber(rules: &mut [RuleId]) -> Vec<RuleId> {
    const NEW: u32 = u32::MAX;
    let largest = rules.iter().max().map_or(0, |rule| *rule as usize + 1);
    let mut met: Vec<RuleId> = Vec::new();
    let mut number = |number: &mut u32, rule: RuleId| {
        if *number == NEW {
            *number = met.len() as u32;
            met.push(rule);
        }
        *number
    };
    if largest <= TABLE + 8 * rules.len() {
        let mut numbers = vec![NEW; largest];
        rules.iter_mut().for_each(|rule| *rule = number(&mut numbers[*rule as usize], *rule));
    } else {
        let mut numbers: Map<RuleId, u32> = Map::default();
        rules.iter_mut().for_each(|rule| *rule = number(numbers.entry(*rule).or_insert(NEW), *rule));
    }
    met
}

/// The errors of lines with their places in the whole buffer.
pub fn line_faults(buffer: &[u8], errors: &[LineError]) -> Vec<(usize, Fault)> {
    let (mut line, mut counted) = (0, 0);
    let fault = |error: &LineError| {
        line += buffer[counted..error.offset].iter().filter(|b| **b == b'\n').count();
        counted = error.offset;
        let rest = &buffer[error.offset..];
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        (error.event, Fault::in_line(error.error, &rest[..end], error.offset, line))
    };
    errors.iter().map(fault).collect()
}

/// (index, EventError) of each.
pub fn pairs<'py>(py: Python<'py>, faults: &[(usize, Fault)]) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, faults.iter().map(|(event, fault)| Ok((*event, fault.to_object(py)?))).collect::<PyResult<Vec<_>>>()?)
}
