//! What continuous integration runs of the fuzzers: every kept input, then a few thousand mutations with a fixed seed,
//! so that the run is the same everywhere. `make fuzz` searches for longer. Must never write into the corpus unless
//! something was found.

use rulebus_fuzz::{
    driver::{Budget, run},
    stack::with_deep_stack,
    targets::ALL,
};

fn replay(name: &str, inputs: u64) {
    let target = ALL.iter().find(|target| target.name == name).expect("a target of that name");
    let report = with_deep_stack(|| run(target, Budget::Inputs(inputs), 1, false));
    if let Some((input, file)) = report.finding {
        panic!("{name}: {} makes it fail: {}", file.display(), String::from_utf8_lossy(&input));
    }
    assert!(report.inputs >= inputs && report.kinds > 20, "{name}: only {report:?}");
}

#[test]
fn pattern() {
    replay("pattern", 100_000);
}

#[test]
fn walk() {
    replay("walk", 100_000);
}

#[test]
fn engine() {
    replay("engine", 20_000);
}

#[test]
fn select() {
    replay("select", 100_000);
}
