//! The class `Matcher`: a live rule set with names. The path of `match` is short on purpose: take the event in, ask the
//! current snapshot, hand out the names.

use crate::{
    batch,
    buffer::{Array, Numbers},
    errors::{Fault, capacity_err, pattern_err, rule_set_err},
    heap,
    input::{Event, Lines},
    lines::{LinesResult, line_faults, pairs},
    names::{Name, Names},
    object,
    options::{Options, threads},
    pattern::{Source, explanation},
};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyDict, PyList, PyMemoryView},
};
use rulebus_core::{
    pattern,
    store::{Change, Put, Refused, RuleId, RuleSet, Scratch, Snapshot},
    walk::Validation,
};
use std::cell::Cell;

/// Events up to this size are matched without letting other threads in: a switch costs more than the match.
const SMALL_EVENT: usize = 32 << 10;
/// So many rules are placed before they take their turn among the changes, which then wait for less than that takes.
const PLACED_BEFORE: usize = 512;
/// After so many rules in one change memory is given back.
const MANY_RULES: usize = 16_384;

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Lends this thread's working memory. A nested use (a finalizer that matches) gets its own.
#[inline]
pub fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take().unwrap_or_default();
    let result = work(&mut scratch);
    if scratch.is_small() {
        SCRATCH.set(Some(scratch));
    }
    result
}

/// Matches an event; the rules stand in `scratch.matches`.
#[inline]
fn find(py: Python<'_>, snapshot: &Snapshot, level: Validation, event: &Bound<'_, PyAny>, scratch: &mut Scratch) -> PyResult<()> {
    match Event::of(event)? {
        Event::Text(text) => {
            let result = if text.len() <= SMALL_EVENT {
                snapshot.match_text(&text, level, scratch)
            } else {
                py.detach(|| snapshot.match_text(&text, level, scratch))
            };
            result.map_err(|error| Fault::in_text(error, &text).to_err(py))
        }
        Event::Dict(dict) => find_in_dict(snapshot, dict, scratch).map_err(|fault| fault.to_err(py)),
    }
}

/// Matches an event that is a dict.
pub fn find_in_dict(snapshot: &Snapshot, event: &Bound<'_, PyDict>, scratch: &mut Scratch) -> Result<(), Fault> {
    object::walk(event, snapshot.trie(), snapshot.limits(), &mut scratch.leaves)?;
    Ok(snapshot.match_leaves(scratch)?)
}

/// Whether any rule matches.
pub fn any(py: Python<'_>, snapshot: &Snapshot, level: Validation, event: &Bound<'_, PyAny>, scratch: &mut Scratch) -> PyResult<bool> {
    match Event::of(event)? {
        Event::Text(text) => {
            let result = if text.len() <= SMALL_EVENT {
                snapshot.match_any(&text, level, scratch)
            } else {
                py.detach(|| snapshot.match_any(&text, level, scratch))
            };
            result.map_err(|error| Fault::in_text(error, &text).to_err(py))
        }
        Event::Dict(dict) => {
            find_in_dict(snapshot, dict, scratch).map_err(|fault| fault.to_err(py))?;
            Ok(!scratch.matches.is_empty())
        }
    }
}

/// Name, access, expected share of events, candidates and matches.
type Costs<'py> = Vec<(Bound<'py, PyAny>, Option<String>, f64, Option<(u64, u64)>)>;

/// A live set of rules; the native half of `rulebus.Matcher`.
#[pyclass(frozen, subclass, weakref, module = "rulebus._core")]
pub struct Matcher {
    rules: RuleSet,
    names: Names,
    options: Options,
}

#[pymethods]
impl Matcher {
    #[new]
    #[pyo3(signature = (**options))]
    fn new(options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = Options::read(options)?;
        let rules = if options.adapt { RuleSet::adapting(options.event) } else { RuleSet::new(options.event) };
        Ok(Self { rules, names: Names::default(), options })
    }

