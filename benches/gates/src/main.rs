//! Runs fixed cases for `benches/gates.py`, which counts their instructions: `rulebus-gates FOLDER`; or one case, a file
//! of patterns on a file of events: `rulebus-gates RULES EVENTS`.
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
    let given: Vec<_> = std::env::args_os().skip(1).collect();
    // A thread of its own: its stack does not lie differently with every change of the environment.
    std::thread::spawn(move || {
        let visit: &mut cases::Visit<'_> = &mut |name, case| {
            case();
            println!("{name} {}", measured(case));
        };
        match &given[..] {
            [folder] => cases::each(Path::new(folder), visit),
            [rules, events] => cases::one(Path::new(rules), Path::new(events), visit),
            _ => panic!("usage: rulebus-gates FOLDER, or rulebus-gates RULES EVENTS"),
        }
    })
    .join()
    .expect("every case runs");
}
