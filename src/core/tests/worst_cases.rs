//! Rule sets and events made to hurt. Every case has a ceiling on time, about ten times what was measured with
//! `opt-level = 1` on two slow cores, so that a test fails when a cost multiplies and not when a machine is busy.
//! Figures of a release build: run with `--release -- --nocapture --test-threads=1`.

use rulebus_core::{
    compile::accept,
    error::EventErrorCode,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleId, RuleSet, Scratch},
    walk::Validation,
};
use std::time::{Duration, Instant};

fn within<T>(what: &str, ceiling_ms: u64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = work();
    let took = start.elapsed();
    println!("{what}: {:.3} ms", took.as_secs_f64() * 1e3);
    assert!(took < Duration::from_millis(ceiling_ms), "{what} took {took:?}, more than {ceiling_ms} ms");
    out
}

fn pattern(text: &str) -> Put {
    let pattern = accept(text.as_bytes(), &PatternLimits::default()).unwrap_or_else(|e| panic!("{e}"));
    Put { replaces: None, pattern }
}

struct Case {
    set: RuleSet,
    ids: Vec<RuleId>,
    scratch: Scratch,
}

impl Case {
    fn new(what: &str, ceiling_ms: u64, rules: impl IntoIterator<Item = String>) -> Self {
        let rules: Vec<String> = rules.into_iter().collect();
        let put: Vec<Put> = within(&format!("{what}: parse"), ceiling_ms, || rules.iter().map(|r| pattern(r)).collect());
        let set = RuleSet::new(EventLimits::default());
        let ids = within(&format!("{what}: build"), ceiling_ms, || set.apply(Change { remove: vec![], put }).expect("within capacity").ids);
        let stats = set.load().stats();
        println!("{what}: {} bytes, {} a rule", stats.size_bytes, stats.size_bytes / stats.rules.max(1));
        Self { set, ids, scratch: Scratch::default() }
    }

    /// Matches once to warm up and once under the clock; the number of matches.
    fn matches(&mut self, what: &str, ceiling_ms: u64, event: &str) -> usize {
        let snapshot = self.set.load();
        let mut go = || snapshot.match_text(event.as_bytes(), Validation::Checked, &mut self.scratch).expect("a valid event");
        within(&format!("{what}, cold"), ceiling_ms * 2, &mut go);
        within(what, ceiling_ms, &mut go);
        self.scratch.matches.len()
    }

    fn bytes_a_rule(&self, most: usize) {
        let stats = self.set.load().stats();
        assert!(stats.size_bytes <= most * self.ids.len(), "{} bytes for {} rules", stats.size_bytes, self.ids.len());
    }
}

fn list(n: usize, item: impl Fn(usize) -> String) -> String {
    (0..n).map(item).collect::<Vec<_>>().join(",")
}

