//! `anything-but` against plain comparisons: every kind of list, alone and beside other fields, in small and in larger
//! segments, on values of every kind. Must never use what the core compares with.

use rulebus_core::{
    compile::accept,
    limits::{EventLimits, PatternLimits},
    store::{Change, Put, RuleSet, Scratch},
    walk::Validation,
};

/// What is excluded.
#[derive(Clone, Debug)]
enum Excluded {
    Texts(Vec<String>),
    Numbers(Vec<u32>),
    Prefixes(Vec<String>),
    Suffixes(Vec<String>),
    AnyCase(Vec<String>),
    /// Start and end of wildcards.
    Wildcards(Vec<(String, String)>),
}

/// A value of an event.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(u32),
    Null,
}

/// A rule: a list on one of two paths, perhaps an exact text on the other.
#[derive(Clone, Debug)]
struct Rule {
    path: usize,
    excluded: Excluded,
    other: Option<String>,
}

const PATHS: [&str; 2] = ["a", "b"];

fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut x = seed;
    move |n| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 16) as usize % n
    }
}

/// Often one of few, of lengths on both sides of a word.
fn text(next: &mut impl FnMut(usize) -> usize) -> String {
    let stem = ["", "x", "order", "shipping", "shipping-label"][next(5)];
    let end = ["", "s", "S", "ed", "-9"][next(5)];
    let whole = format!("{stem}{end}");
    if next(4) == 0 { whole.to_uppercase() } else { whole }
}

fn list<T>(next: &mut impl FnMut(usize) -> usize, mut one: impl FnMut(&mut dyn FnMut(usize) -> usize) -> T) -> Vec<T> {
    // Now and then longer than what is walked.
    let count = if next(12) == 0 { 20 } else { 1 + next(3) };
    (0..count).map(|_| one(&mut *next)).collect()
}

fn excluded(next: &mut impl FnMut(usize) -> usize) -> Excluded {
    let kind = next(6);
    let texts = |next: &mut _| list(next, |mut next| text(&mut next));
    // The empty one is refused.
    let ends = |next: &mut _| list(next, |mut next| text(&mut next) + "s");
    match kind {
        0 => Excluded::Texts(texts(next)),
        1 => Excluded::Numbers(list(next, |next| next(5) as u32)),
        2 => Excluded::Prefixes(ends(next)),
        3 => Excluded::Suffixes(ends(next)),
        4 => Excluded::AnyCase(texts(next)),
        _ => Excluded::Wildcards(list(next, |mut next| (text(&mut next) + "s", text(&mut next)))),
    }
}

fn rule(next: &mut impl FnMut(usize) -> usize) -> Rule {
    Rule { path: next(2), excluded: excluded(next), other: (next(3) == 0).then(|| text(next)) }
}

