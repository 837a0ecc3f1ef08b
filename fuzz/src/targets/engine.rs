//! Rules and events made from the input's bytes: the engine's answer equals the naive matcher's, at every validation
//! level, with all rules, after some were removed and replaced, for the printed form of every pattern, one by one, together, and in
//! lines.

use super::{kind, magnitude};
use crate::{choices::Choices, generate, naive};
use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    pattern,
    store::{Change, Put, RuleId, RuleSet, Scratch, Snapshot},
    walk::Validation,
};
use serde_json::Value;

/// Panics when the engine errs.
pub fn run(bytes: &[u8]) -> u64 {
    let c = &mut Choices::new(bytes);
    let rules = generate::rules(c);
    let events: Vec<Value> = (0..1 + c.below(4)).map(|_| generate::event(c)).collect();
    let set = RuleSet::new(EventLimits::default());
    let ids = set.apply(Change { remove: Vec::new(), put: rules.iter().map(|r| put(r, None)).collect() }).expect("few rules").ids;
    let mut live: Vec<(RuleId, &Value)> = ids.iter().copied().zip(&rules).collect();
    let mut matched = compare(&set, &live, &events);

    // Some rules leave, one takes the place of another; the answers must follow.
    let gone: Vec<RuleId> = ids.iter().copied().filter(|_| c.once_in(3)).collect();
    live.retain(|(id, _)| !gone.contains(id));
    let other = &rules[c.below(rules.len())];
    let mut change = Change { remove: gone, put: Vec::new() };
    if let Some((id, rule)) = live.first_mut() {
        change.put.push(put(other, Some(*id)));
        *rule = other;
    }
    let applied = set.apply(change).expect("few rules");
    if let (Some(first), Some(id)) = (live.first_mut(), applied.ids.first()) {
        first.0 = *id;
    }
    matched += compare(&set, &live, &events);

    let operators = rules.iter().map(Value::to_string).fold(0u64, |held, text| {
        let names = ["exactly", "prefix", "suffix", "ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists", "$or"];
        names.iter().enumerate().fold(held, |held, (i, name)| held | (text.contains(name) as u64) << i)
    });
    kind(&[operators, magnitude(matched), magnitude(rules.len())])
}

/// The pattern goes through its printed form, so that printing is judged by verdicts too.
fn put(rule: &Value, replaces: Option<RuleId>) -> Put {
    let limits = PatternLimits::default();
    let text = rule.to_string();
    let parsed = accept(text.as_bytes(), &limits).unwrap_or_else(|e| panic!("a valid pattern is refused: {e}\n{text}"));
    let printed = pattern::print(&parsed);
    let pattern = accept(printed.as_bytes(), &limits).unwrap_or_else(|e| panic!("a printed pattern is refused: {e}\n{printed}"));
    Put { replaces, pattern }
}

fn compare(set: &RuleSet, live: &[(RuleId, &Value)], events: &[Value]) -> usize {
    let snapshot = set.load();
    let mut scratch = Scratch::default();
    let mut total = 0;
    let mut all: Vec<(String, Vec<RuleId>)> = Vec::new();
    for event in events {
        let expected: Vec<RuleId> = live.iter().filter(|(_, rule)| naive::matches(rule, event)).map(|(id, _)| *id).collect();
        total += expected.len();
        for text in [event.to_string(), serde_json::to_string_pretty(event).expect("a value prints")] {
            for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
                let context = || format!("level {level:?}, event {text}, rules {live:?}");
                snapshot.match_text(text.as_bytes(), level, &mut scratch).unwrap_or_else(|e| panic!("event refused: {e}; {}", context()));
                assert_eq!(scratch.matches, expected, "{}", context());
                let any = snapshot.match_any(text.as_bytes(), level, &mut scratch).expect("accepted before");
                assert_eq!(any, !expected.is_empty(), "match_any; {}", context());
            }
            all.push((text, expected.clone()));
        }
    }
    // Several times over, so that they fill more than one group.
    let all: Vec<_> = all.iter().cycle().take(all.len() * 4).collect();
    for first_only in [false, true] {
        let (texts, mut answers) = (all.iter().map(|(text, _)| text.as_bytes()), all.iter());
        snapshot.match_together(texts, Validation::Checked, first_only, &mut scratch, |text, found| {
            let (expected, found) = (&answers.next().expect("an answer for each").1, found.expect("accepted before"));
            let same = if first_only { found.is_empty() == expected.is_empty() } else { found == expected };
            assert!(same, "together: {found:?}, not {expected:?}; event {}, rules {live:?}", String::from_utf8_lossy(text));
        });
    }
    in_lines(&snapshot, &all);
    total
}

/// The events as JSON lines with blank lines, broken events and other ends of lines among them.
fn in_lines(snapshot: &Snapshot, all: &[&(String, Vec<RuleId>)]) {
    const BETWEEN: [&str; 6] = ["\n", "\r\n", "\n\n", " \n  \n", "\n{\"a\n", "\r\n{\"a\":\"b\"\r\n"];
    let (mut buffer, mut expected) = (Vec::new(), Vec::new());
    // A printed event takes several lines, so it stands in one.
    for (i, (text, found)) in all.iter().enumerate() {
        buffer.extend(text.bytes().map(|b| if b == b'\n' { b' ' } else { b }));
        expected.push(Some(found));
        let between = BETWEEN[(i * 7 + text.len()) % BETWEEN.len()];
        buffer.extend(between.bytes());
        if between.contains('{') {
            expected.push(None);
        }
    }
    for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
        let lines = snapshot.match_lines(&buffer, level, 1);
        let context = || format!("level {level:?}, lines {}", String::from_utf8_lossy(&buffer));
        assert_eq!(lines.offsets.len(), expected.len() + 1, "{}", context());
        let mut errors = lines.errors.iter();
        for (i, expected) in expected.iter().enumerate() {
            let found = &lines.rules[lines.offsets[i] as usize..lines.offsets[i + 1] as usize];
            match expected {
                Some(expected) => assert_eq!(found, &expected[..], "line {i}; {}", context()),
                // Nothing is promised of a broken event that was said to be whole.
                None if level == Validation::Trusted => {}
                None => assert_eq!(errors.next().map(|e| e.event), Some(i), "{}", context()),
            }
        }
    }
}
