//! Reads on after a mistake of structure, so that one reading reports all of them.
//!
//! The file is read as a plain tree in which everything knows its place. Typed reading stops at the first
//! mistake; what is at fault is then cut out of the tree, and the rest is written down and read again. A
//! table leads from each place of such a draft back to the file. What a cut makes wrong is not reported.

use super::diagnostic::{Label, Problem, SourceFile, nearest};
use super::parse;
use super::text::{Place, Spanned};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Error;
use std::fmt;
use std::sync::Arc;

/// How often a file is read again.
const ROUNDS: usize = 50;

/// What stands in a file.
enum Node {
    /// A number, a truth value or nothing, as YAML writes it.
    Plain(String),
    Text(String),
    List(Vec<Spanned<Node>>),
    /// Keys with their values, and the keys that were cut out.
    Map(Vec<(Spanned<String>, Spanned<Node>)>, Vec<String>),
}

/// Children from the root on, by index.
type Path = Vec<usize>;

/// Something of a draft: where it begins there, where it stands in the file, and which node it is.
struct Mark {
    start: usize,
    at: Place,
    path: Path,
    key: bool,
}

/// What is left of a file with mistakes, written down again.
pub(super) struct Draft {
    file: Arc<SourceFile>,
    draft: Arc<SourceFile>,
    marks: Vec<Mark>,
    /// Places of what lost a part: what is said of them there may be the cut's fault.
    cut: Vec<Place>,
    lost: Vec<String>,
}

impl Draft {
    /// The text that was read in the end; places of the typed value belong to it.
    pub(super) fn text(&self) -> &Arc<SourceFile> {
        &self.draft
    }
    /// Whether what was cut out was, or belonged to, this key of the whole file.
    pub(super) fn lost(&self, key: &str) -> bool {
        self.lost.iter().any(|lost| lost == key)
    }
    /// The place in the file of a place in the draft.
    pub(super) fn original(&self, at: Place) -> Place {
        self.mark(at.byte).filter(|_| at.line > 0).map(|mark| mark.at).unwrap_or_default()
    }
    fn mark(&self, byte: usize) -> Option<&Mark> {
        let after = self.marks.partition_point(|mark| mark.start <= byte);
        self.marks.get(after.checked_sub(1)?)
    }
    /// The problem as one of the file; `None` for one that the cuts may have made.
    pub(super) fn translate(&self, mut problem: Problem) -> Option<Problem> {
        let ours = |label: &Label| Arc::ptr_eq(&label.file, &self.draft);
        for label in problem.labels.iter_mut().filter(|label| ours(label)) {
            label.at = self.original(label.at);
            label.file = self.file.clone();
        }
        let first = problem.labels.first()?;
        let blurred =
            first.file.path == self.file.path && (first.at.line == 0 || self.cut.contains(&first.at));
        problem.labels.retain(|label| label.at.line > 0);
        (!blurred).then_some(problem)
    }
}

/// What can still be read of a file whose structure is wrong somewhere, and every such mistake. `None` when
/// it cannot be read as a tree, or not to its end.
pub(super) fn salvage<T: DeserializeOwned>(file: &Arc<SourceFile>) -> (Option<(T, Draft)>, Vec<Problem>) {
    let mut problems = Vec::new();
    let Ok(mut root) = parse::typed::<Spanned<Node>>(&file.text) else { return (None, problems) };
    let (mut cut, mut lost) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut draft = write_down(file, &root);
        let error = match parse::typed::<T>(&draft.draft.text) {
            Ok(value) => {
                (draft.cut, draft.lost) = (cut, lost);
                return (Some((value, draft)), problems);
            }
            Err(error) => error,
        };
        let error = error.without_snippet();
        let at = error.location().map(Place::from).unwrap_or_default().with_byte_in(&draft.draft.text);
        let Some(mark) = draft.mark(at.byte) else { break };
        let mend = Mend { root: &mut root, cut: &mut cut, lost: &mut lost };
        match mend.one(error, mark) {
            Verdict::Mistake => problems.push(parse::explain(file, error, mark.at)),
            Verdict::FollowUp => {}
            Verdict::Hopeless { mistake } => {
                if mistake {
                    problems.push(parse::explain(file, error, mark.at));
                }
                break;
            }
        }
    }
    (None, problems)
}

/// What an error turned out to be.
enum Verdict {
    /// A mistake of the file, mended.
    Mistake,
    /// What an earlier cut left behind, mended.
    FollowUp,
    /// Nothing that could be mended.
    Hopeless { mistake: bool },
}

struct Mend<'a> {
    root: &'a mut Spanned<Node>,
    cut: &'a mut Vec<Place>,
    lost: &'a mut Vec<String>,
}

