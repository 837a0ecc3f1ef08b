//! Many events in one call: each line has the answer that its event has by itself, whatever stands beside it.

use rulebus_core::{
    compile::accept,
    error::EventError,
    limits::{EventLimits, PatternLimits},
    store::{Change, MATCH, NO_EVENT, NO_MATCH, Put, RuleId, RuleSet, Scratch},
    walk::{Validation, lines::lines},
};

fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut x = seed | 1;
    move |n| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 11) as usize % n
    }
}

fn put(set: &RuleSet, patterns: &[String]) {
    let put = |text: &String| Put { replaces: None, pattern: accept(text.as_bytes(), &PatternLimits::default()).expect("valid") };
    set.apply(Change { remove: vec![], put: patterns.iter().map(put).collect() }).expect("within capacity");
}

/// So much text that the segment is large.
fn filler() -> Vec<String> {
    (0..400).map(|n| format!(r#"{{"filler":["{n}{}"]}}"#, "x".repeat(2000))).collect()
}

fn some_pattern(next: &mut impl FnMut(usize) -> usize) -> String {
    let (a, b) = (next(9), next(9));
    match next(14) {
        0 => format!(r#"{{"k":["v{a}"]}}"#),
        1 => format!(r#"{{"k":[{{"prefix":"v{a}"}}],"n":[{b}]}}"#),
        2 => format!(r#"{{"n":[{{"numeric":[">=",{a}]}}]}}"#),
        3 => format!(r#"{{"k":[{{"anything-but":["v{a}","v{b}"]}}],"n":[{{"anything-but":{b}}}]}}"#),
        4 => format!(r#"{{"p{a}":[{{"exists":false}}],"n":[{b}]}}"#),
        5 => format!(r#"{{"k":[{{"suffix":"{a}"}}],"p{b}":[true,null]}}"#),
        6 => format!(r#"{{"k":[{{"wildcard":"*{a}*"}}]}}"#),
        7 => format!(r#"{{"$or":[{{"k":["v{a}"]}},{{"n":[{b}]}}]}}"#),
        8 => format!(r#"{{"k":[{{"equals-ignore-case":"V{a}"}}],"n":[{b},{a}]}}"#),
        9 => format!(r#"{{"list":{{"a":[{a}],"b":[{b}]}}}}"#),
        10 => format!(r#"{{"many":[{a},"{b}"]}}"#),
        11 => format!(r#"{{"ip":[{{"cidr":"10.{a}.0.0/16"}},"10.0.{b}.1"]}}"#),
        12 => format!(r#"{{"n":[1{a}.50],"k":[{{"exists":true}}]}}"#),
        _ => format!(r#"{{"long":[{{"wildcard":"tenant-000{a}/*.{b}"}},{{"prefix":"tenant-{a}"}}]}}"#),
    }
}

fn some_event(next: &mut impl FnMut(usize) -> usize) -> String {
    let (a, b) = (next(9), next(9));
    match next(16) {
        0 => r#"{"k":"v1","n":"#.to_owned(),
        1 => format!(r#"{{"k":"v{a}"}} x"#),
        2 => format!(r#"{{"many":[{}]}}"#, (0..150 + 300 * (a / 8)).map(|n| (n / 2 + b).to_string()).collect::<Vec<_>>().join(",")),
        3 => format!(r#"{{"k":"v{a}","filler":"{}{}"}}"#, b * 40, "x".repeat(2000)),
        4 => format!(r#"{{"rest":"{}","k":"v{a}"}}"#, "y".repeat(70_000)),
        5 | 6 => format!(r#"{{"list":[{{"a":{a},"b":{b}}},{{"a":{b},"b":{}}}],"ip":"10.{a}.{b}.1"}}"#, next(9)),
        7 => format!(r#"{{"long":"tenant-000{a}/x.{b}","n":1{a}.5}}"#),
        8 => format!(r#"{{"n":1{a}.50,"k":"\u0076{b}"}}"#),
        _ => format!(r#"{{"k":"{}{a}","n":{b},"p{}":{}}}"#, ["v", "V", "w"][next(3)], next(9), ["true", "null", "1"][next(3)]),
    }
}

type Answer = Result<Vec<RuleId>, EventError>;

fn check(set: &RuleSet, next: &mut impl FnMut(usize) -> usize, count: usize, scratch: &mut Scratch) {
    let snapshot = set.load();
    let lines: Vec<String> = (0..count).map(|_| some_event(next)).collect();
    for level in [Validation::Checked, Validation::Strict, Validation::Trusted] {
        // Without checks only what is an event has a certain answer.
        let bad = |line: &String| snapshot.match_text(line.as_bytes(), Validation::Strict, &mut Scratch::default()).is_err();
        let lines: Vec<&String> = lines.iter().filter(|line| level != Validation::Trusted || !bad(line)).collect();
        let mut single = Scratch::default();
        let mut alone = |line: &[u8]| snapshot.match_text(line, level, &mut single).map(|()| single.matches.clone());
        let expected: Vec<Answer> = lines.iter().map(|line| alone(line.as_bytes())).collect();
        let (mut together, mut any) = (vec![], vec![]);
        let texts = || lines.iter().map(|line| line.as_bytes());
        snapshot.match_together(texts(), level, false, scratch, |_, found| together.push(found.map(<[RuleId]>::to_vec)));
        snapshot.match_together(texts(), level, true, scratch, |_, found| any.push(found.map(|rules| !rules.is_empty())));
        assert_eq!(together, expected, "{level:?} {lines:?}");
        assert_eq!(any, expected.iter().map(|answer| answer.as_ref().map(|rules| !rules.is_empty()).map_err(|e| *e)).collect::<Vec<_>>());

        let buffer = lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n \n");
        let found = snapshot.match_lines(buffer.as_bytes(), level, 1);
        let counts = snapshot.count_lines(buffer.as_bytes(), level, 1);
        let answers = snapshot.any_lines(buffer.as_bytes(), level, 1);
        let (mut offset, mut errors, mut by_rule) = (0, found.errors.iter(), vec![0u64; counts.by_rule.len()]);
        assert_eq!((found.offsets.len(), counts.events, answers.len()), (lines.len() + 1, lines.len(), lines.len()));
        for (n, answer) in expected.iter().enumerate() {
            let rules = &found.rules[found.offsets[n] as usize..found.offsets[n + 1] as usize];
            match answer {
                Ok(expected) => {
                    assert_eq!(rules, expected);
                    assert_eq!(answers[n], if expected.is_empty() { NO_MATCH } else { MATCH });
                    expected.iter().for_each(|rule| by_rule[*rule as usize] += 1);
                }
                Err(error) => {
                    let seen = errors.next().expect("an error for each bad line");
                    assert_eq!((rules.len(), seen.event, seen.offset, seen.error, answers[n]), (0, n, offset, *error, NO_EVENT));
                }
            }
            offset += lines[n].len() + 3;
        }
        assert_eq!((errors.next(), &by_rule, &counts.errors), (None, &counts.by_rule, &found.errors));
    }
}

#[test]
fn a_line_has_the_answer_of_its_event() {
    for seed in 1..12 {
        let next = &mut random(seed * 7919);
        let set = RuleSet::new(EventLimits::default());
        let mut scratch = Scratch::default();
        // Of some seeds a large segment, of all of them small ones beside it, entered between the batches.
        if seed % 3 != 0 {
            put(&set, &filler());
        }
        for count in (0..30).chain([47, 48, 49]) {
            let patterns: Vec<String> = (0..next(6)).map(|_| some_pattern(next)).collect();
            put(&set, &patterns);
            check(&set, next, count, &mut scratch);
            if next(12) == 0 {
                set.compact();
            }
        }
    }
}

#[test]
fn what_takes_too_many_steps_is_refused_in_its_place() {
    let set = RuleSet::new(EventLimits { max_array_steps: 1, ..EventLimits::default() });
    put(&set, &filler());
    put(&set, &[r#"{"list":{"a":[1],"b":[2],"c":[3]}}"#.to_owned(), r#"{"k":["v"]}"#.to_owned()]);
    let array = (0..200).map(|n| format!(r#"{{"a":1,"b":{n},"c":3}}"#)).collect::<Vec<_>>().join(",");
    let (heavy, light) = (format!(r#"{{"list":[{array}]}}"#), r#"{"k":"v"}"#.to_owned());
    let lines: Vec<&str> = (0..40).map(|n| if n % 5 == 3 { heavy.as_str() } else { &light }).collect();
    let snapshot = set.load();
    let found = snapshot.match_lines(lines.join("\n").as_bytes(), Validation::Checked, 1);
    let mut scratch = Scratch::default();
    let error = snapshot.match_text(heavy.as_bytes(), Validation::Checked, &mut scratch).expect_err("too many steps");
    assert_eq!(found.errors.iter().map(|e| (e.event, e.error)).collect::<Vec<_>>(), (0..8).map(|n| (5 * n + 3, error)).collect::<Vec<_>>());
    assert_eq!(found.rules.len(), 32);
}

#[test]
fn what_leads_to_very_much_is_asked_in_its_turn() {
    let set = RuleSet::new(EventLimits::default());
    put(&set, &filler());
    let ranges = (0..1500).map(|n| format!(r#"{{"n":[{{"numeric":[">=",{n}]}}],"k":[{{"prefix":"v"}}]}}"#));
    put(&set, &ranges.chain([r#"{"t":[{"suffix":"x"}]}"#.to_owned()]).collect::<Vec<_>>());
    set.compact();
    let (snapshot, mut scratch) = (set.load(), Scratch::default());
    let lines: Vec<String> = (0..40).map(|n| format!(r#"{{"n":{},"k":"{}","t":"{n}x"}}"#, n * 50, ["v1", "w"][n % 7 / 6])).collect();
    let found = snapshot.match_lines(lines.join("\n").as_bytes(), Validation::Checked, 1);
    for (n, line) in lines.iter().enumerate() {
        snapshot.match_text(line.as_bytes(), Validation::Checked, &mut scratch).expect("an event");
        let wanted = if n % 7 == 6 { 1 } else { (n * 50 + 1).min(1500) + 1 };
        assert_eq!(scratch.matches.len(), wanted);
        assert_eq!(found.rules[found.offsets[n] as usize..found.offsets[n + 1] as usize], scratch.matches[..], "{line}");
    }
}

#[test]
fn a_thread_keeps_no_memory_that_only_a_huge_event_needs() {
    let set = RuleSet::new(EventLimits::default());
    put(&set, &[r#"{"a":["s1"]}"#.to_owned()]);
    let (snapshot, mut scratch) = (set.load(), Scratch::default());
    snapshot.match_text(br#"{"a":["s1","s2"],"b":"x"}"#, Validation::Checked, &mut scratch).expect("an event");
    assert!(scratch.is_small());
    let (values, text) = (format!(r#"{{"a":[{}"s1"]}}"#, r#""s","#.repeat(100_000)), format!(r#"{{"b":"{}"}}"#, "x".repeat(4 << 20)));
    let escaped = format!(r#"{{"a":"{}"}}"#, r"\n".repeat(2 << 20));
    for huge in [values, text, escaped] {
        let mut scratch = Scratch::default();
        snapshot.match_text(huge.as_bytes(), Validation::Checked, &mut scratch).expect("an event");
        assert!(!scratch.is_small());
    }
}

/// Lines of all lengths, at all places among the blocks of 64 bytes: ends, blanks, faults and what is too long.
#[test]
fn lines_end_at_their_newlines() {
    let set = RuleSet::new(EventLimits { max_event_bytes: 300, ..EventLimits::default() });
    put(&set, &[r#"{"k":["v"]}"#.to_owned(), r#"{"k":[{"prefix":"w"}]}"#.to_owned()]);
    for large in [false, true] {
        if large {
            put(&set, &filler());
        }
        let snapshot = set.load();
        for seed in 1..300 {
            let next = &mut random(seed * 104_729);
            let mut buffer = String::new();
            for _ in 0..next(12) {
                let longest = if next(9) == 0 { 400 } else { 140 };
                let pad = "x".repeat(next(longest));
                let (before, after) = ([" ", "\t", "", ""][next(4)].repeat(next(70)), [" ", "\r", "", ""][next(4)].repeat(next(70)));
                let line = match next(9) {
                    0 => String::new(),
                    // A newline within a string makes two faults.
                    1 => format!("{{\"p\":\"{pad}\n{pad}\",\"k\":\"v\"}}"),
                    2 => format!(r#"{{"p":"{pad}\","k":"v"}}"#),
                    3 => format!(r#"{{"p":"{pad}","k":"é"}}"#),
                    4 => format!("{{\"p\":\"{pad}\x01\",\"k\":\"v\"}}"),
                    5 => format!(r#"{{"p":["{pad}\\",{{"{pad}":[]}}],"k":"wé"}}"#),
                    _ => format!(r#"{{"p":"{pad}","k":"v"}}"#),
                };
                buffer += &format!("{before}{line}{after}{}", ["\n", "\r\n"][next(2)]);
            }
            buffer.truncate(buffer.trim_end_matches('\n').len() + next(2));
            for level in [Validation::Checked, Validation::Strict, Validation::Trusted] {
                let found = snapshot.match_lines(buffer.as_bytes(), level, 1);
                let (mut n, mut errors, mut scratch) = (0, found.errors.iter(), Scratch::default());
                for (offset, line) in lines(buffer.as_bytes()) {
                    let rules = &found.rules[found.offsets[n] as usize..found.offsets[n + 1] as usize];
                    let valid = snapshot.match_text(line, Validation::Strict, &mut Scratch::default()).is_ok();
                    let alone = snapshot.match_text(line, level, &mut scratch).map(|()| &scratch.matches[..]);
                    let together = match errors.as_slice().first().filter(|error| error.event == n) {
                        Some(error) => {
                            assert_eq!(error.offset, offset);
                            Err(errors.next().expect("just seen").error)
                        }
                        None => Ok(rules),
                    };
                    // Without checks only what is an event has a certain answer.
                    if level != Validation::Trusted || valid {
                        assert_eq!(together, alone, "{level:?} {line:?} in {buffer:?}");
                    }
                    n += 1;
                }
                assert_eq!((found.offsets.len(), errors.next()), (n + 1, None));
            }
        }
    }
}
