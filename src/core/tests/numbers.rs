//! Many numbers on one path: what an array of numbers matches is what its numbers match one by one, although the walk
//! leaves out those that make no difference. Numbers lie on, beside and between the constants of the rules, in every
//! spelling, comparable or not; keys come twice, and arrays of objects must not mix their elements.

use rulebus_core::{
    compile::accept,
    error::EventErrorCode,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleId, RuleSet, Scratch, Snapshot},
    walk::Validation,
};

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    /// A constant that rules name: at most 15 digits.
    fn constant(&mut self) -> String {
        ["0", "1", "-1", "2.5", "37.764801962184", "-122.416", "1e9", "-0.5", "9999999.25", "12345678.5", "1e-9"][self.below(11)].to_owned()
    }

    /// A number near a constant, or not comparable, or spelled in another way.
    fn number(&mut self) -> String {
        let constant = self.constant();
        match self.below(8) {
            0 => constant,
            1 if !constant.contains(['e', '.']) => format!("{constant}.0"),
            1 | 2 if !constant.contains('e') && constant.contains('.') => {
                format!("{constant}{:0w$}", self.below(1000), w = 1 + self.below(9))
            }
            3 if !constant.contains('e') => format!("{constant}e{}", self.below(3)),
            4 => format!("{}", constant.parse::<f64>().expect("a number") + [1e-9, -1e-9, 1e-8, 3e-8, -2e-8, 0.1][self.below(6)]),
            5 => format!("{:.*}", self.below(18), constant.parse::<f64>().expect("a number") + self.below(100) as f64 * 1e-3),
            6 => format!("{}{:018}", 1 + self.below(200), self.below(1 << 50)),
            _ => format!("{}.{:017}", self.below(200), self.below(1 << 50)),
        }
    }

    fn condition(&mut self) -> String {
        match self.below(6) {
            0 | 1 => self.constant(),
            2 => format!(r#"{{"numeric":["{}",{}]}}"#, ["<", "<=", ">", ">=", "="][self.below(5)], self.constant()),
            3 => {
                let (a, b) = (self.constant(), self.constant());
                let (low, high) = if a.parse::<f64>().unwrap() < b.parse::<f64>().unwrap() { (a, b) } else { (b, a) };
                if low == high { low } else { format!(r#"{{"numeric":[">{}",{low},"<",{high}]}}"#, ["", "="][self.below(2)]) }
            }
            4 => format!(r#"{{"anything-but":[{},{}]}}"#, self.constant(), self.constant()),
            _ => r#"{"exists":true}"#.to_owned(),
        }
    }
}

fn set(patterns: &[String]) -> (RuleSet, Vec<RuleId>) {
    let put = patterns.iter().map(|text| {
        let pattern = accept(text.as_bytes(), &PatternLimits::default()).unwrap_or_else(|e| panic!("{e}: {text}"));
        Put { replaces: None, pattern }
    });
    let set = RuleSet::new(EventLimits::default());
    let ids = set.apply(Change { remove: vec![], put: put.collect() }).expect("within capacity").ids;
    (set, ids)
}

fn matches(snapshot: &Snapshot, event: &str, level: Validation, scratch: &mut Scratch) -> Vec<RuleId> {
    snapshot.match_text(event.as_bytes(), level, scratch).unwrap_or_else(|e| panic!("{e}: {event}"));
    scratch.matches.clone()
}

fn union(mut all: Vec<RuleId>, more: Vec<RuleId>) -> Vec<RuleId> {
    all.extend(more);
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn an_array_of_numbers_matches_what_its_numbers_match() {
    let mut random = Random(88172645463325252);
    let mut scratch = Scratch::default();
    let (mut with, mut without) = (0usize, 0usize);
    for _ in 0..if cfg!(debug_assertions) { 1_500 } else { 15_000 } {
        let rules: Vec<String> = (0..1 + random.below(6)).map(|_| format!(r#"{{"n":[{}]}}"#, random.condition())).collect();
        let snapshot = set(&rules).0.load();
        for _ in 0..6 {
            let numbers: Vec<String> = (0..1 + random.below(12)).map(|_| random.number()).collect();
            let each = numbers.iter().map(|n| matches(&snapshot, &format!(r#"{{"n":{n}}}"#), Validation::Checked, &mut scratch));
            let expected = each.fold(vec![], union);
            let last = matches(&snapshot, &format!(r#"{{"n":[{}]}}"#, numbers[0]), Validation::Checked, &mut scratch);
            let all = numbers.join(",");
            // A short event is read otherwise than one with much behind it.
            let rest = format!(r#","z":"{}""#, "z".repeat(random.below(80)));
            for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
                assert_eq!(matches(&snapshot, &format!(r#"{{"n":[{all}]{rest}}}"#), level, &mut scratch), expected, "{all} {rules:?}");
                assert_eq!(matches(&snapshot, &format!(r#"{{"n":[[{all}],[{all}]]}}"#), level, &mut scratch), expected, "{all} {rules:?}");
            }
            // Of equal keys the last counts, also when its numbers were left out at first.
            let twice = format!(r#"{{"n":[{all}],"n":{}{rest}}}"#, numbers[0]);
            assert_eq!(matches(&snapshot, &twice, Validation::Checked, &mut scratch), last, "{twice} {rules:?}");
            with += expected.len();
            without += rules.len() - expected.len();
        }
    }
    assert!(with > 3_000 && without > 3_000, "{with} {without}");
}

#[test]
fn elements_of_an_array_are_not_mixed() {
    let mut random = Random(12345678910111213);
    let mut scratch = Scratch::default();
    for _ in 0..if cfg!(debug_assertions) { 1_500 } else { 15_000 } {
        let rules: Vec<String> =
            (0..1 + random.below(4)).map(|_| format!(r#"{{"o":{{"n":[{}],"m":[{}]}}}}"#, random.condition(), random.condition())).collect();
        let snapshot = set(&rules).0.load();
        let count = if random.below(20) == 0 { 150 } else { 1 + random.below(6) };
        let elements: Vec<String> = (0..count)
            .map(|_| {
                let numbers = |random: &mut Random| (0..1 + random.below(4)).map(|_| random.number()).collect::<Vec<_>>().join(",");
                format!(r#"{{"n":[{}],"m":[{}]}}"#, numbers(&mut random), numbers(&mut random))
            })
            .collect();
        let each = elements.iter().map(|e| matches(&snapshot, &format!(r#"{{"o":{e}}}"#), Validation::Checked, &mut scratch));
        let expected = each.fold(vec![], union);
        let event = format!(r#"{{"o":[{}],"z":"0123456789012345678901234567890"}}"#, elements.join(","));
        for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
            assert_eq!(matches(&snapshot, &event, level, &mut scratch), expected, "{event} {rules:?}");
        }
    }
}

/// Coordinates: each element has the keys of the one before, as a rule.
#[test]
fn elements_of_the_same_keys_match_what_each_matches() {
    let mut random = Random(314159265358979);
    let mut scratch = Scratch::default();
    let (mut with, mut without) = (0usize, 0usize);
    for _ in 0..if cfg!(debug_assertions) { 1_500 } else { 15_000 } {
        // Keys of up to 32 bytes with what stands around them are remembered.
        let pad = "p".repeat(if random.below(2) == 0 { 0 } else { random.below(30) });
        let rules: Vec<String> = (0..1 + random.below(4))
            .map(|_| format!(r#"{{"o":{{"{}{pad}":[{}]}}}}"#, ["x", "y"][random.below(2)], random.condition()))
            .collect();
        let snapshot = set(&rules).0.load();
        // Numbers of one neighbourhood, so that most make no difference.
        let near = [-122.416, 37.764801962184, 0.0, 2.5, 12345.5][random.below(5)];
        for _ in 0..3 {
            let number = |random: &mut Random| match random.below(12) {
                0 => random.number(),
                n => format!("{:.*}", [1, 6, 14][n % 3], near + random.below(1000) as f64 * [1e-3, 1e-9, 0.1][n % 3]),
            };
            let elements: Vec<String> = (0..1 + random.below(25))
                .map(|_| {
                    let (x, y) = (number(&mut random), number(&mut random));
                    match random.below(40) {
                        0 => format!(r#"{{"y{pad}":{y},"x{pad}":{x}}}"#),
                        1 => format!(r#"{{"x{pad}":{x},"y{pad}":{y},"x{pad}":{}}}"#, number(&mut random)),
                        2 => format!(r#"{{"x{pad}":[{x}],"y{pad}":{y}}}"#),
                        3 => format!(r#"{{"x{pad}":{x}, "y{pad}":{y},"z{pad}":"{y}"}}"#),
                        _ => format!(r#"{{"x{pad}":{x},"y{pad}":{y},"z{pad}":0.0}}"#),
                    }
                })
                .collect();
            let each = elements.iter().map(|e| matches(&snapshot, &format!(r#"{{"o":{e}}}"#), Validation::Checked, &mut scratch));
            let expected = each.fold(vec![], union);
            let event = format!(r#"{{"o":[[{}]],"z":"{}"}}"#, elements.join(","), "z".repeat(random.below(80)));
            let unique = !elements.iter().any(|element| element.matches(&format!(r#""x{pad}""#)).count() > 1);
            for level in [Validation::Strict, Validation::Checked, Validation::Trusted] {
                if unique || level != Validation::Trusted {
                    assert_eq!(matches(&snapshot, &event, level, &mut scratch), expected, "{level:?} {event} {rules:?}");
                }
            }
            with += expected.len();
            without += rules.len() - expected.len();
        }
    }
    assert!(with > 1_000 && without > 1_000, "{with} {without}");
}

#[test]
fn numbers_that_were_left_out_count_towards_the_limit() {
    let limits = EventLimits { max_event_values: 100, ..EventLimits::default() };
    let rules = [&br#"{"n":[{"numeric":["<",5]}]}"#[..], br#"{"o":{"x":[{"numeric":["<",5]}]}}"#];
    let put = rules.map(|text| Put { replaces: None, pattern: accept(text, &PatternLimits::default()).expect("a pattern") });
    let set = RuleSet::new(limits);
    set.apply(Change { remove: vec![], put: put.into() }).expect("within capacity");
    let mut scratch = Scratch::default();
    for (count, fits) in [(100, true), (101, false), (5_000, false)] {
        let event = format!(r#"{{"n":[{}]}}"#, vec!["7.25"; count].join(","));
        let found = set.load().match_text(event.as_bytes(), Validation::Checked, &mut scratch);
        assert_eq!(found.is_ok(), fits, "{count}");
        assert!(fits || found.is_err_and(|e| e.code == EventErrorCode::TooManyValues && e.offset == 6 + 100 * 5));
        // In elements of the same keys, too.
        let event = format!(r#"{{"o":[{}]}}"#, vec![r#"{"x":7.25,"y":1}"#; count].join(","));
        let found = set.load().match_text(event.as_bytes(), Validation::Checked, &mut scratch);
        assert!(found.is_ok() == fits && (fits || found.is_err_and(|e| e.offset == 6 + 100 * 17 + 5)), "{count} {found:?}");
    }
}
