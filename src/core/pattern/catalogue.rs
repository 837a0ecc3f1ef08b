//! Every reason for which a pattern is refused: code, cause, an example, and how to mend it.
//! A code exists only here, so what the parser produces is in the catalogue; a test holds that each example produces its
//! code under [`EXAMPLE_LIMITS`]. Codes are stable: they are documented and callers compare them.

use crate::limits::PatternLimits;

/// One reason for a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// What is wrong.
    pub cause: &'static str,
    /// A pattern text that is refused for it under [`EXAMPLE_LIMITS`].
    pub example: &'static [u8],
    /// What would have been right: a fragment that reads on from "expected".
    pub remedy: &'static str,
}

/// Limits under which the examples are refused: small, so that the examples are.
pub const EXAMPLE_LIMITS: PatternLimits = PatternLimits {
    max_pattern_bytes: 160,
    max_pattern_depth: 8,
    max_pattern_paths: 3,
    max_or_branches: 3,
    max_wildcard_complexity: Some(10),
};

/// The entry of a code.
pub fn entry(code: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|e| e.code == code)
}

macro_rules! catalogue {
    ($($name:ident = $code:literal: $cause:literal, $example:literal, $remedy:literal;)*) => {
        $(#[doc = $cause] pub(super) const $name: &str = $code;)*

        /// All entries: the JSON text, the shape, `$or`, then operator by operator.
        pub const ENTRIES: &[Entry] =
            &[$(Entry { code: $code, cause: $cause, example: $example, remedy: $remedy }),*];
    };
}

catalogue! {
    NO_TEXT = "no-text": "The text is empty or blank.", b"  ", "an object, as in {\"source\": [\"shop.cart\"]}";
    NOT_AN_OBJECT = "not-an-object": "The outermost value is not an object.", br#"[{"a":[1]}]"#,
        "an object, as in {\"source\": [\"shop.cart\"]}";
    TRAILING_TEXT = "trailing-text": "Something but blanks stands after the closing brace of the pattern.", br#"{"a":[1]} {"b":[2]}"#,
        "nothing after the closing brace; give one pattern at a time";
    INVALID_UTF8 = "invalid-utf8": "The bytes are not UTF-8.", b"{\"a\":[\"\xff\"]}", "text encoded as UTF-8";
    TOO_LONG = "pattern-too-long": "The text is longer than max_pattern_bytes.",
        br#"{"a":["0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"]}"#,
        "a shorter pattern, or a larger max_pattern_bytes";
    TOO_DEEP = "pattern-too-deep": "Objects are nested deeper than max_pattern_depth.",
        br#"{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":[1]}}}}}}}}}"#,
        "less nesting (paths may also be written with dots: {\"a.b\": [1]}), or a larger max_pattern_depth";
    TRUNCATED = "truncated": "The text ends in the middle.", br#"{"a":[1"#, "the rest of the pattern; was it cut off?";
    UNEXPECTED_CHARACTER = "unexpected-character": "A character stands where JSON does not allow it.", br#"{"a" [1]}"#,
        "what JSON allows here";
    MISMATCHED_BRACKET = "mismatched-bracket": "A bracket closes what another kind of bracket opened.", br#"{"a":[1}]"#,
        "the bracket that fits the one that was opened";
    CONTROL_CHARACTER = "control-character": "A raw control character stands inside a string.", b"{\"a\":[\"x\ty\"]}",
        "it escaped, as in \\t or \\u0009";
    INVALID_ESCAPE = "invalid-escape": "A backslash escape that JSON does not have.", br#"{"a":["\x41"]}"#,
        "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; a backslash itself is written \\\\";
    INVALID_NUMBER = "invalid-number": "A number that JSON does not have.", br#"{"a":[01]}"#,
        "a JSON number: no plus sign, no leading zero, digits on both sides of a point, no NaN";
    INVALID_LITERAL = "invalid-literal": "A word that is no JSON value.", br#"{"a":[True]}"#,
        "true, false, null, a number, a string, an object or a list";
    COMMENT = "comment": "A comment stands in the text.", br#"{"a":[1] /* one */}"#, "no comments; JSON has none";

    FIELD_NOT_A_LIST = "field-not-a-list": "A field's value is neither a list nor an object.", br#"{"a":"x"}"#,
        "a list of values, as in [\"x\"], or an object";
    EMPTY_OBJECT = "empty-object": "An object without fields.", br#"{"a":{}}"#,
        "at least one field; {\"field\": [{\"exists\": true}]} accepts any value of a field";
    EMPTY_ARRAY = "empty-array": "A list without values.", br#"{"a":[]}"#, "at least one value; [{\"exists\": true}] accepts any";
    NESTED_ARRAY = "nested-array": "A list inside a list of values.", br#"{"a":[["x"]]}"#,
        "the values in one list; the elements of an event's arrays are looked at one by one";
    TOO_MANY_PATHS = "too-many-paths": "One branch has more different paths than max_pattern_paths.",
        br#"{"a":[1],"b":[1],"c":[1],"d":[1]}"#, "fewer fields, or a larger max_pattern_paths";

    TOO_MANY_BRANCHES = "or-too-many-branches":
        "A path is defined again inside $or, so the pattern has to be expanded, into more than max_or_branches branches.",
        br#"{"a":[1],"$or":[{"a":[2]},{"b":[1]},{"b":[2]},{"b":[3]}]}"#,
        "each path defined once on any way through the alternatives, or a larger max_or_branches";
    OR_NOT_A_LIST = "or-not-a-list": "$or is neither a list nor an object.", br#"{"$or":"x"}"#,
        "a list of objects, as in [{\"a\": [1]}, {\"b\": [2]}]";
    OR_NOT_OBJECTS = "or-not-objects": "An alternative of $or is not an object.", br#"{"$or":[{"a":[1]},"x"]}"#,
        "objects only, as in [{\"a\": [1]}, {\"b\": [2]}]";
    OR_TOO_FEW = "or-too-few": "$or has fewer than two alternatives.", br#"{"$or":[{"a":[1]}]}"#,
        "two alternatives or more; a single one can stand without $or";
    OR_RESERVED_NAME = "or-reserved-name": "A name that the language keeps for itself is used as a field inside $or.",
        br#"{"$or":[{"prefix":["x"]},{"b":[1]}]}"#,
        "another field name inside $or; a matcher belongs into the list of a field: {\"field\": [{\"prefix\": \"x\"}]}";
    OR_MIXED = "or-mixed": "One pattern uses $or as the operator and as a plain field.",
        br#"{"a":{"$or":["x"]},"$or":[{"a":[1]},{"b":[2]}]}"#,
        "objects with fields inside every $or; a plain field of that name can be written with its path: {\"a.$or\": [\"x\"]}";

    EMPTY_MATCHER = "empty-matcher": "An object without an operator stands among the values.", br#"{"a":[{}]}"#,
        "an operator, as in {\"prefix\": \"x\"}";
    UNKNOWN_OPERATOR = "unknown-operator": "The operator does not exist.", br#"{"a":[{"contains":"x"}]}"#,
        "one of exactly, prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr, exists";
    SEVERAL_OPERATORS = "several-operators": "A matcher has more than one operator.", br#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
        "one operator in a matcher; alternatives are several matchers in the list, and x*y is {\"wildcard\": \"x*y\"}";
    EXACTLY_NOT_A_STRING = "exactly-not-a-string": "The argument of exactly is not a string.", br#"{"a":[{"exactly":1}]}"#,
        "a string; other values are written without an operator";
    PREFIX_NOT_A_STRING = "prefix-not-a-string": "The argument of prefix is not a string.", br#"{"a":[{"prefix":["x"]}]}"#,
        "a string; several prefixes are several matchers: [{\"prefix\": \"x\"}, {\"prefix\": \"y\"}]";
    PREFIX_EMPTY = "prefix-empty": "The argument of prefix is an empty object.", br#"{"a":[{"prefix":{}}]}"#,
        "a string or {\"equals-ignore-case\": \"x\"}";
    PREFIX_OPERATOR = "prefix-operator": "An operator other than equals-ignore-case stands inside prefix.",
        br#"{"a":[{"prefix":{"wildcard":"x"}}]}"#, "a string or {\"equals-ignore-case\": \"x\"}";
    SUFFIX_NOT_A_STRING = "suffix-not-a-string": "The argument of suffix is not a string.", br#"{"a":[{"suffix":1}]}"#,
        "a string; several suffixes are several matchers: [{\"suffix\": \"x\"}, {\"suffix\": \"y\"}]";
    SUFFIX_EMPTY = "suffix-empty": "The argument of suffix is an empty object.", br#"{"a":[{"suffix":{}}]}"#,
        "a string or {\"equals-ignore-case\": \"x\"}";
    SUFFIX_OPERATOR = "suffix-operator": "An operator other than equals-ignore-case stands inside suffix.",
        br#"{"a":[{"suffix":{"wildcard":"x"}}]}"#, "a string or {\"equals-ignore-case\": \"x\"}";
    IGNORE_CASE_NOT_A_STRING = "equals-ignore-case-not-a-string": "The argument of equals-ignore-case is not a string.",
        br#"{"a":[{"equals-ignore-case":["x"]}]}"#,
        "a string; several are several matchers: [{\"equals-ignore-case\": \"x\"}, {\"equals-ignore-case\": \"y\"}]";
    WILDCARD_NOT_A_STRING = "wildcard-not-a-string": "The argument of wildcard is not a string.", br#"{"a":[{"wildcard":["x*"]}]}"#,
        "a string; several wildcards are several matchers: [{\"wildcard\": \"x*\"}, {\"wildcard\": \"*y\"}]";
    WILDCARD_CONSECUTIVE = "wildcard-consecutive": "Two stars stand side by side in a wildcard.", br#"{"a":[{"wildcard":"a**b"}]}"#,
        "one star, which stands for any text; a literal star is written \\\\* in JSON";
    WILDCARD_ESCAPE = "wildcard-escape": "A backslash in a wildcard stands before neither a star nor a backslash.",
        br#"{"a":[{"wildcard":"a\\b"}]}"#, "\\\\* for a literal star or \\\\\\\\ for a literal backslash, as written in JSON";
    WILDCARD_COMPLEXITY = "wildcard-complexity": "The wildcards of a field are more complex than max_wildcard_complexity.",
        br#"{"a":[{"wildcard":"*:*:*:*:*:event-bus/*"}]}"#,
        "fewer stars, or fewer repetitions of the text after a star, or another max_wildcard_complexity";
    EXISTS_NOT_A_BOOLEAN = "exists-not-a-boolean": "The argument of exists is neither true nor false.", br#"{"a":[{"exists":"true"}]}"#,
        "true or false, without quotes";

    NUMERIC_NOT_A_LIST = "numeric-not-a-list": "The argument of numeric is not a list.", br#"{"a":[{"numeric":5}]}"#,
        "a list, as in [\">\", 5] or [\">=\", 1, \"<\", 9]";
    NUMERIC_MEMBER = "numeric-member": "The list of numeric does not begin with an operator.", br#"{"a":[{"numeric":[5]}]}"#,
        "an operator first, as in [\"=\", 5]";
    NUMERIC_OPERATOR = "numeric-operator": "The operator of a numeric comparison does not exist.", br#"{"a":[{"numeric":["=>",5]}]}"#,
        "one of = < <= > >=";
    NUMERIC_OPERAND = "numeric-operand": "A numeric comparison lacks its number.", br#"{"a":[{"numeric":["<","5"]}]}"#,
        "a number after the operator, as in [\"<\", 5]";
    NUMERIC_TOO_MANY = "numeric-too-many": "Something stands after a complete numeric comparison.", br#"{"a":[{"numeric":["<=",5,">",1]}]}"#,
        "one comparison, or a lower and an upper bound in this order: [\">=\", 1, \"<\", 9]";
    NUMERIC_RANGE_OPERATOR = "numeric-range-operator": "The second operator of a range is not an upper bound.",
        br#"{"a":[{"numeric":[">",0,">",5]}]}"#, "< or <= as the second operator of a range";
    NUMERIC_RANGE_MEMBER = "numeric-range-member": "The second member of a range is not an operator.", br#"{"a":[{"numeric":[">",0,5]}]}"#,
        "< or <= before the upper bound, as in [\">\", 0, \"<\", 5]";
    NUMERIC_BOUNDS = "numeric-bounds": "The lower bound of a range is not less than the upper one.", br#"{"a":[{"numeric":[">",5,"<",1]}]}"#,
        "a lower bound that is less than the upper bound";
    NUMBER_NOT_COMPARABLE = "number-not-comparable": "A number that is compared by value is not a double's shortest decimal.",
        br#"{"a":[{"numeric":["=",9007199254740993]}]}"#,
        "a finite number of at most 17 digits that is its own shortest double";

    CIDR_NOT_A_STRING = "cidr-not-a-string": "The argument of cidr is not a string.", br#"{"a":[{"cidr":["10.0.0.0/8"]}]}"#,
        "a string; several blocks are several matchers: [{\"cidr\": \"10.0.0.0/8\"}, {\"cidr\": \"fd00::/8\"}]";
    CIDR_FORM = "cidr-form": "The argument of cidr is not an address, a slash and a number.", br#"{"a":[{"cidr":"10.0.0.1"}]}"#,
        "address/bits, as in 10.0.0.0/8";
    CIDR_BITS = "cidr-bits": "The part after the slash is not a number of bits.", br#"{"a":[{"cidr":"10.0.0.0/255.0.0.0"}]}"#,
        "the number of leading bits, as in 10.0.0.0/8";
    CIDR_RANGE = "cidr-range": "More leading bits than the address family allows here.", br#"{"a":[{"cidr":"10.0.0.1/32"}]}"#,
        "at most 31 bits for IPv4 and 127 for IPv6; one address is a plain string";
    CIDR_ADDRESS = "cidr-address": "The part before the slash is not an IP address.", br#"{"a":[{"cidr":"10.0.0/8"}]}"#,
        "an address of four decimal parts from 0 to 255, or of hexadecimal groups with at most one \"::\"";

    ANYTHING_BUT_ARGUMENT = "anything-but-argument": "The argument of anything-but, or of the operator inside it, is of no use.",
        br#"{"a":[{"anything-but":null}]}"#,
        "a string, a number, a list of either, or prefix, suffix, equals-ignore-case or wildcard with a string or a list of strings";
    ANYTHING_BUT_MEMBER = "anything-but-member": "A member of the anything-but list is neither a string nor a number.",
        br#"{"a":[{"anything-but":["x",null]}]}"#, "strings only, or numbers only";
    ANYTHING_BUT_MIXED = "anything-but-mixed": "The anything-but list has strings and numbers.", br#"{"a":[{"anything-but":["x",1]}]}"#,
        "strings only, or numbers only";
    ANYTHING_BUT_EMPTY_LIST = "anything-but-empty-list": "A list of anything-but is empty.", br#"{"a":[{"anything-but":[]}]}"#,
        "at least one value; [{\"exists\": true}] accepts any";
    ANYTHING_BUT_NO_OPERATOR = "anything-but-no-operator": "The argument of anything-but is an empty object.",
        br#"{"a":[{"anything-but":{}}]}"#, "prefix, suffix, equals-ignore-case or wildcard inside anything-but";
    ANYTHING_BUT_OPERATOR = "anything-but-operator": "An operator that anything-but does not take.",
        br#"{"a":[{"anything-but":{"numeric":["=",1]}}]}"#, "prefix, suffix, equals-ignore-case or wildcard inside anything-but";
    ANYTHING_BUT_NOT_A_STRING = "anything-but-not-a-string": "The operator inside anything-but was given something but strings.",
        br#"{"a":[{"anything-but":{"prefix":1}}]}"#, "a string or a list of strings";
    ANYTHING_BUT_EMPTY_TEXT = "anything-but-empty-text": "A prefix or suffix inside anything-but is empty.",
        br#"{"a":[{"anything-but":{"prefix":""}}]}"#, "a text of at least one character; the empty one begins and ends every string";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let mut codes: Vec<_> = ENTRIES.iter().map(|e| e.code).collect();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
        for code in codes {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{code}");
            assert!(entry(code).is_some());
        }
    }
}
