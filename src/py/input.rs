//! What callers hand in as text: bytes as they lie, `str` as its UTF-8, other buffers copied. Detaching from the
//! interpreter while reading is safe for everything that comes from here.

use crate::{buffer::View, errors::wrong_type};
use pyo3::{
    buffer::PyBuffer,
    prelude::*,
    types::{PyBytes, PyDict, PyString},
};
use std::borrow::Cow;

const EVENT: &str = "an event is bytes, bytearray, memoryview, str or dict";
const LINES: &str = "JSON lines are bytes, bytearray, memoryview, mmap or str";

/// An event as given.
pub enum Event<'a, 'py> {
    /// Its text.
    Text(Cow<'a, [u8]>),
    /// An object to be walked.
    Dict(&'a Bound<'py, PyDict>),
}

impl<'a, 'py> Event<'a, 'py> {
    /// An event, or `TypeError`.
    #[inline]
    pub fn of(object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Text(Cow::Borrowed(bytes.as_bytes())));
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return Ok(Self::Dict(dict));
        }
        text(object)?.map(Self::Text).ok_or_else(|| wrong_type(EVENT, object))
    }
}

/// The text in a `str`, `bytes` or other buffer; `None` for anything else.
pub fn text<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Option<Cow<'a, [u8]>>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(Cow::Borrowed(bytes.as_bytes())));
    }
    if let Ok(string) = object.cast::<PyString>() {
        return match string.to_str() {
            Ok(text) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
            // A lone surrogate has no UTF-8; what Python writes instead is JSON's escape of it.
            Err(_) => {
                let bytes = string.call_method1("encode", ("utf-8", "backslashreplace"))?;
                Ok(Some(Cow::Owned(bytes.cast::<PyBytes>()?.as_bytes().to_vec())))
            }
        };
    }
    match PyBuffer::<u8>::get(object) {
        // Another thread may write to it while it is read.
        Ok(buffer) => Ok(Some(Cow::Owned(buffer.to_vec(object.py())?))),
        Err(_) => Ok(None),
    }
}

/// JSON lines, without a copy where nobody can write to them.
pub enum Lines<'a> {
    /// Lent or copied.
    Text(Cow<'a, [u8]>),
    /// A view of a map.
    View(View),
}

impl<'a> Lines<'a> {
    /// JSON lines, or `TypeError`.
    pub fn of(object: &'a Bound<'_, PyAny>) -> PyResult<Self> {
        if !object.is_instance_of::<PyBytes>()
            && !object.is_instance_of::<PyString>()
            && let Some(view) = View::of(object)?
        {
            return Ok(Self::View(view));
        }
        text(object)?.map(Self::Text).ok_or_else(|| wrong_type(LINES, object))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::View(view) => view.bytes(),
        }
    }
}

/// The text of a Python string as WTF-8. Adjacent halves of a surrogate pair become one character, as they do when
/// their escapes are read.
pub fn wtf8<'a>(string: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = string.to_str() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    let encoded = string.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
    let units = encoded.cast::<PyBytes>()?.as_bytes().chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut out = Vec::new();
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let code = lone.unpaired_surrogate();
                out.extend_from_slice(&[0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]);
            }
        }
    }
    Ok(Cow::Owned(out))
}
