//! The judge is judged: the naive matcher against the recorded verdicts in ../shared/data (5,000 single cases and 300
//! rule sets). Says so and passes when the folder is not beside the checkout.

use rulebus_fuzz::{naive, stack::with_deep_stack};
use serde_json::Value;
use std::{fs, path::Path};

fn lines(name: &str) -> Option<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    let Ok(text) = fs::read_to_string(&file) else {
        eprintln!("skipped: {} is not there", file.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

/// The pattern has two members of one name: `serde_json` keeps the place of the first, so overriding is not seen.
fn repeats_a_key(text: &str, value: &Value) -> bool {
    fn members(value: &Value) -> usize {
        match value {
            Value::Object(map) => map.len() + map.values().map(members).sum::<usize>(),
            Value::Array(elements) => elements.iter().map(members).sum(),
            _ => 0,
        }
    }
    // A colon may also stand inside a string; then the case is left to the other judges as well.
    text.matches(':').count() != members(value)
}

#[test]
fn single_cases() {
    let Some(cases) = lines("cases-dev.jsonl") else { return };
    let (mut judged, mut wrong) = (0, Vec::new());
    with_deep_stack(|| {
        for case in &cases {
            let valid = case.get("clean_valid").unwrap_or(&case["valid"]) == &Value::Bool(true);
            let expected = case.get("clean_match").unwrap_or(&case["match"]) == &Value::Bool(true);
            let text = case["pattern_text"].as_str().map_or_else(|| case["pattern"].to_string(), str::to_owned);
            let (Ok(pattern), Ok(event)) = (serde_json::from_str(&text), serde_json::from_str(case["event_text"].as_str().unwrap_or("")))
            else {
                continue;
            };
            if !valid || repeats_a_key(&text, &pattern) {
                continue;
            }
            judged += 1;
            if naive::matches(&pattern, &event) != expected {
                wrong.push(format!("{} expected {expected}: {text} on {}", case["id"], case["event_text"]));
            }
        }
    });
    assert!(wrong.is_empty(), "{} of {judged} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 3500, "only {judged} cases were judged");
}

#[test]
fn rule_sets() {
    let Some(sets) = lines("multi-dev.jsonl") else { return };
    let mut judged = 0;
    for set in &sets {
        let rules = set["rules"].as_object().expect("rules by name").iter().filter_map(|(name, text)| {
            let text = text.as_str().expect("a text");
            let pattern: Value = serde_json::from_str(text).expect("JSON");
            (!repeats_a_key(text, &pattern)).then_some((name, pattern))
        });
        let rules: Vec<_> = rules.collect();
        let events = set["events"].as_array().expect("events").iter();
        for (text, matched) in events.zip(set["matched"].as_array().expect("matched names")) {
            let text = text.as_str().expect("a text");
            let event: Value = serde_json::from_str(text).expect("JSON");
            for (name, rule) in &rules {
                judged += 1;
                let expected = matched.as_array().expect("names").iter().any(|m| m.as_str() == Some(name));
                assert_eq!(naive::matches(rule, &event), expected, "set {}, rule {name}: {rule} on {text}", set["id"]);
            }
        }
    }
    assert!(judged > 100_000, "only {judged} pairs were judged");
}
