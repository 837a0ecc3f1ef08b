//! The buffer protocol, both ways: bytes of others read without a copy, and arrays of our own handed out without one.
//! `unsafe` is confined here, to `heap` and to `names`.

use pyo3::{
    buffer::PyBuffer,
    exceptions::PyBufferError,
    ffi,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyMemoryView, PyType},
};
use std::ffi::{CStr, c_int, c_void};

/// Bytes of another object that stay as they are while this lives.
pub struct View {
    buffer: PyBuffer<u8>,
}

impl View {
    /// A view of a read-only map of a file, or of a memoryview of one or of `bytes`. Anything else that has a buffer
    /// may be written to by another thread meanwhile and must be copied.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let owner = match object.cast::<PyMemoryView>() {
            Ok(view) => view.getattr("obj")?,
            Err(_) => object.clone(),
        };
        // The types themselves: what derives from one, or only bears its name, may lend out what it goes on writing to.
        static MAP: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let is_map = || MAP.import(object.py(), "mmap", "mmap").is_ok_and(|map| owner.is_exact_instance(map));
        if !owner.is_exact_instance_of::<PyBytes>() && !is_map() {
            return Ok(None);
        }
        let buffer = PyBuffer::get(object)?;
        Ok((buffer.readonly() && buffer.is_c_contiguous()).then_some(Self { buffer }))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.buffer.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: the export keeps the memory alive and in place until `buffer` is dropped; it is contiguous. `bytes`
        // never change, and `of` admits maps only when they refuse writes; that nobody rewrites the file of such a map
        // meanwhile, which no process can find out, is asked of the caller (see `Matcher.match_lines`).
        unsafe { std::slice::from_raw_parts(self.buffer.buf_ptr().cast::<u8>(), self.buffer.len_bytes()) }
    }
}

/// Numbers in an array.
pub enum Numbers {
    /// `uint8`.
    U8(Box<[u8]>),
    /// `uint32`.
    U32(Box<[u32]>),
    /// `uint64`.
    U64(Box<[u64]>),
}

/// A read-only array of numbers that others view through the buffer protocol.
#[pyclass(frozen, module = "rulebus._core")]
pub struct Array {
    numbers: Numbers,
    /// Length and distance of the elements, where the viewers' `shape` and `strides` point.
    shape: [ffi::Py_ssize_t; 2],
}

impl Array {
    /// An array of these numbers.
    pub fn new(numbers: Numbers) -> Self {
        let (len, size) = match &numbers {
            Numbers::U8(n) => (n.len(), 1),
            Numbers::U32(n) => (n.len(), 4),
            Numbers::U64(n) => (n.len(), 8),
        };
        Self { numbers, shape: [len as ffi::Py_ssize_t, size] }
    }

    /// The number at an index; 0 beyond the end.
    pub fn at(&self, index: usize) -> u64 {
        match &self.numbers {
            Numbers::U8(n) => n.get(index).map_or(0, |n| u64::from(*n)),
            Numbers::U32(n) => n.get(index).map_or(0, |n| u64::from(*n)),
            Numbers::U64(n) => n.get(index).copied().unwrap_or(0),
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.shape[0] as usize
    }
}

#[pymethods]
impl Array {
    /// # Safety
    /// Called by the interpreter with a view to fill, as the buffer protocol says.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            // SAFETY: the interpreter gives a view to fill. One that was refused has no owner, or it might be released.
            unsafe { (*view).obj = std::ptr::null_mut() };
            return Err(PyBufferError::new_err("the array is read-only"));
        }
        let this = slf.get();
        let (start, format): (*const c_void, &CStr) = match &this.numbers {
            Numbers::U8(n) => (n.as_ptr().cast(), c"B"),
            Numbers::U32(n) => (n.as_ptr().cast(), c"I"),
            Numbers::U64(n) => (n.as_ptr().cast(), c"Q"),
        };
        let asked = |flag| flags & flag == flag;
        let shape = this.shape.as_ptr().cast_mut();
        // SAFETY: the interpreter gives a view to fill. The pointers lead into `slf`, which is frozen and which the view
        // keeps alive; nobody writes through them, since the view says that it is read-only.
        unsafe {
            (*view).buf = start.cast_mut();
            (*view).len = this.shape[0] * this.shape[1];
            (*view).readonly = 1;
            (*view).itemsize = this.shape[1];
            (*view).ndim = 1;
            (*view).format = if asked(ffi::PyBUF_FORMAT) { format.as_ptr().cast_mut() } else { std::ptr::null_mut() };
            (*view).shape = if asked(ffi::PyBUF_ND) { shape } else { std::ptr::null_mut() };
            (*view).strides = if asked(ffi::PyBUF_STRIDES) { shape.add(1) } else { std::ptr::null_mut() };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }
}