    /// The names of the rules that match the event, in the order in which the rules were put.
    ///
    /// The event is bytes, bytearray, memoryview, str or dict. Raises EventError for what is no event, TypeError for
    /// what cannot be one.
    #[pyo3(name = "match", signature = (event, /))]
    fn match_event<'py>(&self, event: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = event.py();
        with_scratch(|scratch| {
            let snapshot = self.rules.guard();
            find(py, &snapshot, self.options.level, event, scratch)?;
            self.names.list(py, &snapshot, &scratch.matches)
        })
    }

    /// Whether any rule matches the event; stops at the first.
    #[pyo3(signature = (event, /))]
    fn matches(&self, event: &Bound<'_, PyAny>) -> PyResult<bool> {
        with_scratch(|scratch| any(event.py(), &self.rules.guard(), self.options.level, event, scratch))
    }

    /// The result of `match` for each of the events, an iterable; all against the same rules.
    ///
    /// In the place of a bad event stands its EventError. `threads` = 0 uses as many as there are processors.
    #[pyo3(signature = (events, threads = 1))]
    fn match_many<'py>(&self, events: &Bound<'py, PyAny>, threads: isize) -> PyResult<Bound<'py, PyList>> {
        batch::match_many(events, &self.rules.load(), &self.names, self.options.level, self::threads(threads)?)
    }

    /// Matches each line of JSON lines, all against the same rules; a LinesResult.
    ///
    /// The buffer is bytes, bytearray, memoryview, mmap or str; bytes and read-only maps are not copied. What is mapped
    /// must not be rewritten or shortened during the call, by any process; it may grow.
    #[pyo3(signature = (buffer, threads = 1))]
    fn match_lines(&self, buffer: &Bound<'_, PyAny>, threads: isize) -> PyResult<LinesResult> {
        let (py, lines, threads) = (buffer.py(), Lines::of(buffer)?, self::threads(threads)?);
        let (bytes, snapshot) = (lines.bytes(), self.rules.load());
        let matched = py.detach(|| snapshot.match_lines(bytes, self.options.level, threads));
        LinesResult::new(py, matched, bytes, |rules| self.names.all(py, &snapshot, rules))
    }

    /// Whether any rule matches, for each line of JSON lines: a memoryview of uint8, without a copy.
    ///
    /// 1 where one matches, 0 where none does, 255 for a line that is no event. Stops at the first match of a line.
    /// The buffer is as in `match_lines`.
    #[pyo3(signature = (buffer, threads = 1))]
    fn matches_lines<'py>(&self, buffer: &Bound<'py, PyAny>, threads: isize) -> PyResult<Bound<'py, PyMemoryView>> {
        let (py, lines, threads) = (buffer.py(), Lines::of(buffer)?, self::threads(threads)?);
        let (bytes, snapshot) = (lines.bytes(), self.rules.load());
        let answers = py.detach(|| snapshot.any_lines(bytes, self.options.level, threads));
        PyMemoryView::from(Bound::new(py, Array::new(Numbers::U8(answers.into())))?.as_any())
    }

    fn _count_lines<'py>(&self, buffer: &Bound<'py, PyAny>, threads: isize) -> PyResult<(Bound<'py, PyDict>, usize, Bound<'py, PyAny>)> {
        let (py, lines, threads) = (buffer.py(), Lines::of(buffer)?, self::threads(threads)?);
        let (bytes, snapshot) = (lines.bytes(), self.rules.load());
        let (counts, rules, faults) = py.detach(|| {
            let counts = snapshot.count_lines(bytes, self.options.level, threads);
            let count = |rule: &u32| counts.by_rule.get(*rule as usize).copied().unwrap_or(0);
            let rules: Vec<u32> = snapshot.rules().into_iter().filter(|rule| count(rule) > 0).collect();
            let faults = line_faults(bytes, &counts.errors);
            (counts, rules, faults)
        });
        let dict = PyDict::new(py);
        for (name, rule) in self.names.all(py, &snapshot, &rules)?.into_iter().zip(&rules) {
            dict.set_item(name, counts.by_rule[*rule as usize])?;
        }
        Ok((dict, counts.events, pairs(py, &faults)?.into_any()))
    }

    fn _put(&self, py: Python<'_>, name: Bound<'_, PyAny>, pattern: &Bound<'_, PyAny>) -> PyResult<()> {
        let limits = &self.options.pattern;
        let tree = Source::of(pattern, limits)?.read(limits).map_err(|error| pattern_err(py, &error))?;
        let put = |(), replaces: &[Option<RuleId>]| {
            let put = vec![Put { replaces: replaces[0], pattern: tree }];
            self.rules.apply(Change { remove: vec![], put })
        };
        self.names.put(py, vec![Name::of(name)?], |_| Ok(()), put)?.map_err(|error| capacity_err(py, error.to_string()))
    }

    fn _update<'py>(&self, rules: &Bound<'py, PyDict>) -> PyResult<()> {
        let (py, limits) = (rules.py(), &self.options.pattern);
        let items: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = rules.iter().collect();
        let sources = items.iter().map(|(_, pattern)| Source::of(pattern, limits)).collect::<PyResult<Vec<_>>>()?;
        let read = py.detach(|| self.rules.read(&sources, |source| source.read(limits), 0));
        drop(sources);
        let draft = read.map_err(|refused| match refused {
            Refused::Patterns(errors) => rule_set_err(py, errors.into_iter().map(|(at, error)| (items[at].0.clone(), error)).collect()),
            Refused::Capacity(error) => capacity_err(py, error.to_string()),
        })?;
        let names = items.into_iter().map(|(name, _)| Name::of(name)).collect::<PyResult<Vec<_>>>()?;
        let many = names.len() >= MANY_RULES;
        let put = if names.len() < PLACED_BEFORE {
            self.names.put(py, names, |_| Ok(draft), |draft, replaces| self.rules.put_draft(draft, replaces))
        } else {
            let place = |replaces: &[Option<RuleId>]| py.detach(|| self.rules.place(draft, replaces));
            self.names.put(py, names, place, |placed, replaces| Ok(self.rules.put_placed(placed, replaces)))
        };
        put?.map_err(|error| capacity_err(py, error.to_string()))?;
        if many {
            py.detach(heap::give_back);
        }
        Ok(())
    }

    fn _remove(&self, py: Python<'_>, name: Bound<'_, PyAny>) -> PyResult<bool> {
        self.names.remove(py, &self.rules, &Name::of(name)?)
    }

    /// Merges all parts of the index into one, in this thread; other threads may match and change rules meanwhile.
    ///
    /// Merges happen by themselves, in a background thread. This is for the moment before a fork, so that children share
    /// the memory, and for measurements. COST: one to four seconds a million rules.
    fn compact(&self, py: Python<'_>) {
        py.detach(|| {
            self.rules.compact();
            heap::give_back();
        });
    }

    /// Counts what the events of a sample hold, JSON lines, and builds the index anew for events like those.
    ///
    /// The index sees rules, not events: it may look rules up by a value that is rare among them and in nearly every
    /// event. With a sample it knows better, also for the rules that are put later. Answers never change, only their
    /// costs (see `costs`). Lines that are no events do not count. Returns the number of events; without any, nothing
    /// changes. COST: one to four microseconds a rule and a match for each event; other threads go on meanwhile.
    #[pyo3(signature = (sample, /))]
    fn tune(&self, sample: &Bound<'_, PyAny>) -> PyResult<usize> {
        let lines = Lines::of(sample)?;
        let bytes = lines.bytes();
        Ok(sample.py().detach(|| self.rules.tune(bytes, self.options.level)))
    }

    fn _costs<'py>(&self, py: Python<'py>, sample: Option<&Bound<'py, PyAny>>) -> PyResult<(Costs<'py>, usize)> {
        let lines = sample.map(Lines::of).transpose()?;
        let (sample, snapshot) = (lines.as_ref().map(|lines| (lines.bytes(), self.options.level)), self.rules.load());
        let (costs, events) = py.detach(|| snapshot.costs(sample));
        let rules: Vec<RuleId> = costs.iter().map(|cost| cost.rule).collect();
        let names = self.names.all(py, &snapshot, &rules)?;
        Ok((names.into_iter().zip(costs).map(|(name, c)| (name, c.access, c.expected, c.observed)).collect(), events))
    }

    fn _work(&self) -> (u64, u64, u64) {
        let work = self.rules.work();
        (work.at_once, work.most_at_once, work.in_background)
    }

    fn _wait_for_merges(&self, py: Python<'_>) {
        py.detach(|| self.rules.wait_for_merges());
    }

    /// Removes all rules.
    fn clear(&self, py: Python<'_>) {
        self.names.clear(py, &self.rules);
    }

    fn _pattern(&self, py: Python<'_>, name: Bound<'_, PyAny>) -> PyResult<Option<String>> {
        Ok(self.names.pattern(py, &self.rules, &Name::of(name)?)?.map(|tree| pattern::print(&tree)))
    }

    fn _explain(&self, py: Python<'_>, name: Bound<'_, PyAny>, event: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
        let tree = self.names.pattern(py, &self.rules, &Name::of(name)?)?;
        tree.map(|tree| explanation(py, &tree, event, self.options.level, self.options.event)).transpose()
    }

    fn _names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let snapshot = self.rules.load();
        let rules = py.detach(|| snapshot.rules());
        self.names.list(py, &snapshot, &rules)
    }

    fn _items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyAny>, String)>> {
        let snapshot = self.rules.load();
        let (rules, texts): (Vec<_>, Vec<_>) =
            py.detach(|| snapshot.patterns().into_iter().map(|(rule, tree)| (rule, pattern::print(&tree))).unzip());
        Ok(self.names.all(py, &snapshot, &rules)?.into_iter().zip(texts).collect())
    }

    fn _options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.options.to_dict(py)
    }

    fn _stats(&self) -> (usize, usize, usize, usize, usize, u64, usize, u64, u64) {
        let snapshot = self.rules.load();
        let s = snapshot.stats();
        (s.rules, s.conjunctions, s.paths, s.operands, s.size_bytes, s.generation, s.segments, s.observed, s.adapted)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.names.len(py)
    }

    fn __contains__(&self, py: Python<'_>, name: Bound<'_, PyAny>) -> PyResult<bool> {
        self.names.contains(py, &Name::of(name)?)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.names.traverse(&visit)
    }

    fn __clear__(&self) {
        Python::attach(|py| self.names.take_apart(py));
    }
}
