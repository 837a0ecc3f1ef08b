//! The naive matcher: one rule, one event, straight from the specification, on `serde_json::Value`.
//! It expands `$or`, lists the event's leaves and tries every choice of leaves. Written for plainness; the engine is
//! compared with it. It expects valid patterns and must never use the core.

use crate::naive_value as value;
use serde_json::Value;

/// A value at the end of a path, with the elements of the arrays around it.
struct Leaf<'a> {
    path: String,
    value: &'a Value,
    /// (array instance, element) of every array whose element on the way is itself an object or an array.
    members: Vec<(usize, usize)>,
}

/// One branch of a pattern: each path once, with the matchers of which one must accept.
type Branch<'a> = Vec<(String, &'a Vec<Value>)>;

/// Whether the pattern matches the event. The pattern must be valid: other shapes simply do not match.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let mut leaves = Vec::new();
    flatten(event, &mut String::new(), true, &mut Vec::new(), &mut 0, &mut leaves);
    let mut branches = Vec::new();
    expand(pattern, None, &mut branches);
    branches.iter().any(|branch| choose(branch, &leaves, &mut Vec::new()))
}

/// Section 10: fields join every branch (the last definition of a path counts), `$or` multiplies the branches.
fn expand<'a>(pattern: &'a Value, prefix: Option<&str>, branches: &mut Vec<Branch<'a>>) {
    for (key, inner) in pattern.as_object().into_iter().flatten() {
        let path = prefix.map_or_else(|| key.clone(), |prefix| format!("{prefix}.{key}"));
        match inner {
            Value::Array(alternatives) if key == "$or" => {
                let before = branches.clone();
                branches.clear();
                for alternative in alternatives {
                    let mut copy = before.clone();
                    expand(alternative, prefix, &mut copy);
                    branches.append(&mut copy);
                }
            }
            Value::Array(matchers) => {
                if branches.is_empty() {
                    branches.push(Vec::new());
                }
                for branch in branches.iter_mut() {
                    branch.retain(|(p, _)| *p != path);
                    branch.push((path.clone(), matchers));
                }
            }
            _ => expand(inner, Some(&path), branches),
        }
    }
}

/// Section 3: objects add a key, arrays add nothing; an array's element counts only when it is an object or an array.
fn flatten<'a>(
    value: &'a Value,
    path: &mut String,
    root: bool,
    members: &mut Vec<(usize, usize)>,
    arrays: &mut usize,
    out: &mut Vec<Leaf<'a>>,
) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let length = path.len();
                if !root {
                    path.push('.');
                }
                path.push_str(key);
                flatten(inner, path, false, members, arrays, out);
                path.truncate(length);
            }
        }
        Value::Array(elements) => {
            *arrays += 1;
            let array = *arrays;
            for (index, element) in elements.iter().enumerate() {
                let nests = element.is_object() || element.is_array();
                if nests {
                    members.push((array, index));
                }
                flatten(element, path, root, members, arrays, out);
                if nests {
                    members.pop();
                }
            }
        }
        _ => out.push(Leaf { path: path.clone(), value, members: members.clone() }),
    }
}

