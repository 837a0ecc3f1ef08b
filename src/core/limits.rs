//! Every limit of the engine, by name, with its default. Exceeding one is an error with a code of its own,
//! never a panic, a hang or a silent cut.

/// Limits on events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// Largest event text, in bytes.
    pub max_event_bytes: usize,
    /// Deepest nesting of objects and arrays (the outermost object counts as 1).
    pub max_event_depth: usize,
    /// Most values taken from one event along the paths that rules ask for.
    pub max_event_values: usize,
    /// Steps that array consistency may take on one event, over all rules, before the event is refused as too complex;
    /// looking at 16 values for one candidate is a step. The default bounds the time at some tenths of a second.
    pub max_array_steps: usize,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self { max_event_bytes: 16 << 20, max_event_depth: 1000, max_event_values: 1 << 20, max_array_steps: 1_000_000 }
    }
}

/// Limits on patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternLimits {
    /// Longest pattern text, in bytes.
    pub max_pattern_bytes: usize,
    /// Deepest nesting of a pattern.
    pub max_pattern_depth: usize,
    /// Most different paths on one branch of a pattern (AWS and event-ruler: 256).
    pub max_pattern_paths: usize,
    /// Most branches when a pattern has to be expanded because a path is defined again inside `$or`.
    pub max_or_branches: usize,
    /// AWS's wildcard complexity; `None` accepts any (see `pattern::complexity`).
    pub max_wildcard_complexity: Option<u32>,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self {
            max_pattern_bytes: 16 << 20,
            max_pattern_depth: 1000,
            max_pattern_paths: 256,
            max_or_branches: 4096,
            max_wildcard_complexity: None,
        }
    }
}
