//! Scenarios as text: what a person would have written, and what reads back as the same.

use super::model::Scenario;
use super::parse::typed;
use serde_json::Value;

/// The longest line.
const WIDE: usize = 110;
/// What comes first in a mapping; the rest follows by name.
const FIRST: [&str; 24] = [
    "schema",
    "name",
    "about",
    "dead-end",
    "covers",
    "estate",
    "inline-estate",
    "seed",
    "wire",
    "operator",
    "horizon",
    "steps",
    "id",
    "item",
    "plan",
    "machine",
    "vm",
    "node",
    "from",
    "to",
    "operation",
    "nth",
    "fault",
    "crash",
];

/// The scenario as a file, with these lines as comments at its head. What a reader fills in by itself is left out.
///
/// # Errors
/// When it does not read back as the same.
pub fn text(scenario: &Scenario, comments: &[String]) -> Result<String, String> {
    let tree = tree(scenario)?;
    let head: String = comments
        .iter()
        .flat_map(|comment| comment.lines())
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect();
    Ok(head + &document(&tree))
}

/// The scenario as a tree, without what a reader fills in by itself.
///
/// # Errors
/// When it does not read back as the same.
pub(crate) fn tree(scenario: &Scenario) -> Result<Value, String> {
    let mut tree = serde_json::to_value(scenario).map_err(|error| error.to_string())?;
    match typed::<Scenario>(&document(&tree)) {
        Ok(back) if back == *scenario => {}
        Ok(_) => return Err("it reads back as another scenario".to_owned()),
        Err(error) => return Err(format!("it does not read back: {error}")),
    }
    for path in places(&tree).into_iter().filter(|path| path.last().is_some_and(|key| !is_index(key))) {
        let Some(taken) = take(&mut tree, &path) else { continue };
        if read(&tree).is_none_or(|back| back != *scenario) {
            put(&mut tree, &path, taken);
        }
    }
    Ok(tree)
}

/// The scenario that such a tree stands for, if it stands for one.
pub(crate) fn read(tree: &Value) -> Option<Scenario> {
    typed(&document(tree)).ok()
}

fn is_index(key: &str) -> bool {
    key.parse::<usize>().is_ok()
}

/// Where every value of a mapping and every member of a list stands, outer ones first.
pub(crate) fn places(tree: &Value) -> Vec<Vec<String>> {
    let inner: Vec<(String, &Value)> = match tree {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let mut out = Vec::new();
    for (key, value) in inner {
        out.push(vec![key.clone()]);
        out.extend(places(value).into_iter().map(|path| [vec![key.clone()], path].concat()));
    }
    out
}

fn holder<'a>(tree: &'a mut Value, way: &[String]) -> Option<&'a mut Value> {
    way.iter().try_fold(tree, |at, key| match at {
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        Value::Object(map) => map.get_mut(key),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Takes what stands there out of the tree.
pub(crate) fn take(tree: &mut Value, path: &[String]) -> Option<Value> {
    let (last, way) = path.split_last()?;
    match holder(tree, way)? {
        Value::Object(map) => map.remove(last),
        Value::Array(list) => {
            let index = last.parse::<usize>().ok().filter(|index| *index < list.len())?;
            Some(list.remove(index))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn put(tree: &mut Value, path: &[String], value: Value) {
    if let Some((last, way)) = path.split_last()
        && let Some(map) = holder(tree, way).and_then(Value::as_object_mut)
    {
        map.insert(last.clone(), value);
    }
}

fn document(tree: &Value) -> String {
    let mut out = String::new();
    for (key, value) in ordered(tree) {
        match value {
            Value::String(about) if key == "about" => out.push_str(&folded(key, about)),
            Value::Object(map) if !map.is_empty() => {
                out.push_str(&format!("{key}:\n"));
                block(&mut out, value, 2);
            }
            Value::Array(list) if list.iter().any(|one| !one.is_string()) => {
                out.push_str(&format!("{key}:\n"));
                block(&mut out, value, 2);
            }
            Value::Object(_)
            | Value::Array(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => out.push_str(&format!("{key}: {}\n", flow(value))),
        }
    }
    out
}

fn ordered(tree: &Value) -> Vec<(&str, &Value)> {
    let mut all: Vec<(&str, &Value)> =
        tree.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
    all.sort_by_key(|(key, _)| (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key));
    all
}

/// A text of several lines, which reads as one.
fn folded(key: &str, text: &str) -> String {
    let mut out = format!("{key}: >-\n ");
    let mut column = 1;
    for word in text.split_whitespace() {
        if column + 1 + word.len() > WIDE && column > 1 {
            out.push_str("\n ");
            column = 1;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push('\n');
    out
}

fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    if let Value::Array(list) = value {
        for one in list {
            let mut inner = String::new();
            entries(&mut inner, one, indent + 2);
            // The first line follows its dash.
            let first = inner.trim_start_matches(' ');
            out.push_str(&format!("{pad}- {first}"));
        }
        return;
    }
    entries(out, value, indent);
}

/// A mapping line by line, or anything else on a line of its own.
fn entries(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    let map = ordered(value);
    let line = flow(value);
    // A step is one word with what belongs to it.
    if map.is_empty() || (map.len() > 1 && indent > 2 && indent + line.len() <= WIDE) {
        out.push_str(&format!("{pad}{line}\n"));
        return;
    }
    for (key, value) in map {
        let line = flow(value);
        if indent + key.len() + 2 + line.len() <= WIDE || !(value.is_object() || value.is_array()) {
            out.push_str(&format!("{pad}{key}: {line}\n"));
        } else {
            out.push_str(&format!("{pad}{key}:\n"));
            block(out, value, indent + 2);
        }
    }
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(_) => {
            let inner: Vec<String> = ordered(value)
                .into_iter()
                .map(|(key, value)| format!("{}: {}", word(key), flow(value)))
                .collect();
            format!("{{{}}}", inner.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => word(text),
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text, in quotes where it would read as something else.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@% ".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_more = ["true", "false", "null"].contains(&text);
    let number = text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o");
    if begins && text.chars().all(plain) && !text.ends_with(' ') && !is_more && !number {
        return text.to_owned();
    }
    Value::String(text.to_owned()).to_string()
}
