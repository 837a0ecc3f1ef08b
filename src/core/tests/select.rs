//! Selection against a plain walk over serde_json's tree, on random documents and paths; broken bytes; splicing.

mod walk_common;

use rulebus_core::select::{Form, Found, Paths, Piece, Refusal, Splice, Step};
use serde_json::Value;
use walk_common::Random;

const NAMES: [&str; 6] = ["a", "b", "detail-type", "\u{e9}", "x y", ""];

/// A random document, with blanks, escapes, and members that come twice.
fn document(random: &mut Random, depth: usize, out: &mut String) {
    let blank = |random: &mut Random, out: &mut String| out.push_str(random.pick::<&str>(&["", "", "", " ", "\n\t"]));
    match random.below(if depth == 0 { 4 } else { 8 }) {
        0 => out.push_str(random.pick::<&str>(&["0", "-1.50", "1e400", "9007199254740993", "true", "false", "null"])),
        1 => out.push_str(random.pick::<&str>(&[
            "\"\"",
            "\"x\"",
            "\"\\\"\"",
            "\"\\\\\"",
            "\"]},:{[\"",
            "\"\\u00e9 and more than sixteen bytes \\\\\"",
        ])),
        2 => out.push_str("{}"),
        3 => out.push_str("[ ]"),
        4..=5 => {
            out.push('[');
            for i in 0..random.below(4) {
                out.push_str(if i > 0 { "," } else { "" });
                blank(random, out);
                document(random, depth - 1, out);
                blank(random, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for i in 0..random.below(6) {
                out.push_str(if i > 0 { "," } else { "" });
                blank(random, out);
                let name = *random.pick(&NAMES);
                let spelled = if name == "a" && random.chance(3) { "\\u0061".to_owned() } else { name.to_owned() };
                out.push_str(&format!("\"{spelled}\""));
                blank(random, out);
                out.push(':');
                blank(random, out);
                document(random, depth - 1, out);
                blank(random, out);
            }
            out.push('}');
        }
    }
}

fn path(random: &mut Random) -> Vec<Step> {
    (0..random.below(5))
        .map(|_| match random.below(6) {
            0 => Step::Index(random.below(3)),
            1 => Step::All,
            _ => Step::Name(random.pick(&NAMES).as_bytes().to_vec()),
        })
        .collect()
}

fn naive(value: &Value, path: &[Step]) -> Option<Vec<Value>> {
    let Some((step, rest)) = path.split_first() else { return Some(vec![value.clone()]) };
    match step {
        Step::Name(name) => naive(value.as_object()?.get(std::str::from_utf8(name).unwrap())?, rest),
        Step::Index(index) => naive(value.as_array()?.get(*index)?, rest),
        Step::All => Some(value.as_array()?.iter().flat_map(|element| naive(element, rest).unwrap_or_default()).collect()),
    }
}

#[test]
fn values_are_those_of_a_plain_reader() {
    let mut random = Random(4);
    let mut met = [0usize; 2];
    for _ in 0..20_000 {
        let mut text = String::new();
        document(&mut random, 4, &mut text);
        let judge: Value = serde_json::from_str(&text).unwrap();
        let wanted: Vec<_> = (0..1 + random.below(12)).map(|_| path(&mut random)).collect();
        let mut paths = Paths::default();
        let numbers: Vec<_> = wanted.iter().map(|path| paths.add(path)).collect();
        let mut found = Found::default();
        paths.scan(text.as_bytes(), &mut found).unwrap();
        for (path, number) in wanted.iter().zip(&numbers) {
            let got = found.values(*number).map(|spans| {
                spans
                    .map(|span| {
                        let bytes = span.of(text.as_bytes());
                        assert_eq!(bytes, bytes.trim_ascii(), "a value has no blanks around it");
                        serde_json::from_slice::<Value>(bytes).unwrap()
                    })
                    .collect::<Vec<_>>()
            });
            met[got.as_ref().is_some_and(|v| !v.is_empty()) as usize] += 1;
            assert_eq!(got, naive(&judge, path), "{path:?} in {text}");
        }
    }
    assert!(met.iter().all(|n| *n > 10_000), "{met:?}");
}

#[test]
fn no_bytes_make_it_panic_or_leave_the_text() {
    let mut random = Random(5);
    for _ in 0..20_000 {
        let mut text = String::new();
        document(&mut random, 4, &mut text);
        let mut bytes = text.into_bytes();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = *random.pick(b"\"\\{}[],: \xff0"),
                1 => bytes.truncate(at + 1),
                _ => bytes.insert(at, *random.pick(b"\"\\{}[],: \xff0")),
            }
        }
        let mut paths = Paths::default();
        for _ in 0..5 {
            paths.add(&path(&mut random));
        }
        let mut found = Found::default();
        match paths.scan(&bytes, &mut found) {
            Ok(()) => (0..paths.len())
                .flat_map(|p| found.values(p).into_iter().flatten())
                .for_each(|s| assert!(s.start < s.end && s.end <= bytes.len())),
            Err(broken) => {
                assert!(broken.offset <= bytes.len());
                assert!(serde_json::from_slice::<Value>(&bytes).is_err(), "{}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn depth_is_not_bounded_by_the_stack() {
    let deep = format!("{{\"a\":{}1{},\"b\":2}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let mut paths = Paths::default();
    let b = paths.add(&[Step::Name(b"b".to_vec())]);
    let mut found = Found::default();
    paths.scan(deep.as_bytes(), &mut found).unwrap();
    assert_eq!(found.first(b).unwrap().of(deep.as_bytes()), b"2");
}

#[test]
fn many_names_use_the_table() {
    let mut paths = Paths::default();
    let text = format!("{{{}}}", (0..60).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(","));
    let numbers: Vec<_> = (0..60).step_by(3).map(|i| (i, paths.add(&[Step::Name(format!("k{i}").into_bytes())]))).collect();
    let mut found = Found::default();
    paths.scan(text.as_bytes(), &mut found).unwrap();
    for (i, number) in numbers {
        assert_eq!(found.first(number).unwrap().of(text.as_bytes()), i.to_string().as_bytes());
    }
    assert_eq!(paths.add(&[Step::Name(b"k3".to_vec())]), 1, "equal paths have one number");
}

/// A member that comes often after many hits: every hit is withdrawn once, so the time stays linear.
#[test]
fn repeated_members_stay_linear() {
    let mut text = String::from("{\"b\":0,\"a\":[0");
    text.push_str(&",1".repeat(200_000));
    text.push(']');
    text.push_str(&",\"b\":2".repeat(200_000));
    text.push('}');
    let mut paths = Paths::default();
    let (a, b) = (paths.add(&[Step::Name(b"a".to_vec()), Step::All]), paths.add(&[Step::Name(b"b".to_vec())]));
    let mut found = Found::default();
    let start = std::time::Instant::now();
    paths.scan(text.as_bytes(), &mut found).unwrap();
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!((found.values(a).unwrap().count(), found.values(b).unwrap().count()), (200_001, 1));
}

fn splice(event: &str, path: &[&str], form: Form, longest: usize) -> Result<String, Refusal> {
    let mut paths = Paths::default();
    let number = paths.add(&path.iter().map(|p| if *p == "*" { Step::All } else { Step::Name(p.as_bytes().to_vec()) }).collect::<Vec<_>>());
    let mut out = Vec::new();
    let pieces = vec![Piece::Literal(b"<".to_vec()), Piece::Value(number, form), Piece::Given(0), Piece::Given(9)];
    Splice::new(paths, pieces, longest).write(event.as_bytes(), &[b">"], &mut Found::default(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn each_form_of_each_kind() {
    let event = r#"{"s":"a\"b","n":1.50,"o":{ "k" : "v w\"", "l":[1, 2] },"l":["x","y"],"e":[],"z":null}"#;
    let made = |path: &[&str]| {
        [Form::Value, Form::Name, Form::Inside, Form::Bare, Form::Needed]
            .map(|form| splice(event, path, form, 100).unwrap_or_else(|r| format!("{r:?}")))
    };
    assert_eq!(made(&["s"]), [r#"<"a\"b">"#, r#"<"a\"b">"#, r#"<a\"b>"#, r#"<a\"b>"#, r#"<"a\"b">"#]);
    assert_eq!(made(&["n"]), ["<1.50>", "Misplaced(1)", "<1.50>", "<1.50>", "<1.50>"]);
    assert_eq!(made(&["z"]), ["<null>", "Misplaced(1)", "<null>", "<null>", "<null>"]);
    let object = r#"<{ "k" : "v w\"", "l":[1, 2] }>"#;
    assert_eq!(made(&["o"]), [object, "Misplaced(1)", "Misplaced(1)", "<{k:v w,l:[1,2]}>", object]);
    assert_eq!(made(&["l", "*"]), [r#"<["x","y"]>"#, "Misplaced(1)", "Misplaced(1)", "<[x,y]>", r#"<["x","y"]>"#]);
    assert_eq!(made(&["e", "*"]), ["<[]>", "Misplaced(1)", "Misplaced(1)", "<[]>", "<[]>"]);
    assert_eq!(made(&["no"]), ["<\"\">", "<\"\">", "<>", "<>", "Missing(1)"]);
    assert_eq!(made(&["no", "*"]), ["<\"\">", "<\"\">", "<>", "<>", "Missing(1)"]);
    let parts = ["s", "o", "l", "z", "no"].map(|name| splice(event, &[name], Form::Part, 100).unwrap());
    assert_eq!(parts, ["<ab>", "<{k:v w,l:[1,2]}>", "<[x,y]>", "<null>", "<>"]);
    assert_eq!(splice(event, &["s"], Form::Value, 7), Err(Refusal::TooLong));
    assert_eq!(splice(event, &["s"], Form::Value, 8).unwrap().len(), 8);
    assert!(matches!(splice("{\"s\":", &["s"], Form::Value, 9), Err(Refusal::Broken(b)) if b.offset == 5));
}
