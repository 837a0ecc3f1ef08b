//! Rules made to hurt whoever compiles them, each with the ceiling on time and memory that a release build keeps:
//! `cargo test --release --test build_ceilings -- --nocapture --test-threads=1`. A build with checks and little
//! optimisation is given `SLACK` times as long; the least of some runs counts, so that a busy machine is no failure.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{RuleId, RuleSet, Scratch, Stats},
    walk::Validation,
};
use std::time::{Duration, Instant};

const SLACK: u32 = if cfg!(debug_assertions) { 10 } else { 2 };

/// Builds a set of the rules some times, through `read`; the last, whose least time and whose bytes keep the ceilings.
fn build(what: &str, ceiling: Duration, most_bytes: usize, rules: &[String]) -> (RuleSet, Vec<RuleId>) {
    let mut least = Duration::MAX;
    let mut last = None;
    for _ in 0..if rules.len() > 100_000 { 1 } else { 3 } {
        let set = RuleSet::new(EventLimits::default());
        let start = Instant::now();
        let draft = set.read(rules, |text| accept(text.as_bytes(), &PatternLimits::default()), 2);
        let draft = draft.unwrap_or_else(|error| panic!("{error:?}"));
        let ids = set.put_draft(draft, &vec![None; rules.len()]).expect("within capacity").ids;
        least = least.min(start.elapsed());
        last = Some((set, ids));
    }
    let (set, ids) = last.expect("built");
    let Stats { size_bytes, .. } = set.load().stats();
    println!("{what}: {:.3} ms, {size_bytes} bytes, {} a rule", least.as_secs_f64() * 1e3, size_bytes / rules.len());
    assert!(least <= ceiling * SLACK, "{what} took {least:?}, more than {SLACK} x {ceiling:?}");
    assert!(size_bytes <= most_bytes, "{what} takes {size_bytes} bytes, more than {most_bytes}");
    (set, ids)
}

fn matches(set: &RuleSet, event: &str) -> usize {
    let mut scratch = Scratch::default();
    set.load().match_text(event.as_bytes(), Validation::Checked, &mut scratch).expect("a valid event");
    scratch.matches.len()
}

fn list(n: usize, item: impl Fn(usize) -> String) -> String {
    (0..n).map(item).collect::<Vec<_>>().join(",")
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn blocks_of_or() {
    for blocks in [5, 6, 7] {
        let block = |b: usize| format!(r#""k{b}":{{"$or":[{}]}}"#, list(4, |a| format!(r#"{{"p{a}":["v{a}"]}}"#)));
        let (set, _) = build(&format!("{blocks} blocks of $or"), ms(1), 20_000, &[format!("{{{}}}", list(blocks, block))]);
        assert_eq!(matches(&set, &format!("{{{}}}", list(blocks, |b| format!(r#""k{b}":{{"p{}":"v{}"}}"#, b % 4, b % 4)))), 1);
    }
}

#[test]
fn twenty_thousand_overlapping_wildcards() {
    let letter = |n: usize| (b'a' + (n % 26) as u8) as char;
    // 17,576 of three letters, the rest of four.
    let text = |n: usize| format!("*{}*{}*{}*{}", letter(n), letter(n / 26), letter(n / 676), if n < 17_576 { "" } else { "q*" });
    let rules: Vec<String> = (0..20_000).map(|n| format!(r#"{{"k":[{{"wildcard":"{}"}}]}}"#, text(n))).collect();
    let (set, _) = build("20,000 overlapping wildcards", ms(100), 20_000 * 400, &rules);
    assert_eq!(matches(&set, r#"{"k":"0123456789"}"#), 0);
    assert_eq!(matches(&set, r#"{"k":"a-b-c"}"#), 1);
}

#[test]
fn thousands_of_substrings_in_one_rule() {
    let hash = |n: usize| {
        format!("{:016x}{:016x}", (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), (n as u64).wrapping_mul(0xe703_7ed1_a0b4_28db))
    };
    let rule = format!(r#"{{"Hashes":[{}]}}"#, list(4_432, |n| format!(r#"{{"wildcard":"*{}*"}}"#, hash(n))));
    let (set, _) = build("4,432 substrings in one rule", ms(50), 4_432 * 500, &[rule]);
    assert_eq!(matches(&set, &format!(r#"{{"Hashes":"MD5={},SHA1=0"}}"#, hash(4_000))), 1);
    assert_eq!(matches(&set, r#"{"Hashes":"MD5=00,SHA1=0"}"#), 0);
}

#[test]
fn a_million_distinct_anything_but_on_one_path() {
    // A build with little optimisation takes a fifth of them.
    const RULES: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let rules: Vec<String> = (0..RULES).map(|n| format!(r#"{{"k":[{{"anything-but":"v{n}"}}]}}"#)).collect();
    let (set, _) = build(&format!("{RULES} distinct anything-but"), ms(4 * RULES as u64 / 1_000), RULES * 130, &rules);
    assert_eq!(matches(&set, r#"{"k":"v77"}"#), RULES - 1);
    assert_eq!(matches(&set, r#"{"j":"v77"}"#), 0);
}

#[test]
fn rules_that_differ_in_one_rare_field() {
    const RULES: usize = 100_000;
    let rule = |n: usize| {
        format!(r#"{{"source":["shop"],"type":["a","b"],"region":[{{"prefix":"eu-"}}],"detail":{{"state":["open"],"id":["id-{n}"]}}}}"#)
    };
    let rules: Vec<String> = (0..RULES).map(rule).collect();
    let (set, ids) = build("100,000 rules that differ in one field", ms(600), RULES * 200, &rules);
    let event = |n: usize| format!(r#"{{"source":"shop","type":"b","region":"eu-1","detail":{{"state":"open","id":"id-{n}"}}}}"#);
    assert_eq!(matches(&set, &event(4_711)), 1);
    assert_eq!((matches(&set, &event(RULES)), ids.len()), (0, RULES));
}

#[test]
fn a_value_that_all_rules_share() {
    const RULES: usize = 100_000;
    let same: Vec<String> = (0..RULES).map(|_| r#"{"k":["v"]}"#.to_owned()).collect();
    let (set, _) = build("100,000 equal rules", ms(300), RULES * 60, &same);
    assert_eq!((matches(&set, r#"{"k":"v"}"#), set.load().stats().conjunctions), (RULES, 1));
    // All share the value under which most are found, and none has another exact one.
    let rules: Vec<String> = (0..RULES).map(|n| format!(r#"{{"k":["v"],"n":[{{"numeric":[">=",{n},"<=",{}]}}]}}"#, n + 2)).collect();
    let (set, _) = build("100,000 ranges beside a shared value", ms(600), RULES * 200, &rules);
    assert_eq!(matches(&set, r#"{"k":"v","n":500}"#), 3);
    assert_eq!(matches(&set, r#"{"k":"w","n":500}"#), 0);
}
