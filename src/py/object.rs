//! Events given as Python objects: walked along the trie of needed paths, never written out as JSON. What is found is
//! put where the core's own walk puts it; the verdict is that of the object's JSON text.
//!
//! COST: a dict's members are all looked at, about 10 ns each; parts that no rule asks for are not entered.

use crate::{
    children::{Children, Step, pointer},
    errors::Fault,
    input::wtf8,
};
use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyString},
};
use rulebus_core::{
    error::EventErrorCode as Code,
    limits::EventLimits,
    path::{PathId, PathTrie, ROOT},
    walk::{Kind, Leaf, Leaves, Trail},
};
use std::io::Write as _;

/// A container under way.
struct Frame<'py> {
    node: PathId,
    /// The trail of what stands directly in it.
    trail: u32,
    /// Number of the array if its elements get trails of their own, else 0.
    array: u32,
    children: Children<'py>,
    /// The member under way.
    step: Option<Step<'py>>,
}

struct Walk<'a, 'py> {
    trie: &'a PathTrie,
    limits: &'a EventLimits,
    leaves: &'a mut Leaves,
    stack: Vec<Frame<'py>>,
    arrays: u32,
}

/// Fills `leaves` with the event's values on wanted paths.
pub fn walk(event: &Bound<'_, PyDict>, trie: &PathTrie, limits: &EventLimits, leaves: &mut Leaves) -> Result<(), Fault> {
    leaves.leaves.clear();
    leaves.unescaped.clear();
    leaves.trails.clear();
    leaves.trails.push(Trail { parent: 0, array: 0, index: 0 });
    let mut walk = Walk { trie, limits, leaves, stack: Vec::with_capacity(8), arrays: 0 };
    if trie.is_inner(ROOT) {
        walk.enter(ROOT, 0, Children::Dict(event.iter()), None)?;
        walk.run()?;
    }
    Ok(())
}