impl Mend<'_> {
    fn one(mut self, error: &Error, mark: &Mark) -> Verdict {
        if let Error::SerdeMissingField { field, .. } = error {
            return self.missing(field, mark);
        }
        // An unknown key goes alone; anything else takes with it what cannot be without it.
        let alone = matches!(error, Error::SerdeUnknownField { .. });
        if mark.path.is_empty() {
            return Verdict::Hopeless { mistake: true };
        }
        self.remove(&mark.path, alone);
        Verdict::Mistake
    }

    /// A mapping that lacks a key takes the mapping with it; the head of a file is made up.
    fn missing(&mut self, field: &str, mark: &Mark) -> Verdict {
        let mut path = mark.path.clone();
        if mark.key {
            path.pop();
        }
        while !matches!(find(self.root, &path).map(|n| &n.value), Some(Node::Map(..))) {
            if path.pop().is_none() {
                return Verdict::Hopeless { mistake: true };
            }
        }
        let Some(Spanned { value: Node::Map(entries, lost), .. }) = find_mut(self.root, &path) else {
            return Verdict::Hopeless { mistake: true };
        };
        // A key with a slip in it went as an unknown one, and was reported.
        let mistake = !lost.iter().any(|key| nearest(key, &[field]).is_some());
        if !path.is_empty() {
            self.remove(&path, false);
            return if mistake { Verdict::Mistake } else { Verdict::FollowUp };
        }
        let made_up = match field {
            "schema" => Node::Text(super::model::SCHEMA.to_owned()),
            "name" => Node::Text("no/name".to_owned()),
            "about" => Node::Text("Nothing.".to_owned()),
            "steps" => Node::List(Vec::new()),
            _ => return Verdict::Hopeless { mistake },
        };
        entries.push((Spanned::unplaced(field.to_owned()), Spanned::unplaced(made_up)));
        self.lost.push(field.to_owned());
        if mistake { Verdict::Mistake } else { Verdict::FollowUp }
    }

    /// Cuts out a node; with what is left empty by it, unless it goes `alone`.
    fn remove(&mut self, path: &[usize], alone: bool) {
        let Some((last, above)) = path.split_last() else { return };
        if let Node::Map(entries, _) = &self.root.value
            && let Some((key, _)) = path.first().and_then(|first| entries.get(*first))
        {
            self.lost.push(key.value.clone());
        }
        let Some(parent) = find_mut(self.root, above) else { return };
        let at = parent.at;
        let empty = match &mut parent.value {
            Node::List(items) if *last < items.len() => {
                items.remove(*last);
                items.is_empty()
            }
            Node::Map(entries, lost) if *last < entries.len() => {
                lost.push(entries.remove(*last).0.value);
                entries.is_empty()
            }
            Node::Plain(_) | Node::Text(_) | Node::List(_) | Node::Map(..) => false,
        };
        if alone {
            return;
        }
        self.touch(above, at);
        // An empty list of steps is still a list.
        if empty && above.len() > 1 {
            self.remove(above, false);
        }
    }

    /// Whatever is said of these places from now on may be the cut's fault.
    fn touch(&mut self, path: &[usize], at: Place) {
        self.cut.push(at);
        for depth in 1..=path.len() {
            if let Some(node) = find(self.root, &path[..depth]) {
                self.cut.push(node.at);
            }
        }
    }
}

fn find<'a>(node: &'a Spanned<Node>, path: &[usize]) -> Option<&'a Spanned<Node>> {
    let Some((first, rest)) = path.split_first() else { return Some(node) };
    match &node.value {
        Node::List(items) => find(items.get(*first)?, rest),
        Node::Map(entries, _) => find(&entries.get(*first)?.1, rest),
        Node::Plain(_) | Node::Text(_) => None,
    }
}

fn find_mut<'a>(node: &'a mut Spanned<Node>, path: &[usize]) -> Option<&'a mut Spanned<Node>> {
    let Some((first, rest)) = path.split_first() else { return Some(node) };
    match &mut node.value {
        Node::List(items) => find_mut(items.get_mut(*first)?, rest),
        Node::Map(entries, _) => find_mut(&mut entries.get_mut(*first)?.1, rest),
        Node::Plain(_) | Node::Text(_) => None,
    }
}

/// The tree on one line, with the table that leads back.
fn write_down(file: &Arc<SourceFile>, root: &Spanned<Node>) -> Draft {
    let (mut text, mut marks) = (String::new(), Vec::new());
    write(root, &mut Vec::new(), &mut text, &mut marks);
    let draft = Arc::new(SourceFile { path: file.path.clone(), text });
    Draft { file: file.clone(), draft, marks, cut: Vec::new(), lost: Vec::new() }
}

fn write(node: &Spanned<Node>, path: &mut Path, text: &mut String, marks: &mut Vec<Mark>) {
    marks.push(Mark { start: text.len(), at: node.at, path: path.clone(), key: false });
    match &node.value {
        Node::Plain(plain) => text.push_str(plain),
        Node::Text(value) => text.push_str(&quoted(value)),
        Node::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                path.push(index);
                write(item, path, text, marks);
                path.pop();
                text.push_str(", ");
            }
            text.push(']');
        }
        Node::Map(entries, _) => {
            text.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                path.push(index);
                marks.push(Mark { start: text.len(), at: key.at, path: path.clone(), key: true });
                text.push_str(&quoted(&key.value));
                text.push_str(": ");
                write(value, path, text, marks);
                path.pop();
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

/// As JSON quotes it, which YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Node;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain("null".to_owned()))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Plain("null".to_owned()))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Plain(value.to_string()))
    }
    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Node, D::Error> {
        d.deserialize_any(self)
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Plain(format!("{value:?}")))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries, Vec::new()))
    }
}
