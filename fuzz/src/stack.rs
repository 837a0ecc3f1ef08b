//! A thread with room for deeply nested inputs: serde_json and the naive judges recurse, the core does not.

/// Runs `body` on a thread with a large stack.
pub fn with_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(scope, body).expect("a thread can be started");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
