//! Many rules read at once: however many threads read them, and whatever they replace, the set answers as one to which
//! they were put one by one; all bad patterns are reported, and then nothing is changed.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    pattern::print,
    store::{Change, Put, Refused, RuleId, RuleSet, Scratch},
    walk::Validation,
};

const RULES: usize = 20_000;

/// Patterns of every kind; every 50th twice, many that share values, lists and paths, some that expand.
fn pattern(n: usize) -> String {
    let m = n - (n % 50 == 49) as usize;
    match m % 8 {
        0 => format!(r#"{{"k":["v{m}","w{}"],"n":[{}]}}"#, m % 7, m % 100),
        1 => format!(r#"{{"a":{{"b{}":[{{"prefix":"p{m}"}}]}},"k":[{{"anything-but":["x{}","y"]}}]}}"#, m % 13, m % 3),
        2 => format!(r#"{{"n":[{{"numeric":[">=",{m},"<",{}]}}],"k":["t"]}}"#, m + 3),
        3 => format!(r#"{{"$or":[{{"k":["o{m}"]}},{{"q{}":[{m}]}}]}}"#, m % 30),
        4 => format!(r#"{{"k":[{{"suffix":"s{m}"}},{{"equals-ignore-case":"CASE{m}"}}]}}"#),
        5 => format!(r#"{{"k":[{{"wildcard":"*wild{m}*"}}]}}"#),
        6 => format!(r#"{{"k":["r{m}"],"$or":[{{"k":["z{m}"]}},{{"n":[{m}]}}]}}"#),
        _ => format!(r#"{{"ip":[{{"cidr":"10.{}.{}.0/24"}}],"z":[{{"exists":false}}]}}"#, m / 256 % 256, m % 256),
    }
}

fn event(n: usize) -> String {
    let letter = ["v", "p", "t", "o", "s", "wild", "z", "r"][n % 8];
    format!(
        r#"{{"k":["{letter}{n}","case{n}","t"],"n":{n},"q{}":{n},"a":{{"b{}":"p{n}!"}},"ip":"10.{}.{}.9"}}"#,
        n % 30,
        n % 13,
        n / 256 % 256,
        n % 256
    )
}

fn answers(set: &RuleSet, ids: &[RuleId]) -> Vec<Vec<usize>> {
    let mut place = vec![usize::MAX; 1 + ids.iter().copied().max().unwrap_or(0) as usize];
    ids.iter().enumerate().for_each(|(at, id)| place[*id as usize] = at);
    let (snapshot, mut scratch) = (set.load(), Scratch::default());
    let answer = |n: usize| {
        snapshot.match_text(event(n).as_bytes(), Validation::Checked, &mut scratch).expect("valid");
        scratch.matches.iter().map(|id| place[*id as usize]).collect()
    };
    (0..RULES).step_by(41).map(answer).collect()
}

#[test]
fn threads_and_replacements_change_nothing() {
    let texts: Vec<String> = (0..RULES).map(pattern).collect();
    let tree = |text: &String| accept(text.as_bytes(), &PatternLimits::default());
    let one_by_one = RuleSet::new(EventLimits::default());
    let put = |text: &String| Put { replaces: None, pattern: tree(text).expect("valid") };
    let ids = one_by_one.apply(Change { remove: vec![], put: texts.iter().map(put).collect() }).expect("capacity").ids;
    let want = answers(&one_by_one, &ids);
    assert!(want.iter().map(Vec::len).sum::<usize>() > RULES / 41);
    for threads in [1, 2, 5] {
        // First other rules, of other paths, in another order; then all of them replaced at once.
        let set = RuleSet::new(EventLimits::default());
        let others: Vec<String> = (0..RULES / 2).map(|n| format!(r#"{{"zz{}":["v{n}"],"k":[{{"exists":true}}]}}"#, n % 40)).collect();
        let draft = set.read(&others, tree, threads).expect("valid");
        assert_eq!(draft.len(), others.len());
        let old = set.put_draft(draft, &vec![None; others.len()]).expect("capacity").ids;
        let replaces: Vec<Option<RuleId>> = (0..RULES).map(|n| (n % 2 == 0).then(|| old[old.len() - 1 - n / 2])).collect();
        let ids = set.put_draft(set.read(&texts, tree, threads).expect("valid"), &replaces).expect("capacity").ids;
        assert_eq!(set.load().rules().len(), RULES);
        let sorted = |answers: Vec<Vec<usize>>| -> Vec<Vec<usize>> {
            answers
                .into_iter()
                .map(|mut answer| {
                    answer.sort_unstable();
                    answer
                })
                .collect()
        };
        // The order of putting is that of the rules replaced.
        assert_eq!(sorted(answers(&set, &ids)), sorted(want.clone()), "{threads} threads");
        set.compact();
        assert_eq!(sorted(answers(&set, &ids)), sorted(want.clone()), "{threads} threads, compact");
        let fresh = RuleSet::new(EventLimits::default());
        let ids = fresh.put_draft(fresh.read(&texts, tree, threads).expect("valid"), &vec![None; RULES]).expect("capacity").ids;
        assert_eq!(answers(&fresh, &ids), want, "{threads} threads, fresh");
        assert_eq!(fresh.load().stats().conjunctions, one_by_one.load().stats().conjunctions);
        let canonical = |set: &RuleSet, id| set.pattern(id).map(|pattern| print(&pattern).len());
        assert!(
            ids.iter()
                .step_by(97)
                .zip(texts.iter().step_by(97))
                .all(|(id, text)| { canonical(&fresh, *id) == tree(text).ok().map(|tree| print(&tree).len()) || text.contains("numeric") })
        );
    }
}

#[test]
fn changes_go_on_while_rules_are_placed() {
    let texts: Vec<String> = (0..RULES).map(pattern).collect();
    let tree = |text: &String| accept(text.as_bytes(), &PatternLimits::default());
    let put = |text: &str| Put { replaces: None, pattern: accept(text.as_bytes(), &PatternLimits::default()).expect("valid") };
    let others: Vec<String> = (0..RULES / 2).map(|n| format!(r#"{{"zz{}":["v{n}"],"k":[{{"exists":true}}]}}"#, n % 40)).collect();
    // Rules that replace others, or rules that are new; one that was to be replaced goes away meanwhile, or none does.
    for (replacing, removed) in [(true, true), (true, false), (false, true), (false, false)] {
        let change = |set: &RuleSet, old: &[RuleId]| {
            let remove = if removed { vec![old[RULES / 4]] } else { vec![] };
            let late = r#"{"path":{"of":{"its":{"own":[1]}}},"n":[{"numeric":[">=",0]}]}"#;
            set.apply(Change { remove, put: vec![put(late)] }).expect("capacity").ids[0]
        };
        let run = |placed_before: bool| {
            let set = RuleSet::new(EventLimits::default());
            let old = set.put_draft(set.read(&others, tree, 2).expect("valid"), &vec![None; others.len()]).expect("capacity").ids;
            let mut replaces: Vec<Option<RuleId>> =
                (0..RULES).map(|n| (replacing && n % 2 == 0).then(|| old[old.len() - 1 - n / 2])).collect();
            let draft = set.read(&texts, tree, 2).expect("valid");
            let mut ids = if placed_before {
                let placed = set.place(draft, &replaces).expect("capacity");
                let generation = set.load().generation();
                let late = change(&set, &old);
                assert!(set.load().generation() == generation + 1 && set.load().rules().contains(&late));
                replaces.iter_mut().for_each(|id| *id = id.filter(|id| !removed || *id != old[RULES / 4]));
                let ids = set.put_placed(placed, &replaces).ids;
                [ids, vec![late]].concat()
            } else {
                let late = change(&set, &old);
                replaces.iter_mut().for_each(|id| *id = id.filter(|id| !removed || *id != old[RULES / 4]));
                let ids = set.put_draft(draft, &replaces).expect("capacity").ids;
                [ids, vec![late]].concat()
            };
            let answers_now = answers(&set, &ids);
            // What is merged or built anew answers the same.
            set.compact();
            assert_eq!(answers(&set, &ids), answers_now);
            ids.truncate(RULES);
            (answers_now, set.load().rules().len(), ids.iter().map(|id| set.pattern(*id).map(|tree| print(&tree))).collect::<Vec<_>>())
        };
        let (before, after) = (run(true), run(false));
        assert!(before == after, "replacing {replacing}, removed {removed}");
    }
}

#[test]
fn rules_that_are_placed_but_never_put_change_nothing() {
    let set = RuleSet::new(EventLimits::default());
    let texts: Vec<String> = (0..1_000).map(pattern).collect();
    let read = || set.read(&texts, |text| accept(text.as_bytes(), &PatternLimits::default()), 1).expect("valid");
    drop(set.place(read(), &[None; 1_000]).expect("capacity"));
    let snapshot = set.load();
    assert_eq!((snapshot.rules().len(), snapshot.generation(), snapshot.stats().segments), (0, 0, 0));
    let ids = set.put_draft(read(), &[None; 1_000]).expect("capacity").ids;
    assert!(answers(&set, &ids).iter().any(|answer| !answer.is_empty()));
}

#[test]
fn all_bad_patterns_are_reported() {
    let set = RuleSet::new(EventLimits::default());
    let texts: Vec<String> = (0..5_000).map(|n| if n % 1_000 == 17 { format!("{{\"k\":{n}}}") } else { pattern(n) }).collect();
    for threads in [1, 3] {
        match set.read(&texts, |text| accept(text.as_bytes(), &PatternLimits::default()), threads) {
            Err(Refused::Patterns(errors)) => {
                assert_eq!(errors.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [17, 1_017, 2_017, 3_017, 4_017]);
            }
            Err(Refused::Capacity(error)) => panic!("{error}"),
            Ok(_) => panic!("bad patterns were accepted"),
        }
    }
    assert!(set.load().rules().is_empty());
}
