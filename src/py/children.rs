//! The members of Python containers, one after another, and the way to them as a JSON pointer. Used with a stack of
//! one's own: nothing here recurses, so a list that holds itself ends at the walker's depth limit.

use pyo3::{
    prelude::*,
    types::{PyDict, PyList, PyTuple, iter::BoundDictIterator},
};

/// The step from a container to a member.
pub enum Step<'py> {
    /// A member of a dict; JSON wants a string.
    Key(Bound<'py, PyAny>),
    /// An element of a list or tuple.
    Index(usize),
}

/// What is left of a container's members.
pub enum Children<'py> {
    /// A dict.
    Dict(BoundDictIterator<'py>),
    /// A list and the next index.
    List(Bound<'py, PyList>, usize),
    /// A tuple and the next index.
    Tuple(Bound<'py, PyTuple>, usize),
}

impl<'py> Children<'py> {
    /// The members of a dict, list or tuple; `None` for anything else.
    pub fn of(value: &Bound<'py, PyAny>) -> Option<Self> {
        if let Ok(dict) = value.cast::<PyDict>() {
            return Some(Self::Dict(dict.iter()));
        }
        Self::of_array(value)
    }

    /// The elements of a list or tuple; `None` for anything else.
    pub fn of_array(value: &Bound<'py, PyAny>) -> Option<Self> {
        if let Ok(list) = value.cast::<PyList>() {
            return Some(Self::List(list.clone(), 0));
        }
        value.cast::<PyTuple>().ok().map(|tuple| Self::Tuple(tuple.clone(), 0))
    }

    /// Whether these are elements rather than members.
    pub fn is_array(&self) -> bool {
        !matches!(self, Self::Dict(_))
    }
}

impl<'py> Iterator for Children<'py> {
    type Item = (Step<'py>, Bound<'py, PyAny>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Dict(members) => members.next().map(|(key, value)| (Step::Key(key), value)),
            Self::List(list, at) => {
                *at += 1;
                Some((Step::Index(*at - 1), list.get_item(*at - 1).ok()?))
            }
            Self::Tuple(tuple, at) => {
                *at += 1;
                Some((Step::Index(*at - 1), tuple.get_item(*at - 1).ok()?))
            }
        }
    }
}

/// The JSON pointer along some steps.
pub fn pointer<'a, 'py: 'a>(steps: impl Iterator<Item = &'a Step<'py>>) -> String {
    let mut out = String::new();
    for step in steps {
        out.push('/');
        match step {
            Step::Index(index) => out.push_str(&index.to_string()),
            Step::Key(key) => out.push_str(&key.to_string().replace('~', "~0").replace('/', "~1")),
        }
    }
    out
}