impl Rule {
    fn pattern(&self) -> String {
        let list = |texts: &[String]| format!("{texts:?}");
        let excluded = match &self.excluded {
            Excluded::Texts(texts) => list(texts),
            Excluded::Numbers(numbers) => format!("{numbers:?}"),
            Excluded::Prefixes(texts) => format!(r#"{{"prefix":{}}}"#, list(texts)),
            Excluded::Suffixes(texts) => format!(r#"{{"suffix":{}}}"#, list(texts)),
            Excluded::AnyCase(texts) => format!(r#"{{"equals-ignore-case":{}}}"#, list(texts)),
            Excluded::Wildcards(pairs) => {
                format!(r#"{{"wildcard":{}}}"#, list(&pairs.iter().map(|(start, end)| format!("{start}*{end}")).collect::<Vec<_>>()))
            }
        };
        let other = self.other.as_ref().map_or(String::new(), |text| format!(r#","{}":[{text:?}]"#, PATHS[1 - self.path]));
        format!(r#"{{"{}":[{{"anything-but":{excluded}}}]{other}}}"#, PATHS[self.path])
    }

    fn accepts(&self, value: &Value) -> bool {
        let any = |texts: &[String], is: &dyn Fn(&str, &str) -> bool| match value {
            Value::Text(value) => texts.iter().any(|text| is(value, text)),
            _ => false,
        };
        !match &self.excluded {
            Excluded::Texts(texts) => any(texts, &|value, text| value == text),
            Excluded::Numbers(numbers) => matches!(value, Value::Number(n) if numbers.contains(n)),
            Excluded::Prefixes(texts) => any(texts, &|value, text| value.starts_with(text)),
            Excluded::Suffixes(texts) => any(texts, &|value, text| value.ends_with(text)),
            Excluded::AnyCase(texts) => any(texts, &|value, text| value.eq_ignore_ascii_case(text)),
            Excluded::Wildcards(pairs) => match value {
                Value::Text(value) => pairs
                    .iter()
                    .any(|(start, end)| value.len() >= start.len() + end.len() && value.starts_with(start) && value.ends_with(end)),
                _ => false,
            },
        }
    }

    fn matches(&self, event: &[Vec<Value>; 2]) -> bool {
        let is = |value: &Value, text: &String| matches!(value, Value::Text(value) if value == text);
        event[self.path].iter().any(|value| self.accepts(value))
            && self.other.as_ref().is_none_or(|text| event[1 - self.path].iter().any(|value| is(value, text)))
    }
}

fn values(next: &mut impl FnMut(usize) -> usize) -> Vec<Value> {
    let count = [0, 1, 1, 1, 2, 3][next(6)];
    let value = |next: &mut _| match text(next) {
        text if text.is_empty() => Value::Null,
        text if text == "x" => Value::Number(text.len() as u32),
        text => Value::Text(text),
    };
    (0..count).map(|_| value(next)).collect()
}

fn event_text(event: &[Vec<Value>; 2]) -> String {
    let value = |value: &Value| match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Number(number) => format!("{number}.0"),
        Value::Null => "null".to_owned(),
    };
    let field = |(path, values): (&&str, &Vec<Value>)| match &values[..] {
        [] => None,
        [one] => Some(format!(r#""{path}":{}"#, value(one))),
        many => Some(format!(r#""{path}":[{}]"#, many.iter().map(value).collect::<Vec<_>>().join(","))),
    };
    format!("{{{}}}", PATHS.iter().zip(event).filter_map(field).collect::<Vec<_>>().join(","))
}

#[test]
fn equals_plain_comparisons() {
    // Few rules; many that another field divides; more than have a bit each.
    for (round, count) in [(0, 1), (1, 5), (2, 5), (3, 60), (4, 60), (5, 400), (6, 5_000)] {
        let mut next = random(88172645463325252 + round);
        let rules: Vec<Rule> = (0..count).map(|_| rule(&mut next)).collect();
        let set = RuleSet::new(EventLimits::default());
        let put = |rule: &Rule| {
            let pattern = rule.pattern();
            let pattern = accept(pattern.as_bytes(), &PatternLimits::default()).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
            Put { replaces: None, pattern }
        };
        let ids = set.apply(Change { remove: vec![], put: rules.iter().map(put).collect() }).expect("capacity").ids;
        let gone: Vec<bool> = (0..count).map(|_| next(8) == 0).collect();
        let remove = ids.iter().zip(&gone).filter(|(_, gone)| **gone).map(|(id, _)| *id).collect();
        set.apply(Change { remove, put: vec![] }).expect("capacity");
        let (snapshot, mut scratch) = (set.load(), Scratch::default());
        for _ in 0..200 {
            let event = [values(&mut next), values(&mut next)];
            let text = event_text(&event);
            let want: Vec<_> = (0..count).filter(|n| !gone[*n] && rules[*n].matches(&event)).map(|n| ids[n]).collect();
            let level = Validation::Strict;
            snapshot.match_text(text.as_bytes(), level, &mut scratch).expect("valid");
            assert_eq!(scratch.matches, want, "{text}");
            assert_eq!(snapshot.match_any(text.as_bytes(), level, &mut scratch).expect("valid"), !want.is_empty(), "{text}");
            let mut together = vec![];
            let texts = [text.as_bytes(); 3].into_iter();
            snapshot.match_together(texts, level, false, &mut scratch, |_, found| together.push(found.expect("valid").to_vec()));
            assert_eq!(together, vec![want; 3], "{text}");
        }
    }
}
