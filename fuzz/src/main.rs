//! `cargo run -p rulebus-fuzz -- [--seconds N] [--seed N] [--target NAME] [--keep]`: searches each target in turn.
//! Ends with code 1 at the first finding, whose file and text it prints; with 2 when used wrongly.

use rulebus_fuzz::{
    driver::{Budget, run},
    stack::with_deep_stack,
    targets::ALL,
};
use std::{process::exit, time::Duration};

const USE: &str = "use: rulebus-fuzz [--seconds N] [--seed N] [--target pattern|walk|engine|select] [--keep]";

fn main() {
    let (mut seconds, mut seed, mut only, mut keep) = (600u64, 1u64, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| wrong());
        match argument.as_str() {
            "--seconds" => seconds = value().parse().unwrap_or_else(|_| wrong()),
            "--seed" => seed = value().parse().unwrap_or_else(|_| wrong()),
            "--target" => only = Some(value()),
            "--keep" => keep = true,
            _ => wrong(),
        }
    }
    if only.as_ref().is_some_and(|name| ALL.iter().all(|target| target.name != name)) {
        wrong()
    }
    for target in ALL.iter().filter(|target| only.as_ref().is_none_or(|name| target.name == name)) {
        let report = with_deep_stack(|| run(target, Budget::Time(Duration::from_secs(seconds)), seed, keep));
        println!("{}: {} inputs of {} kinds in {seconds} s, seed {seed}", target.name, report.inputs, report.kinds);
        if let Some((input, file)) = report.finding {
            println!("finding, {} bytes, kept in {}:\n{}", input.len(), file.display(), String::from_utf8_lossy(&input));
            exit(1);
        }
    }
}

fn wrong() -> ! {
    eprintln!("{USE}");
    exit(2)
}
