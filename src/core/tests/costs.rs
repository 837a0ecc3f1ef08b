//! What a rule costs, and how a sample of events changes where rules are placed. Must never rely on the exact estimates,
//! only on their order.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Cost, Put, RuleSet, Scratch},
    walk::Validation,
};

fn set_of(patterns: impl IntoIterator<Item = String>) -> RuleSet {
    let set = RuleSet::new(EventLimits::default());
    let put = |text: String| Put { replaces: None, pattern: accept(text.as_bytes(), &PatternLimits::default()).expect("valid") };
    set.apply(Change { remove: vec![], put: patterns.into_iter().map(put).collect() }).expect("capacity");
    set
}

fn costs(set: &RuleSet, sample: &str) -> Vec<Cost> {
    set.load().costs(Some((sample.as_bytes(), Validation::Checked))).0
}

#[test]
fn costs_name_the_condition_and_count_candidates() {
    let many = (0..200).map(|n| format!(r#"{{"source":["shop"],"id":["id-{n}"]}}"#));
    let odd = [
        r#"{"source":[{"anything-but":"shop"}]}"#,
        r#"{"x":[{"exists":false}],"y":[{"exists":false}]}"#,
        r#"{"$or":[{"a":["one"]},{"b":["two"]}]}"#,
        r#"{"c":[{"exists":false}]}"#,
    ];
    let set = set_of(many.chain(odd.map(str::to_owned)));
    let events = 40;
    let sample: String = (0..events).map(|n| format!("{{\"source\":\"shop\",\"id\":\"id-{n}\",\"b\":\"two\"}}\nno event\n")).collect();
    let (all, counted) = set.load().costs(Some((sample.as_bytes(), Validation::Checked)));
    assert_eq!((all.len(), counted), (204, events));
    for (n, cost) in all[..200].iter().enumerate() {
        assert_eq!(cost.access.as_deref(), Some(&*format!(r#"{{"id":["id-{n}"]}}"#)));
        let once = (n < events) as u64;
        assert_eq!(cost.observed, Some((once, once)));
        assert!(cost.expected < 0.02, "{cost:?}");
    }
    assert_eq!(all[200].access.as_deref(), Some(r#"{"source":[{"anything-but":"shop"}]}"#));
    assert!(all[200].expected > 0.8 && all[200].observed == Some((events as u64, 0)), "{:?}", all[200]);
    assert!(all[201].access.is_none() && all[201].expected == 1.0 && all[201].observed == Some((events as u64, events as u64)));
    assert_eq!(all[202].access.as_deref(), Some(r#"{"$or":[{"a":["one"]},{"b":["two"]}]}"#));
    assert_eq!(all[203].access.as_deref(), Some(r#"{"c":[{"exists":false}]}"#));
    assert_eq!(set.load().costs(None).0[7].observed, None);
}

#[test]
fn a_sample_moves_rules_away_from_what_most_events_hold() {
    // Rules name a thousand tenants and ten kinds; by the rules, tenants divide better. But nearly all events are of one
    // tenant, and of a kind that rules seldom ask for.
    let rule = |n: usize| {
        format!(r#"{{"tenant":["t{}"],"kind":["k{}"],"n":[{{"numeric":[">",{n}]}}]}}"#, if n.is_multiple_of(20) { 0 } else { n }, n % 10)
    };
    let event = |n: usize| {
        format!(r#"{{"tenant":"t{}","kind":"k{}","n":500}}"#, if n % 50 == 49 { n } else { 0 }, if n.is_multiple_of(25) { 1 } else { 9 })
    };
    let set = set_of((0..1_000).map(rule));
    let sample: String = (0..2_000).map(|n| event(n) + "\n").collect();
    let candidates = |set: &RuleSet| costs(set, &sample).iter().filter_map(|c| c.observed).map(|(candidates, _)| candidates).sum::<u64>();
    let answers = |set: &RuleSet| {
        let (snapshot, mut scratch) = (set.load(), Scratch::default());
        let answer = |n| {
            snapshot.match_text(event(n).as_bytes(), Validation::Checked, &mut scratch).expect("valid");
            scratch.matches.clone()
        };
        (0..200).map(answer).collect::<Vec<_>>()
    };
    let (before, want) = (candidates(&set), answers(&set));
    let generation = set.load().generation();
    assert_eq!(set.tune(sample.as_bytes(), Validation::Checked), 2_000);
    let after = candidates(&set);
    assert!(after * 4 < before, "{before} candidates before, {after} after");
    assert_eq!((answers(&set), set.load().generation()), (want.clone(), generation));
    // What is put later is placed by the same counts.
    let put = vec![Put { replaces: None, pattern: accept(rule(1_000).as_bytes(), &PatternLimits::default()).expect("valid") }];
    set.apply(Change { remove: vec![], put }).expect("capacity");
    assert_eq!(costs(&set, &sample)[1_000].access.as_deref(), Some(r#"{"kind":["k0"]}"#));
    // A sample without events changes nothing.
    assert_eq!(set.tune(b"no event\n\n", Validation::Checked), 0);
    assert_eq!(RuleSet::new(EventLimits::default()).tune(sample.as_bytes(), Validation::Checked), 2_000);
}
