//! Runs fixed cases for `benches/gates.py`, which counts their instructions: `rulebus-gates FOLDER`.
//!
//! Each case runs once to warm up and then once inside `measured`, on whose entry callgrind starts to collect and at
//! whose end it writes what it collected. One line is printed a case: its name and how many matches (or rules) it had.
//! FOLDER holds the inputs that gates.py generates. Must never do anything inside `measured` but the case itself.

mod cases;

use std::path::Path;

/// What callgrind watches; never inlined, so that it has a name and a border.
#[inline(never)]
fn measured(case: &mut dyn FnMut() -> usize) -> usize {
    case()
}

fn main() {
    let folder = std::env::args_os().nth(1).expect("usage: rulebus-gates FOLDER");
    // A thread of its own: its stack does not lie differently with every change of the environment.
    std::thread::spawn(move || {
        cases::each(Path::new(&folder), &mut |name, case| {
            case();
            println!("{name} {}", measured(case));
        });
    })
    .join()
    .expect("every case runs");
}
