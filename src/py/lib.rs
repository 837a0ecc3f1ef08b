//! The module `rulebus._core`: registers the classes. What they do is the core's business; here arguments are taken in,
//! results handed out and errors translated. Knows no algorithm. `unsafe` lives in `buffer`, `heap` and `names` only.
//!
//! Every class is frozen and `Sync`: the module may be used without the GIL.

mod batch;
mod buffer;
mod children;
mod errors;
mod heap;
mod input;
mod lines;
mod matcher;
mod names;
mod object;
mod options;
mod pattern;
mod place;
mod source;
mod splice;

/// The native half of rulebus; use the classes of `rulebus` instead.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::lines::{LinesIterator, LinesResult};
    #[pymodule_export]
    use super::matcher::Matcher;
    #[pymodule_export]
    use super::pattern::Pattern;
    #[pymodule_export]
    use super::splice::{Selector, Splicer};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