impl<'py> Walk<'_, 'py> {
    fn run(&mut self) -> Result<(), Fault> {
        while let Some(frame) = self.stack.last_mut() {
            let Some((step, value)) = frame.children.next() else {
                self.stack.pop();
                continue;
            };
            let (node, trail) = (frame.node, frame.trail);
            match step {
                Step::Key(key) => self.member(node, trail, key, value)?,
                Step::Index(index) => self.element(node, trail, index, value)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn member(&mut self, node: PathId, trail: u32, key: Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> Result<(), Fault> {
        let Ok(name) = key.cast::<PyString>() else {
            let message = format!("a key of type {} has no JSON form; keys are str", type_name(&key));
            return Err(self.fault(Code::UnsupportedType, None, Some(message)));
        };
        let found = match name.to_str() {
            Ok(text) => follow(self.trie, node, text.as_bytes()),
            Err(_) => wtf8(name).ok().and_then(|text| follow(self.trie, node, &text)),
        };
        match found {
            Some(kid) => self.value(kid, trail, Step::Key(key), &value),
            None => Ok(()),
        }
    }

    fn element(&mut self, node: PathId, outer: u32, index: usize, value: Bound<'py, PyAny>) -> Result<(), Fault> {
        let array = self.stack.last().map_or(0, |frame| frame.array);
        let nested = array != 0 && (value.is_instance_of::<PyDict>() || Children::of_array(&value).is_some());
        let trail = if nested {
            self.leaves.trails.push(Trail { parent: outer, array, index: index as u32 });
            self.leaves.trails.len() as u32 - 1
        } else {
            outer
        };
        self.value(node, trail, Step::Index(index), &value)
    }

    /// A value at a node that is wanted or has children.
    fn value(&mut self, node: PathId, trail: u32, step: Step<'py>, value: &Bound<'py, PyAny>) -> Result<(), Fault> {
        let wanted = self.trie.is_wanted(node);
        if let Ok(string) = value.cast::<PyString>() {
            return match string.to_str() {
                Ok(text) => self.leaf(wanted, node, trail, step, Kind::String, text.as_bytes()),
                Err(_) => match wtf8(string) {
                    Ok(text) => self.leaf(wanted, node, trail, step, Kind::String, &text),
                    Err(error) => Err(self.fault(Code::UnsupportedType, Some(&step), Some(reason(&error)))),
                },
            };
        }
        if value.is_none() {
            return self.leaf(wanted, node, trail, step, Kind::Null, b"null");
        }
        if let Ok(truth) = value.cast::<PyBool>() {
            let (kind, text): (Kind, &[u8]) = if truth.is_true() { (Kind::True, b"true") } else { (Kind::False, b"false") };
            return self.leaf(wanted, node, trail, step, kind, text);
        }
        if let Ok(integer) = value.cast::<PyInt>() {
            let mut text = Number::default();
            return match text.integer(integer) {
                Ok(()) => self.leaf(wanted, node, trail, step, Kind::Number, text.bytes()),
                Err(error) => Err(self.fault(Code::UnsupportedType, Some(&step), Some(reason(&error)))),
            };
        }
        if let Ok(float) = value.cast::<PyFloat>() {
            let mut text = Number::default();
            return match text.float(float.value()) {
                true => self.leaf(wanted, node, trail, step, Kind::Number, text.bytes()),
                false => Err(self.fault(Code::NotFinite, Some(&step), None)),
            };
        }
        match Children::of(value) {
            // Only what has children can be found in an object; an array may hold values of this very path.
            Some(children) if children.is_array() || self.trie.is_inner(node) => self.enter(node, trail, children, Some(step)),
            Some(_) => Ok(()),
            None => {
                let message =
                    format!("a value of type {} has no JSON form; use dict, list, tuple, str, int, float, bool or None", type_name(value));
                Err(self.fault(Code::UnsupportedType, Some(&step), Some(message)))
            }
        }
    }

    fn enter(&mut self, node: PathId, trail: u32, children: Children<'py>, step: Option<Step<'py>>) -> Result<(), Fault> {
        if self.stack.len() >= self.limits.max_event_depth {
            return Err(self.fault(Code::TooDeep, None, None));
        }
        let mut array = 0;
        if children.is_array() && self.trie.is_shared(node) {
            self.arrays += 1;
            array = self.arrays;
        }
        if let (Some(step), Some(outer)) = (step, self.stack.last_mut()) {
            outer.step = Some(step);
        }
        self.stack.push(Frame { node, trail, array, children, step: None });
        Ok(())
    }

    #[inline]
    fn leaf(&mut self, wanted: bool, path: PathId, trail: u32, step: Step<'py>, kind: Kind, text: &[u8]) -> Result<(), Fault> {
        if !wanted {
            return Ok(());
        }
        if self.leaves.leaves.len() >= self.limits.max_event_values {
            return Err(self.fault(Code::TooManyValues, Some(&step), None));
        }
        let start = self.leaves.unescaped.len();
        if start + text.len() > self.limits.max_event_bytes.min(u32::MAX as usize) {
            return Err(self.fault(Code::TooLarge, Some(&step), None));
        }
        self.leaves.unescaped.extend_from_slice(text);
        self.leaves.leaves.push(Leaf { path, start: start as u32, len: text.len() as u32, trail, kind, copied: true });
        Ok(())
    }

    #[cold]
    fn fault(&self, code: Code, last: Option<&Step<'py>>, message: Option<String>) -> Fault {
        // The innermost container's own step is the one that led to an earlier member, if any.
        let outer = self.stack.len().saturating_sub(1);
        let steps = self.stack[..outer].iter().filter_map(|frame| frame.step.as_ref());
        Fault::in_object(code, pointer(steps.chain(last)), message)
    }
}

/// The node that a key leads to, if values there are of use.
#[inline]
fn follow(trie: &PathTrie, node: PathId, key: &[u8]) -> Option<PathId> {
    // The trie reads keys where they stand in an event's text: with the closing quote behind them.
    let mut head = [0; 8];
    let len = key.len().min(8);
    head[..len].copy_from_slice(&key[..len]);
    if len < 8 {
        head[len] = b'"';
    }
    trie.follow(node, key, 0, key.len(), u64::from_le_bytes(head)).map(|hit| hit.node)
}

/// What a Python error says, without its type. Being attached already, this costs nothing more.
pub fn reason(error: &PyErr) -> String {
    Python::attach(|py| error.value(py).to_string())
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().qualname().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// The JSON text of a number; short ones without an allocation.
#[derive(Default)]
pub struct Number {
    short: [u8; 32],
    len: usize,
    long: Vec<u8>,
}

impl Number {
    /// The text.
    pub fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.len] } else { &self.long }
    }

    /// The decimal digits of an integer of any size that Python is willing to print.
    pub fn integer(&mut self, integer: &Bound<'_, PyInt>) -> PyResult<()> {
        match integer.extract::<i64>() {
            Ok(value) => self.short(format_args!("{value}")),
            // The class's own print, not that of a subclass.
            Err(_) => {
                let text = integer.py().get_type::<PyInt>().call_method1("__repr__", (integer,))?;
                self.long = text.cast::<PyString>()?.to_str()?.as_bytes().to_vec();
            }
        }
        Ok(())
    }

    /// The shortest digits that read back as the same double; false for NaN and infinities.
    pub fn float(&mut self, value: f64) -> bool {
        if (1e-5..1e16).contains(&value.abs()) || value == 0.0 {
            self.short(format_args!("{value}"));
        } else {
            self.short(format_args!("{value:e}"));
        }
        value.is_finite()
    }

    fn short(&mut self, text: std::fmt::Arguments<'_>) {
        let mut rest = &mut self.short[..];
        // INVARIANT: 20 bytes of an i64, 24 of a double fit.
        let _ = rest.write_fmt(text);
        self.len = 32 - rest.len();
    }
}