/// Tries to choose a leaf for every path of the branch; absence is judged against the final choice.
fn choose<'a, 'b>(branch: &'b Branch<'b>, leaves: &'a [Leaf<'a>], chosen: &mut Vec<(&'b str, Option<&'a Leaf<'a>>)>) -> bool {
    let Some((path, matchers)) = branch.get(chosen.len()) else {
        return chosen.iter().all(|(path, leaf)| {
            leaf.is_some()
                || leaves.iter().filter(|l| l.path == *path).all(|l| chosen.iter().any(|(_, c)| c.is_some_and(|c| !consistent(l, c))))
        });
    };
    for leaf in leaves.iter().filter(|l| l.path == *path) {
        let fits = matchers.iter().any(|m| accepts(m, leaf.value)) && chosen.iter().all(|(_, c)| c.is_none_or(|c| consistent(leaf, c)));
        if fits {
            chosen.push((path, Some(leaf)));
            if choose(branch, leaves, chosen) {
                return true;
            }
            chosen.pop();
        }
    }
    if matchers.iter().any(|m| m.get("exists") == Some(&Value::Bool(false))) {
        chosen.push((path, None));
        if choose(branch, leaves, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

/// No array is used with two different elements.
fn consistent(a: &Leaf, b: &Leaf) -> bool {
    a.members.iter().all(|(array, index)| b.members.iter().all(|(other, at)| array != other || index == at))
}

/// Section 2: whether one matcher accepts a value that is there.
pub fn accepts(matcher: &Value, v: &Value) -> bool {
    match matcher {
        Value::String(s) => v.as_str().is_some_and(|t| t == s || value::ip(s).is_some_and(|ip| value::ip(t) == Some(ip))),
        Value::Number(n) => v.as_number().is_some_and(|m| value::same_number(n.as_str(), m.as_str())),
        Value::Object(map) => map.iter().next().is_some_and(|(op, arg)| operator(op, arg, v)),
        _ => matcher == v,
    }
}

fn operator(op: &str, arg: &Value, v: &Value) -> bool {
    let text = v.as_str();
    let inner = |name: &str| arg.get(name).and_then(Value::as_str);
    match (op, arg) {
        ("exists", _) => arg == &Value::Bool(true),
        ("exactly", Value::String(s)) => text == Some(s),
        ("prefix", Value::String(s)) => text.is_some_and(|t| t.starts_with(s.as_str())),
        ("suffix", Value::String(s)) => text.is_some_and(|t| t.ends_with(s.as_str())),
        ("prefix", _) => text.zip(inner("equals-ignore-case")).is_some_and(|(t, p)| value::starts_ignoring_case(t, p)),
        ("suffix", _) => text.zip(inner("equals-ignore-case")).is_some_and(|(t, p)| value::ends_ignoring_case(t, p)),
        ("equals-ignore-case", Value::String(s)) => text.is_some_and(|t| value::equals_ignoring_case(t, s)),
        ("wildcard", Value::String(s)) => text.is_some_and(|t| value::wildcard(t, s)),
        ("cidr", Value::String(s)) => text.is_some_and(|t| value::in_block(t, s)),
        ("numeric", Value::Array(terms)) => v.as_number().and_then(|n| value::comparable(n.as_str())).is_some_and(|n| {
            terms.chunks(2).all(|pair| {
                let bound = pair[1].as_number().and_then(|b| value::comparable(b.as_str())).unwrap_or(f64::NAN);
                match pair[0].as_str() {
                    Some("=") => n == bound,
                    Some("<") => n < bound,
                    Some("<=") => n <= bound,
                    Some(">") => n > bound,
                    Some(">=") => n >= bound,
                    _ => false,
                }
            })
        }),
        ("anything-but", Value::Object(map)) => {
            let (inner, arg) = map.iter().next().expect("a valid pattern has one inner operator");
            !list(arg).iter().any(|a| operator(inner, a, v))
        }
        ("anything-but", _) => !list(arg).iter().any(|a| match (a, v) {
            (Value::String(a), Value::String(v)) => a == v,
            (Value::Number(a), Value::Number(v)) => value::comparable(a.as_str()).is_some_and(|a| value::comparable(v.as_str()) == Some(a)),
            _ => false,
        }),
        _ => false,
    }
}

/// A list, or a list of the one value.
fn list(arg: &Value) -> &[Value] {
    match arg {
        Value::Array(members) => members,
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pattern: &str, event: &str) -> bool {
        matches(&serde_json::from_str(pattern).unwrap(), &serde_json::from_str(event).unwrap())
    }

    #[test]
    fn verdicts_of_the_specification() {
        for (pattern, event, expected) in [
            (r#"{"a":[300]}"#, r#"{"a":3.0e2}"#, true),
            (r#"{"a":[9007199254740993]}"#, r#"{"a":9007199254740993.0}"#, false),
            (r#"{"a":[{"anything-but":5}]}"#, r#"{"a":"5"}"#, true),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"b":1}"#, false),
            (r#"{"a":["10.0.0.1"]}"#, r#"{"a":"010.0.0.1"}"#, true),
            (r#"{"a":[{"exists":false}]}"#, r#"{"a":[{"b":1}]}"#, true),
            (r#"{"a":{"b":[1],"c":[2]}}"#, r#"{"a":[{"b":1},{"c":2}]}"#, false),
            (r#"{"a":{"b":[1],"c":[2]}}"#, r#"{"a":[{"b":1,"c":2}]}"#, true),
            (r#"{"a":{"b":[1],"c":[{"exists":false}]}}"#, r#"{"a":[{"b":1},{"b":2,"c":3}]}"#, true),
            (r#"{"a":{"c":[1],"b":[{"exists":false}]}}"#, r#"{"a":[{"c":1},{"c":2,"b":3}]}"#, true),
            (r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#, r#"{"a":2}"#, true),
            (r#"{"$or":[{"a":[2]},{"b":[3]}],"a":[1]}"#, r#"{"a":2}"#, false),
            (r#"{"a.b":[1]}"#, r#"{"a":{"b":1}}"#, true),
            (r#"{"":{"a":[1]}}"#, r#"{"":{"a":1}}"#, true),
        ] {
            assert_eq!(verdict(pattern, event), expected, "{pattern} on {event}");
        }
    }
}
