//! Rule sets and events made from choices: small alphabets, so that rules and events meet; every operator; `$or` at any
//! level; arrays of objects; numbers in several spellings. Everything made here is a valid pattern or event, with
//! unique keys; must never make what the specification refuses.

use crate::choices::Choices;
use serde_json::{Map, Value, json};

const KEYS: [&str; 7] = ["a", "b", "c", "ab", "é", "", "x.y"];
const TEXTS: [&str; 24] = [
    "",
    "a",
    "ab",
    "aba",
    "abab",
    "b",
    "ba",
    "A",
    "aB",
    "é",
    "É",
    "ß",
    "SS",
    "σ",
    "ς",
    "Σ",
    "😀",
    "10.0.0.1",
    "010.0.0.1",
    "10.0.1.9",
    "::1",
    "0:0:0:0:0:0:0:1",
    "a*b",
    "\u{212a}",
];
const NUMBERS: [&str; 20] = [
    "0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "-1",
    "300",
    "3.0e2",
    "3E+2",
    "0.1",
    "1e-1",
    "9007199254740993",
    "9007199254740993.0",
    "9007199254740994",
    "1e400",
    "5e-324",
    "12345678901234567890",
    "-5",
    "4.5",
    "2e23",
];
const COMPARABLE: [&str; 9] = ["-5", "-1", "0", "0.1", "1", "4.5", "300", "9007199254740994", "2e23"];
const WILDCARDS: [&str; 13] = ["*", "", "a*", "*a", "*b*", "a*b", "a*b*a", "*a*b*", r"a\*b", r"*\*b", "ab", "a*é", "*1*"];
const BLOCKS: [&str; 8] = ["10.0.0.0/8", "10.0.0.1/31", "10.0.1.0/24", "0.0.0.0/0", "::/0", "::1/127", "10.0.0.9/24", "a::/16"];

/// Up to 12 patterns.
pub fn rules(c: &mut Choices) -> Vec<Value> {
    (0..1 + c.below(12)).map(|_| pattern(c, 0)).collect()
}

/// One event: an object.
pub fn event(c: &mut Choices) -> Value {
    object(c, 0)
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("the list holds JSON numbers")
}

fn pattern(c: &mut Choices, depth: usize) -> Value {
    let mut map = Map::new();
    for _ in 0..1 + c.below(3) {
        if depth < 2 && c.once_in(5) {
            let alternatives: Vec<Value> = (0..2 + c.below(2)).map(|_| pattern(c, depth + 1)).collect();
            map.insert("$or".into(), alternatives.into());
            continue;
        }
        let key = c.one(&KEYS).to_string();
        let inner = if depth < 3 && c.once_in(3) { pattern(c, depth + 1) } else { values(c) };
        map.insert(key, inner);
    }
    map.into()
}

fn values(c: &mut Choices) -> Value {
    let count = if c.once_in(3) { 1 + c.below(4) } else { 1 };
    (0..count).map(|_| matcher(c)).collect()
}

fn matcher(c: &mut Choices) -> Value {
    let text = |c: &mut Choices| Value::from(c.one(&TEXTS));
    let any_case = |c: &mut Choices| json!({"equals-ignore-case": c.one(&TEXTS)});
    match c.below(20) {
        0..4 => text(c),
        4 | 5 => number(c.one(&NUMBERS)),
        6 => c.one(&[json!(true), json!(false), json!(null)]),
        7 => json!({"exactly": text(c)}),
        8 => json!({"prefix": text(c)}),
        9 => json!({"suffix": text(c)}),
        10 => json!({"prefix": any_case(c)}),
        11 => json!({"suffix": any_case(c)}),
        12 => any_case(c),
        13 => json!({"wildcard": c.one(&WILDCARDS)}),
        14 | 15 => json!({"numeric": numeric(c)}),
        16 => json!({"cidr": c.one(&BLOCKS)}),
        17 => json!({"exists": c.once_in(2)}),
        _ => json!({"anything-but": anything_but(c)}),
    }
}

fn numeric(c: &mut Choices) -> Value {
    let at = c.below(COMPARABLE.len());
    let bound = number(COMPARABLE[at]);
    if at + 1 < COMPARABLE.len() && c.once_in(2) {
        let upper = number(COMPARABLE[at + 1 + c.below(COMPARABLE.len() - at - 1)]);
        return json!([c.one(&[">", ">="]), bound, c.one(&["<", "<="]), upper]);
    }
    json!([c.one(&["=", "<", "<=", ">", ">="]), bound])
}

fn anything_but(c: &mut Choices) -> Value {
    let one_or_list = |c: &mut Choices, of: &[&str], make: fn(&str) -> Value| match c.below(4) {
        0 => (0..1 + c.below(3)).map(|_| make(c.one(of))).collect(),
        _ => make(c.one(of)),
    };
    let text: fn(&str) -> Value = |t| t.into();
    match c.below(6) {
        0 => one_or_list(c, &TEXTS, text),
        1 => one_or_list(c, &COMPARABLE, number),
        2 => json!({"prefix": one_or_list(c, &TEXTS[1..], text)}),
        3 => json!({"suffix": one_or_list(c, &TEXTS[1..], text)}),
        4 => json!({"equals-ignore-case": one_or_list(c, &TEXTS, text)}),
        _ => json!({"wildcard": one_or_list(c, &WILDCARDS, text)}),
    }
}

fn object(c: &mut Choices, depth: usize) -> Value {
    let mut map = Map::new();
    for _ in 0..c.below(5) {
        let key = c.one(&KEYS).to_string();
        let inner = value(c, depth + 1);
        map.insert(key, inner);
    }
    map.into()
}

fn value(c: &mut Choices, depth: usize) -> Value {
    match c.below(12) {
        0..4 => Value::from(c.one(&TEXTS)),
        4..6 => number(c.one(&NUMBERS)),
        6 => c.one(&[json!(true), json!(false), json!(null)]),
        7..9 if depth < 5 => object(c, depth),
        9.. if depth < 5 => (0..c.below(4)).map(|_| value(c, depth + 1)).collect(),
        _ => Value::from("a"),
    }
}