/// Sixty-four hexadecimal characters, the same for the same number.
fn hash(n: usize) -> String {
    let mut x = n as u64 + 1;
    (0..4)
        .map(|_| {
            x = (x ^ x >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            x ^= x >> 29;
            format!("{x:016x}")
        })
        .collect()
}

#[test]
fn sibling_arrays_with_a_failing_field() {
    for k in [3, 4, 6] {
        let rule = format!("{{{},\"z\":{{\"x\":[1],\"y\":[2]}}}}", list(k, |i| format!(r#""s{i}":{{"x":[1],"y":[2]}}"#)));
        let mut case = Case::new(&format!("{k} sibling arrays"), 100, [rule]);
        for n in [100, 2_000] {
            let array = |good: bool| list(n, |i| format!(r#"{{"x":{},"y":{}}}"#, i % 2, if good { 1 + i % 2 } else { 2 - i % 2 }));
            let event = |last| format!("{{{},\"z\":[{}]}}", list(k, |i| format!(r#""s{i}":[{}]"#, array(true))), array(last));
            assert_eq!(case.matches(&format!("{k} arrays of {n}, fails"), 200, &event(false)), 0);
            assert_eq!(case.matches(&format!("{k} arrays of {n}, holds"), 200, &event(true)), 1);
        }
    }
}

#[test]
fn blocks_of_or() {
    for blocks in [5, 7, 60] {
        let block = |b: usize| format!(r#""k{b}":{{"$or":[{}]}}"#, list(4, |a| format!(r#"{{"p{a}":["v{a}"]}}"#)));
        let mut case = Case::new(&format!("{blocks} blocks of $or"), 50, [format!("{{{}}}", list(blocks, block))]);
        case.bytes_a_rule(200_000);
        let event = format!("{{{}}}", list(blocks, |b| format!(r#""k{b}":{{"p{}":"v{}"}}"#, b % 4, b % 4)));
        assert_eq!(case.matches(&format!("{blocks} blocks"), 20, &event), 1);
    }
    // Every alternative lies in an array; each element lacks one block.
    let block = |b: usize| format!(r#"{{"$or":[{}]}}"#, list(4, |a| format!(r#"{{"a":{{"p{b}{a}":[1]}}}}"#)));
    let rule = format!("{{{}}}", list(7, |b| format!("\"$or\":{}", &block(b)["{\"$or\":".len()..block(b).len() - 1])));
    let mut case = Case::new("7 blocks of $or on one array", 50, [rule]);
    let element = |i: usize| format!("{{{}}}", list(7, |b| format!(r#""p{b}{}":{}"#, (i + b) % 4, (b != i % 7) as u8)));
    assert_eq!(case.matches("7 blocks, 30 elements", 1000, &format!(r#"{{"a":[{}]}}"#, list(30, element))), 0);
}

#[test]
fn overlapping_wildcards() {
    let letter = |n: usize| (b'a' + (n % 26) as u8) as char;
    for n in [100, 1_000, 10_000, 17_000] {
        let rules = (0..n).map(|i| format!(r#"{{"k":[{{"wildcard":"*{}*{}*{}*"}}]}}"#, letter(i), letter(i / 26), letter(i / 676)));
        let mut case = Case::new(&format!("{n} wildcards"), 4_000, rules);
        case.bytes_a_rule(4_000);
        assert_eq!(case.matches(&format!("{n} wildcards, a value without hit"), 100, r#"{"k":"0123456789 0123456789"}"#), 0);
        case.matches(&format!("{n} wildcards, one long value"), 2_000, &format!(r#"{{"k":"{}"}}"#, "0123456789".repeat(2_000)));
    }
    let rules = (0..20_000).map(|i| format!(r#"{{"k":[{{"wildcard":"*error{i}*code*{}*"}}]}}"#, i % 97));
    let mut case = Case::new("20,000 wildcards with words", 4_000, rules);
    assert!(case.matches("20,000 wildcards with words", 100, r#"{"k":"an error777 with code 12 and 1"}"#) >= 1);
}

#[test]
fn thousands_of_substrings_on_one_field() {
    for n in [4_432, 20_000] {
        let values = list(n, |i| format!(r#"{{"wildcard":"*{}*"}}"#, hash(i)));
        let mut case = Case::new(&format!("{n} substrings"), 3_000, [format!(r#"{{"k":[{values}]}}"#)]);
        case.bytes_a_rule(n * 600);
        assert_eq!(case.matches("a hit", 50, &format!(r#"{{"k":"process {} started"}}"#, hash(n - 1))), 1);
        assert_eq!(case.matches("no hit", 50, &format!(r#"{{"k":"process {} started"}}"#, hash(n + 1))), 0);
        // What is not the first access is verified: by another field, and as anything-but.
        let values = list(n, |i| format!(r#""*{}*""#, hash(i)));
        let mut case = Case::new("the same as anything-but", 3_000, [format!(r#"{{"k":[{{"anything-but":{{"wildcard":[{values}]}}}}]}}"#)]);
        assert_eq!(case.matches("no hit", 200, &format!(r#"{{"k":"process {} started"}}"#, hash(n + 1))), 1);
    }
}

#[test]
fn anything_but_on_one_path() {
    let mut case = Case::new("200,000 anything-but", 20_000, (0..200_000).map(|i| format!(r#"{{"k":[{{"anything-but":"v{i}"}}]}}"#)));
    case.bytes_a_rule(200);
    assert_eq!(case.matches("200,000 anything-but", 3_000, r#"{"k":"v77"}"#), 199_999);
}

#[test]
fn large_arrays() {
    let n = 65_536;
    let rules = (0..10_000).map(|i| match i % 10 {
        0 => format!(r#"{{"a":["v{i}"]}}"#),
        1 => format!(r#"{{"a":[{{"prefix":"v{i}"}}],"n":[{i}]}}"#),
        2 => format!(r#"{{"a":["v1"],"n":[{{"numeric":[">",{i}]}}]}}"#),
        3 => format!(r#"{{"a":[{{"anything-but":"v{i}"}}]}}"#),
        4 => format!(r#"{{"o":{{"x":[{i}],"y":[{i}]}}}}"#),
        5 => format!(r#"{{"o":{{"x":[1],"y":[{i}]}}}}"#),
        6 => format!(r#"{{"a":[{{"equals-ignore-case":"V{i}"}}]}}"#),
        7 => format!(r#"{{"a":["v{}","v{i}"],"n":[{i}]}}"#, i + 1),
        8 => format!(r#"{{"o":{{"x":[{i}],"z":[{{"exists":false}}]}}}}"#),
        _ => format!(r#"{{"n":[{{"numeric":[">=",{i},"<",{}]}}]}}"#, i + 100),
    });
    let mut case = Case::new("10,000 rules for large arrays", 10_000, rules);
    let same = format!(r#"{{"a":[{}],"n":[{}]}}"#, list(n, |_| "\"v1\"".into()), list(n, |_| "1".into()));
    case.matches("65,536 equal scalars", 3_000, &same);
    let different = format!(r#"{{"a":[{}],"n":[{}]}}"#, list(n, |i| format!("\"v{i}\"")), list(n, |i| format!("{i}")));
    case.matches("65,536 different scalars", 10_000, &different);
    // Every rule whose fields hold by themselves looks at all elements: a product of candidates and values.
    let objects = format!(r#"{{"o":[{}]}}"#, list(n / 16, |i| format!(r#"{{"x":{i},"y":{}}}"#, i + 1)));
    case.matches("4,096 objects", 20_000, &objects);
}

#[test]
fn many_values_that_name_one_target() {
    // A thousand rules that nothing divides stand behind one prefix, one folded text and one number.
    let rules = (0..1_000).flat_map(|i| {
        [
            format!(r#"{{"p":[{{"prefix":"v"}}],"q":[{{"anything-but":"{i}"}}]}}"#),
            format!(r#"{{"f":[{{"equals-ignore-case":"abcdefghijklmnop"}}],"q":[{{"anything-but":"{i}"}}]}}"#),
            format!(r#"{{"n":[1],"q":[{{"anything-but":"{i}"}}]}}"#),
        ]
    });
    let mut case = Case::new("3,000 rules behind three targets", 2_000, rules);
    let n = 30_000;
    let cased = |i: usize| -> String { (0..16).map(|b| (b'a' - 32 * (i >> b & 1) as u8 + b) as char).collect() };
    let prefixes = list(n, |i| format!("\"v{i}\""));
    let folded = list(n, |i| format!("\"{}\"", cased(i)));
    let numbers = list(n / 30, |i| format!("1.{}", "0".repeat(i + 1)));
    let event = format!(r#"{{"p":[{prefixes}],"f":[{folded}],"n":[{numbers}],"q":"x"}}"#);
    assert_eq!(case.matches("61,000 values, three targets", 2_000, &event), 3_000);
}

#[test]
fn megabyte_strings() {
    let rules = [
        r#"{"wildcard":"*aaaa*aaab*"}"#,
        r#"{"wildcard":"*a*a*a*a*a*a*a*a*b"}"#,
        r#"{"wildcard":"*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*aaaaaaaaaaaaaaaaaaaaab*"}"#,
        r#"{"wildcard":"*aab*aab*aab*"}"#,
        r#"{"prefix":"aaab"}"#,
        r#"{"suffix":"baaa"}"#,
        r#"{"prefix":{"equals-ignore-case":"AAAB"}}"#,
        r#"{"suffix":{"equals-ignore-case":"BAAA"}}"#,
        r#"{"equals-ignore-case":"AAA"}"#,
        r#"{"anything-but":{"wildcard":"*aaaaaaaaaaaaaaaaaaab*"}}"#,
        r#""10.0.0.1""#,
        r#"{"cidr":"10.0.0.0/8"}"#,
    ];
    let long_prefix = format!(r#"{{"prefix":"{}b"}}"#, "a".repeat(100_000));
    let rules = rules.iter().map(|m| m.to_string()).chain([long_prefix]).map(|m| format!(r#"{{"k":[{m}]}}"#));
    let mut case = Case::new("one rule of each kind", 500, rules);
    assert_eq!(case.matches("a megabyte of a", 1_000, &format!(r#"{{"k":"{}"}}"#, "a".repeat(1 << 20))), 1);
    case.matches("a megabyte of digits", 1_000, &format!(r#"{{"k":"{}","n":{}}}"#, "1".repeat(1 << 20), "1".repeat(1 << 20)));
}

#[test]
fn a_hundred_thousand_rules() {
    let n = 100_000;
    let common = r#""source":["s"],"kind":["k"],"region":["r"]"#;
    let mut case = Case::new("one rare field", 10_000, (0..n).map(|i| format!(r#"{{{common},"detail":{{"id":["{i}"]}}}}"#)));
    case.bytes_a_rule(400);
    assert_eq!(case.matches("one rare field", 50, r#"{"source":"s","kind":"k","region":"r","detail":{"id":"77"}}"#), 1);
    drop(case);
    let mut case = Case::new("a shared value", 10_000, (0..n).map(|i| format!(r#"{{"k":["all","v{i}"],"n":[{i}]}}"#)));
    case.bytes_a_rule(600);
    assert_eq!(case.matches("a shared value", 50, r#"{"k":"all","n":5}"#), 1);
    drop(case);
    let mut case = Case::new("a path each", 10_000, (0..n).map(|i| format!(r#"{{"detail":{{"p{i}":[1]}}}}"#)));
    case.bytes_a_rule(600);
    assert_eq!(case.matches("a path each", 50, r#"{"detail":{"p7":1,"p8":2}}"#), 1);
    drop(case);
    let mut case =
        Case::new("overlapping ranges", 10_000, (0..10_000).map(|i| format!(r#"{{"n":[{{"numeric":[">",{i},"<",{}]}}]}}"#, 20_000 - i)));
    assert_eq!(case.matches("overlapping ranges, none", 20, r#"{"n":-1}"#), 0);
    assert_eq!(case.matches("overlapping ranges, all", 100, r#"{"n":10000}"#), 10_000);
    drop(case);
    let mut case = Case::new("nested prefixes", 10_000, (1..3_000).map(|i| format!(r#"{{"k":[{{"prefix":"{}"}}]}}"#, "b".repeat(i))));
    assert_eq!(case.matches("nested prefixes, one", 20, r#"{"k":"bc"}"#), 1);
    assert_eq!(case.matches("nested prefixes, all", 100, &format!(r#"{{"k":"{}"}}"#, "b".repeat(4_000))), 2_999);
}

#[test]
fn deep_and_wide_patterns() {
    let deep = (0..490).fold(r#"{"x":[1]}"#.to_string(), |inner, i| format!(r#"{{"$or":[{inner},{{"y{i}":[1]}}]}}"#));
    let mut case = Case::new("$or, 490 deep", 1_000, [deep]);
    assert_eq!(case.matches("$or, 490 deep", 50, r#"{"y0":1}"#), 1);
    assert_eq!(case.set.load().patterns().len(), 1);
    drop(case);
    // Two groups side by side, every alternative a path of its own: n, not n squared.
    let n = 20_000;
    let group = |g: usize| format!(r#""$or":[{}]"#, list(n, |i| format!(r#"{{"g{g}x{i}":[1]}}"#)));
    let mut case = Case::new("two $or of 20,000 alternatives", 5_000, [format!("{{{},{}}}", group(0), group(1))]);
    assert_eq!(case.matches("two $or of 20,000 alternatives", 200, r#"{"g0x7":1,"g1x9":1}"#), 1);
}

#[test]
fn expansion_is_limited() {
    // The first member is redefined on some branches only, so the product of the groups has to be written out.
    let groups = |n: usize| list(n, |i| format!(r#""$or":[{{"a":[2],"l{i}":[1]}},{{"r{i}":[3]}}]"#));
    let refuse = |what: &str, text: String| {
        let refused = within(what, 5_000, || accept(text.as_bytes(), &PatternLimits::default()));
        assert_eq!(refused.expect_err("too many").code, "or-too-many-branches");
    };
    refuse("2^13 branches", format!(r#"{{"a":[1],{}}}"#, groups(13)));
    refuse("2^200 branches", format!(r#"{{"a":[1],{}}}"#, groups(120)));
    refuse("2^11 branches of 50,000 values", format!(r#"{{"big":[{}],"a":[1],{}}}"#, list(50_000, |i| i.to_string()), groups(11)));
    let text = format!(r#"{{"a":[1],{}}}"#, groups(12));
    drop(within("2^12 branches, accepted", 2_000, || accept(text.as_bytes(), &PatternLimits::default()).expect("just within")));
}

#[test]
fn array_search_ends() {
    // One path in several arrays of one place is as hard as SAT: refused, soon.
    let rule = format!(r#"{{"a":{{"b":{{{}}}}}}}"#, list(12, |i| format!(r#""p{i}":[1]"#)));
    let case = Case::new("a tangled rule", 100, [rule]);
    let elements = |_| list(20, |e| format!("{{{}}}", list(11, |p| format!(r#""p{p}":{}"#, (p != e % 11) as u8))));
    let twins = format!(r#"{{"a":{{"b":[{}]}},"a.b":[{}],"a":{{"b":[{},{{"p11":1}}]}}}}"#, elements(0), elements(1), elements(2));
    let event = format!(r#"{{"a":[{{"b":[{}]}},{{"b":[{{"p11":1}}]}}],"a.b":[{}]}}"#, elements(0), elements(1));
    let mut scratch = Scratch::default();
    for event in [twins, event] {
        let verdict = within("a tangled event", 2_000, || case.set.load().match_text(event.as_bytes(), Validation::Checked, &mut scratch));
        assert!(verdict.is_ok() || verdict.is_err_and(|e| e.code == EventErrorCode::TooComplex));
    }
    drop(case);
    // Many groups of alternatives, all of which hold by themselves and never together.
    let groups = list(40, |g| format!(r#""$or":[{{"a":{{"x{g}":[1]}}}},{{"a":{{"y{g}":[1]}}}}]"#));
    let case = Case::new("40 groups over one array", 100, [format!(r#"{{{groups},"a":{{"z":[{{"exists":false}}]}}}}"#)]);
    let event = format!(r#"{{"a":[{}]}}"#, list(500, |i| format!(r#"{{"x{0}":1,"y{0}":1}}"#, i % 40)));
    let verdict =
        within("40 groups, 500 elements", 5_000, || case.set.load().match_text(event.as_bytes(), Validation::Checked, &mut scratch));
    assert!(verdict.is_ok_and(|()| scratch.matches.is_empty()) || verdict.is_err_and(|e| e.code == EventErrorCode::TooComplex));
}

#[test]
fn nested_arrays_to_the_limit() {
    let mut case = Case::new("paths below nested arrays", 50, [r#"{"a":{"x":[1],"y":[2]}}"#.to_string()]);
    let nest = |inner: &str| format!(r#"{{"a":{}{inner}{}}}"#, "[".repeat(990), "]".repeat(990));
    assert_eq!(case.matches("990 arrays deep, holds", 50, &nest(r#"{"x":1,"y":2}"#)), 1);
    assert_eq!(case.matches("990 arrays deep, fails", 50, &nest(r#"{"x":1},{"y":2}"#)), 0);
}

#[test]
fn dots_before_a_backslash_far_away() {
    // Everything asked for is there at once; from then on every member has a dot that a key might hide behind.
    let case = Case::new("one rule for trusted events", 50, [r#"{"a":{"b":[1]}}"#.to_string()]);
    let dotted = |end: &str| format!(r#"{{"a":{{"b":1}},{},"z":"{end}"}}"#, list(100_000, |i| format!(r#""k{i}":"a.x""#)));
    let (snapshot, mut scratch) = (case.set.load(), Scratch::default());
    for (what, end) in [("dots", "x"), ("dots before a backslash", r"\\")] {
        let event = dotted(end);
        within(what, 200, || snapshot.match_text(event.as_bytes(), Validation::Trusted, &mut scratch).expect("a valid event"));
        assert_eq!(scratch.matches, case.ids);
    }
}

#[test]
fn single_changes_to_a_large_set() {
    let n = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    let rule = |i: usize| format!(r#"{{"source":["s{}"],"detail":{{"id":["{i}"],"n":[{{"numeric":[">",{i}]}}]}}}}"#, i % 50);
    let case = Case::new("a large set", 20_000, (0..n).map(rule));
    let singles = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    let new: Vec<Put> = (0..singles).map(|i| pattern(&rule(n + i))).collect();
    let mut slowest = Duration::ZERO;
    let ids: Vec<RuleId> = within(&format!("{singles} single puts"), 30_000, || {
        let one = |put| {
            let start = Instant::now();
            let id = case.set.apply(Change { remove: vec![], put: vec![put] }).expect("within capacity").ids[0];
            slowest = slowest.max(start.elapsed());
            id
        };
        new.into_iter().map(one).collect()
    });
    println!("slowest put {slowest:?}");
    let mut released = 0;
    within(&format!("{singles} single removes"), 30_000, || {
        for id in ids {
            released += case.set.apply(Change { remove: vec![id], put: vec![] }).expect("within capacity").released.len();
        }
    });
    let stats = case.set.load().stats();
    assert_eq!((stats.rules, released), (n, singles), "every number comes back");
    assert!(stats.segments <= 8, "{} segments", stats.segments);
}
