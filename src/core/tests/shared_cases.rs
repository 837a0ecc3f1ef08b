//! The engine against verdicts recorded outside: single cases, rule sets, the real service, real rules and events.
//! The data lies beside the checkout; without it each test says so and passes.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleSet, Scratch},
    walk::Validation,
};
use serde_json::Value;
use std::{collections::HashMap, path::PathBuf};

const LEVELS: [Validation; 3] = [Validation::Checked, Validation::Strict, Validation::Trusted];

fn rows(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.lines().map(|l| serde_json::from_str(l).expect("a JSON line")).collect(),
        Err(_) => {
            eprintln!("skipped: ../shared/data/{name} is not beside the checkout");
            vec![]
        }
    }
}

/// Rows whose event or pattern has to keep its exact spelling are read line by line as raw text.
fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} in {row}"))
}

fn set_of<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> (RuleSet, Vec<u32>) {
    let set = RuleSet::new(EventLimits::default());
    let put = patterns.map(|p| Put { replaces: None, pattern: accept(p, &PatternLimits::default()).expect("valid") }).collect();
    let ids = set.apply(Change { remove: vec![], put }).expect("within capacity").ids;
    (set, ids)
}

/// Whether one pattern matches one event, the same at all levels; an event that is refused matches nothing.
fn verdict(pattern: &[u8], event: &[u8]) -> bool {
    let (set, _) = set_of(std::iter::once(pattern));
    let snapshot = set.load();
    let mut scratch = Scratch::default();
    let verdicts = LEVELS.map(|level| snapshot.match_text(event, level, &mut scratch).is_ok() && !scratch.matches.is_empty());
    // `Trusted` promises nothing on events with duplicate keys or faults.
    assert_eq!(verdicts[0], verdicts[1], "checked and strict differ on {}", String::from_utf8_lossy(event));
    verdicts[0]
}

#[test]
fn single_cases() {
    let (mut wrong, mut n) = (vec![], 0);
    for row in rows("cases-dev.jsonl") {
        n += 1;
        let valid = row.get("clean_valid").unwrap_or(&row["valid"]).as_bool().unwrap();
        let want = row.get("clean_match").unwrap_or(&row["match"]).as_bool().unwrap_or(false);
        let (pattern, event) = (text(&row, "pattern_text"), text(&row, "event_text"));
        let accepted = accept(pattern.as_bytes(), &PatternLimits::default()).is_ok();
        if accepted != valid || valid && verdict(pattern.as_bytes(), event.as_bytes()) != want {
            wrong.push(format!("{}: valid {valid} match {want}: {pattern} ON {event}", text(&row, "id")));
        }
    }
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
    println!("{n} single cases agree");
}

#[test]
fn hand_picked_cases() {
    let mut n = 0;
    for row in rows("edge_cases.jsonl") {
        let clean = text(&row, "clean");
        let (pattern, event) = (text(&row, "pattern_text"), text(&row, "event_text"));
        let got = match accept(pattern.as_bytes(), &PatternLimits::default()) {
            Err(_) => "REJECT",
            Ok(_) => {
                let (set, _) = set_of(std::iter::once(pattern.as_bytes()));
                let mut scratch = Scratch::default();
                match set.load().match_text(event.as_bytes(), Validation::Strict, &mut scratch) {
                    Err(_) => "EVENT-ERROR",
                    Ok(()) if scratch.matches.is_empty() => "no",
                    Ok(()) => "match",
                }
            }
        };
        assert!(clean.starts_with(got), "{}: want {clean}, got {got}: {pattern} ON {event}", text(&row, "id"));
        n += 1;
    }
    println!("{n} hand-picked cases agree");
}

#[test]
fn rule_sets() {
    let mut n = 0;
    for row in rows("multi-dev.jsonl") {
        let (names, patterns): (Vec<String>, Vec<String>) = match &row["rules"] {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).unzip(),
            other => panic!("rules: {other}"),
        };
        let (set, ids) = set_of(patterns.iter().map(|p| p.as_bytes()));
        let snapshot = set.load();
        let mut scratch = Scratch::default();
        for (event, want) in row["events"].as_array().unwrap().iter().zip(row["matched"].as_array().unwrap()) {
            let event = event.as_str().unwrap();
            let mut want: Vec<&str> = want.as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
            want.sort_unstable();
            for level in [Validation::Checked, Validation::Strict] {
                snapshot.match_text(event.as_bytes(), level, &mut scratch).expect(event);
                let mut got: Vec<&str> = scratch.matches.iter().map(|id| &names[ids.iter().position(|i| i == id).unwrap()][..]).collect();
                got.sort_unstable();
                assert_eq!(got, want, "{} {event}", text(&row, "id"));
            }
            n += 1;
        }
    }
    println!("{n} events against 25 to 200 rules agree");
}

#[test]
fn real_rules_and_events() {
    let rules: Vec<Value> = rows("real/rules-dev.jsonl").into_iter().filter(|r| r["valid"] == true).collect();
    let patterns: Vec<String> = rules.iter().map(|r| r["pattern"].to_string()).collect();
    let (set, ids) = set_of(patterns.iter().map(|p| p.as_bytes()));
    let names: HashMap<u32, &str> = ids.iter().copied().zip(rules.iter().map(|r| text(r, "id"))).collect();
    let snapshot = set.load();
    let mut scratch = Scratch::default();
    let truth: HashMap<String, Vec<String>> = rows("real/truth-dev.jsonl")
        .iter()
        .map(|r| (text(r, "event").to_owned(), r["rules"].as_array().unwrap().iter().map(|x| x.as_str().unwrap().to_owned()).collect()))
        .collect();
    let (mut n, mut matches) = (0, 0);
    for row in rows("real/events-dev.jsonl").into_iter().chain(rows("real/events_derived-dev.jsonl")) {
        let Some(want) = truth.get(text(&row, "id")) else { continue };
        let event = row["event"].to_string();
        for level in LEVELS {
            snapshot.match_text(event.as_bytes(), level, &mut scratch).expect(&event);
            let mut got: Vec<&str> = scratch.matches.iter().map(|id| names[id]).collect();
            got.sort_unstable();
            let mut want: Vec<&str> = want.iter().map(|w| &w[..]).collect();
            want.sort_unstable();
            assert_eq!(got, want, "{level:?} {}", text(&row, "id"));
        }
        n += 1;
        matches += want.len();
    }
    println!("{} real rules on {n} real events agree, {matches} matches", rules.len());
}
