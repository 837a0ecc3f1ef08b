//! Many events in one call. Texts are gathered in pieces and matched without the interpreter, on several threads if
//! asked; dicts are walked where they are. A bad event becomes its error in the result, never the loss of the batch.

use crate::{
    errors::Fault,
    input::Event,
    matcher::{find_in_dict, with_scratch},
    names::Names,
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString},
};
use rulebus_core::{
    store::{RuleId, Scratch, Snapshot},
    walk::Validation,
};
use std::borrow::Cow;

/// Events gathered before they are matched, for each thread.
const PIECE: usize = 1024;
/// Fewer texts than this are not worth a thread.
const SHARE: usize = 128;

/// Matches of some texts: all rules, and where those of each text end, or why it is no event.
#[derive(Default)]
struct Part {
    rules: Vec<RuleId>,
    ends: Vec<Result<usize, Box<Fault>>>,
}

/// A list with the names of the rules that match, or an `EventError`, for each event.
pub fn match_many<'py>(
    events: &Bound<'py, PyAny>,
    snapshot: &Snapshot,
    names: &Names,
    level: Validation,
    threads: usize,
) -> PyResult<Bound<'py, PyList>> {
    let one = events.is_instance_of::<PyBytes>()
        || events.is_instance_of::<PyString>()
        || events.is_instance_of::<PyDict>()
        || events.is_instance_of::<PyByteArray>()
        || events.is_instance_of::<PyMemoryView>();
    if one {
        return Err(PyTypeError::new_err("match_many takes an iterable of events; for one event use match, for JSON lines match_lines"));
    }
    let mut iterator = events.try_iter()?;
    let out = PyList::empty(events.py());
    loop {
        let piece = iterator.by_ref().take(PIECE * threads).collect::<PyResult<Vec<_>>>()?;
        if piece.is_empty() {
            return Ok(out);
        }
        match_piece(&piece, snapshot, names, level, threads, &out)?;
    }
}

fn match_piece<'py>(
    events: &[Bound<'py, PyAny>],
    snapshot: &Snapshot,
    names: &Names,
    level: Validation,
    threads: usize,
    out: &Bound<'py, PyList>,
) -> PyResult<()> {
    let py = out.py();
    let mut texts: Vec<Cow<'_, [u8]>> = Vec::with_capacity(events.len());
    let mut others: Vec<Option<Bound<'py, PyAny>>> = Vec::with_capacity(events.len());
    for event in events {
        others.push(match Event::of(event) {
            Ok(Event::Text(text)) => {
                texts.push(text);
                None
            }
            Ok(Event::Dict(dict)) => Some(with_scratch(|scratch| match find_in_dict(snapshot, dict, scratch) {
                Ok(()) => Ok(names.list(py, snapshot, &scratch.matches)?.into_any()),
                Err(fault) => fault.to_object(py),
            })?),
            Err(error) => Some(Fault::not_an_event(error, py).to_object(py)?),
        });
    }
    let parts = py.detach(|| match_texts(&texts, snapshot, level, threads));
    let mut matched = parts.iter().flat_map(|part| {
        let mut start = 0;
        part.ends.iter().map(move |end| {
            end.as_ref().map(|end| {
                let rules = &part.rules[start..*end];
                start = *end;
                rules
            })
        })
    });
    for other in others {
        match other.map_or_else(|| Err(matched.next()), Ok) {
            Ok(other) => out.append(other)?,
            Err(Some(Ok(rules))) => out.append(names.list(py, snapshot, rules)?)?,
            Err(Some(Err(fault))) => out.append(fault.to_object(py)?)?,
            // There is a result for every text.
            Err(None) => {}
        }
    }
    Ok(())
}

fn match_texts(texts: &[Cow<'_, [u8]>], snapshot: &Snapshot, level: Validation, threads: usize) -> Vec<Part> {
    let shares = threads.min(texts.len().div_ceil(SHARE)).max(1);
    if shares == 1 {
        return vec![with_scratch(|scratch| match_share(texts, snapshot, level, scratch))];
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = texts
            .chunks(texts.len().div_ceil(shares))
            .map(|share| scope.spawn(move || match_share(share, snapshot, level, &mut Scratch::default())))
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn match_share(texts: &[Cow<'_, [u8]>], snapshot: &Snapshot, level: Validation, scratch: &mut Scratch) -> Part {
    let mut part = Part { rules: Vec::new(), ends: Vec::with_capacity(texts.len()) };
    snapshot.match_each(texts.iter().map(|text| &**text), level, false, scratch, |text, found| {
        part.ends.push(match found {
            Ok(rules) => {
                part.rules.extend_from_slice(rules);
                Ok(part.rules.len())
            }
            Err(error) => Err(Box::new(Fault::in_text(error, text))),
        });
    });
    part
}
