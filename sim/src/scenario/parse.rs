//! From bytes to the typed model: encoding, size, syntax, budgets, types. What is wrong is said in plain words.

use super::diagnostic::{Problem, SourceFile};
use super::model::Step;
use super::salvage::{Draft, salvage};
use super::text::Place;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_saphyr::{Error, Options};
use std::sync::Arc;

/// The longest file that is read, in bytes.
pub const LONGEST: u64 = 1 << 20;

fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        // `on` is a power state here, whoever reads it.
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_depth: 40,
            max_documents: 1,
            max_aliases: 500,
            max_anchors: 500,
            max_merge_keys: 500,
            max_total_scalar_bytes: 4 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 200,
        },
    }
}

/// The bytes as text.
///
/// # Errors
/// When they are not UTF-8; says at which line.
pub fn decode(path: &str, bytes: Vec<u8>) -> Result<Arc<SourceFile>, Box<Problem>> {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Ok(Arc::new(SourceFile { path: path.to_owned(), text }))
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
            let title = format!("the file is not UTF-8: byte {good} (line {line}) is no character");
            Err(Box::new(Problem::of_file(path, title).help("save it as UTF-8")))
        }
    }
}

/// What reading a file came to.
pub struct Parsed<T> {
    /// Its typed content; of a file with mistakes what is left without them, if that makes sense.
    pub value: Option<T>,
    /// Every mistake of its syntax or structure.
    pub problems: Vec<Problem>,
    /// For a file with mistakes: where places of the value lead.
    pub(super) draft: Option<Draft>,
}

/// The typed content of a file, and everything that is wrong with its structure.
pub fn parse_all<T: DeserializeOwned>(file: &Arc<SourceFile>) -> Parsed<T> {
    let first = match parse(file) {
        Ok(value) => return Parsed { value: Some(value), problems: Vec::new(), draft: None },
        Err(problem) => *problem,
    };
    let (left, problems) = salvage(file);
    if !problems.contains(&first) {
        // Not a mistake of structure: nothing can be made of the rest.
        return Parsed { value: None, problems: vec![first], draft: None };
    }
    let (value, draft) = left.unzip();
    Parsed { value, problems, draft }
}

pub(super) fn typed<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_saphyr::from_str_with_options(text, options())
}

/// The typed content of a file.
///
/// # Errors
/// The first thing that is wrong with its syntax or types.
pub fn parse<T: DeserializeOwned>(file: &Arc<SourceFile>) -> Result<T, Box<Problem>> {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if file.text.lines().all(blank) {
        let problem = Problem::of_file(&file.path, "the file is empty");
        return Err(Box::new(problem.help("`failback-lab schema` prints what can stand in it")));
    }
    // A slip of indentation shows here as what it is; typed parsing would call it a missing field.
    typed::<IgnoredAny>(&file.text).and_then(|_| typed::<T>(&file.text)).map_err(|error| {
        let error = error.without_snippet();
        let at = error.location().map(Place::from).unwrap_or_default().with_byte_in(&file.text);
        Box::new(explain(file, error, at))
    })
}

/// What the error means, at its place in the file.
pub(super) fn explain(file: &Arc<SourceFile>, error: &Error, at: Place) -> Problem {
    // Everything that is not worth a better text of ours keeps that of the parser.
    if let Error::SerdeUnknownField { field, expected, .. } = error {
        let title = format!("unknown key `{field}`");
        let problem = Problem::at(file, at, title, "nothing of this name belongs here");
        return problem.suggest(field, expected.iter().copied());
    }
    if let Error::SerdeUnknownVariant { variant, expected, .. } = error {
        let problem = Problem::at(file, at, format!("unknown word `{variant}`"), "not known here");
        if !expected.iter().any(|word| word == variant) && is_step(variant) {
            return problem.help(format!("it is a step of its own: `- {variant}: …`"));
        }
        return problem.suggest(variant, expected.iter().copied());
    }
    if let Error::SerdeMissingField { field, .. } = error {
        let label = format!("the mapping around this needs `{field}`");
        return Problem::at(file, at, format!("`{field}` is missing"), label);
    }
    if let Error::DuplicateMappingKey { key: Some(key), .. } = error {
        return Problem::at(file, at, format!("`{key}` is given twice"), "for the second time here");
    }
    if let Error::Budget { breach: serde_saphyr::budget::BudgetBreach::Documents { .. }, .. } = error {
        return Problem::at(file, at, "a file holds one document", "the second one begins here");
    }
    let text = message(error);
    // Aliases wrap what was exceeded in an error of their own; the words are the same.
    if matches!(error, Error::Budget { .. }) || text.contains("limit exceeded") {
        let problem = Problem::at(file, at, "the file unfolds to more than the lab reads", "at this point");
        return problem.help(text);
    }
    plain(file, at, text)
}

/// True for the word that begins a step.
fn is_step(word: &str) -> bool {
    let known = |word: &str| typed::<Step>(&format!("{word}: 0")).err();
    !matches!(known(word), Some(error) if matches!(error.without_snippet(), Error::SerdeUnknownVariant { .. }))
}

/// The parser's own text, said in the words of people who write YAML by hand.
fn plain(file: &Arc<SourceFile>, at: Place, message: String) -> Problem {
    if let (true, Some(byte)) = (message.contains("tab"), indenting_tab(&file.text, at.byte)) {
        let line = file.text[..byte].matches('\n').count() + 1;
        let start = file.text[..byte].rfind('\n').map_or(0, |n| n + 1);
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = Place { line: small(line), column: small(byte - start + 1), byte, len: 1 };
        return Problem::at(file, at, "a tab indents this line", "YAML is indented with blanks");
    }
    let title = match message.as_str() {
        "expected mapping start" => "keys and values are expected here, `key: value`".to_owned(),
        "expected sequence start" => "a list is expected here, `- …` lines or `[…]`".to_owned(),
        "expected string scalar" => "a text is expected here".to_owned(),
        "invalid u64" | "invalid u32" | "invalid u16" | "invalid u8" => {
            "a whole number that fits is expected here".to_owned()
        }
        "expected end of mapping after enum variant value" => {
            let problem = Problem::at(file, at, "one key belongs here, and there are two", "the second one");
            return problem.help("a step does one thing: begin another `- …` for the other");
        }
        null if null.starts_with("cannot deserialize null") => {
            return Problem::at(file, at, "a value is missing", "nothing stands behind this");
        }
        _ => message,
    };
    let marked = marked(file, at);
    let label = if marked.is_empty() { "here".to_owned() } else { format!("found `{marked}`") };
    Problem::at(file, at, title, label)
}

/// The first tab among the blanks that begin a line, from the line of `from` on.
fn indenting_tab(text: &str, from: usize) -> Option<usize> {
    let start = text.get(..from)?.rfind('\n').map_or(0, |n| n + 1);
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t') {
            return Some(at + tab);
        }
        at += line.len();
    }
    None
}

/// The parser's text without the place, which the excerpt shows.
fn message(error: &Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default().trim();
    text.strip_prefix("error: ").unwrap_or(text).trim_end_matches(':').to_owned()
}

/// What stands at a place, when it is short enough to quote.
fn marked(file: &SourceFile, at: Place) -> String {
    let text = file.text.get(at.byte..at.byte + at.len).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() > 40 { String::new() } else { line.to_owned() }
}
