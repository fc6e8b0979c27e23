//! A refusal touches nothing: the world after it against its twin, the same run with the request left out.
//!
//! Both worlds come as JSON trees. What a request may legitimately leave is in [`MASK`]; open sessions,
//! locks and leases are not.

use serde::Serialize;
use serde_json::Value;

/// What may differ: the job's record, the log of calls, a login session's last use, ids of requests.
/// See [`compare`] for the patterns.
pub const MASK: &[&str] =
    &["jobs", "calls", "**/call_log", "**/last_used", "**/request_id", "**/client_request_id"];

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: keys and indices from the root, joined by `/`.
    pub path: String,
    /// The first world's value; `None` when it has none.
    pub a: Option<Value>,
    /// The second world's value; `None` when it has none.
    pub b: Option<Value>,
}

/// All differences between two worlds that no pattern of `mask` covers, in the order of keys.
///
/// A pattern is a path: `*` stands for one key or index, `**` for any number of them, none included.
/// It covers what it names and everything below.
pub fn compare(a: &Value, b: &Value, mask: &[&str]) -> Vec<Difference> {
    let mask: Vec<Vec<&str>> = mask.iter().map(|p| p.split('/').collect()).collect();
    let mut walk = Walk { mask, path: Vec::new(), found: Vec::new() };
    walk.both(Some(a), Some(b));
    walk.found
}

struct Walk<'m> {
    mask: Vec<Vec<&'m str>>,
    path: Vec<String>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn both(&mut self, a: Option<&Value>, b: Option<&Value>) {
        if self.mask.iter().any(|pattern| covers(pattern, &self.path)) {
            return;
        }
        match (a, b) {
            (Some(Value::Object(left)), Some(Value::Object(right))) => {
                let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
                for key in keys {
                    self.step(key.clone(), left.get(key), right.get(key));
                }
            }
            (Some(Value::Array(left)), Some(Value::Array(right))) => {
                for n in 0..left.len().max(right.len()) {
                    self.step(n.to_string(), left.get(n), right.get(n));
                }
            }
            (a, b) if a == b => {}
            (a, b) => {
                let path = self.path.join("/");
                self.found.push(Difference { path, a: a.cloned(), b: b.cloned() });
            }
        }
    }
    fn step(&mut self, key: String, a: Option<&Value>, b: Option<&Value>) {
        self.path.push(key);
        self.both(a, b);
        self.path.pop();
    }
}

fn covers(pattern: &[&str], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, _) => path.is_empty(),
        (Some((&"**", rest)), None) => covers(rest, path),
        (Some((&"**", rest)), Some((_, below))) => covers(rest, path) || covers(pattern, below),
        (Some((&key, rest)), Some((first, below))) => (key == "*" || key == first) && covers(rest, below),
        (Some(_), None) => false,
    }
}
