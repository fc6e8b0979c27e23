//! Problems of files: what is wrong, where, and what was probably meant.

use super::text::Place;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;
use std::sync::Arc;

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, as the command line found it.
    pub path: String,
    /// Its text; empty when it could not be read as text.
    pub text: String,
}

/// A mark in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which file.
    pub file: Arc<SourceFile>,
    /// Where.
    pub at: Place,
    /// What it says there.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in a sentence.
    pub title: String,
    /// Where; the first label is the place of the problem, the others explain it.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of_file(path: &str, title: impl Into<String>) -> Self {
        let file = Arc::new(SourceFile { path: path.to_owned(), text: String::new() });
        let label = Label { file, at: Place::default(), text: String::new() };
        Self { title: title.into(), labels: vec![label], help: None }
    }
    /// A problem at a place, with what the mark there says.
    pub fn at(file: &Arc<SourceFile>, at: Place, title: impl Into<String>, text: impl Into<String>) -> Self {
        let label = Label { file: file.clone(), at, text: text.into() };
        Self { title: title.into(), labels: vec![label], help: None }
    }
    /// The same, with another mark. Nothing is added for a place that is unknown.
    #[must_use]
    pub fn and(mut self, file: &Arc<SourceFile>, at: Place, text: impl Into<String>) -> Self {
        if at.line > 0 {
            self.labels.push(Label { file: file.clone(), at, text: text.into() });
        }
        self
    }
    /// The same, with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// The same; advises the candidate that looks most like `word`, or lists a few.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggest_listed(word, candidates, "failback-lab schema")
    }
    /// The same; where not all candidates are listed, `command` lists them.
    #[must_use]
    pub fn suggest_listed<'a>(
        mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
        command: &str,
    ) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        self.help = match (nearest(word, &candidates), candidates.as_slice()) {
            (Some(best), _) => Some(format!("did you mean `{best}`?")),
            (None, []) => None,
            (None, some) => Some(format!("known: {}", shortened(some, command))),
        };
        self
    }
    /// `path:line:column`, or the path alone.
    pub fn place(&self) -> String {
        match self.labels.first() {
            Some(l) if l.at.line > 0 => format!("{}:{}:{}", l.file.path, l.at.line, l.at.column),
            Some(l) => l.file.path.clone(),
            None => String::new(),
        }
    }
    /// The problem with marked excerpts; in colour when `colour`.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(110);
        let mut group = Level::ERROR.primary_title(self.title.as_str()).elements(self.snippets());
        if let Some(first) = self.labels.first().filter(|l| l.at.line == 0) {
            group = group.element(annotate_snippets::Origin::path(first.file.path.as_str()));
        }
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
    /// One snippet per file, the problem's own file first.
    fn snippets(&self) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let mut out: Vec<(&str, Snippet<'_, annotate_snippets::Annotation<'_>>)> = Vec::new();
        for (index, label) in self.labels.iter().enumerate().filter(|(_, l)| l.at.line > 0) {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mark = kind.span(span(&label.file.text, label.at)).label(label.text.as_str());
            let path = label.file.path.as_str();
            match out.iter_mut().find(|(p, _)| *p == path) {
                Some((_, snippet)) => {
                    let old = std::mem::replace(snippet, Snippet::source(""));
                    *snippet = old.annotation(mark);
                }
                None => {
                    let snippet = Snippet::source(label.file.text.as_str()).path(path).fold(true);
                    out.push((path, snippet.annotation(mark)));
                }
            }
        }
        out.into_iter().map(|(_, snippet)| snippet).collect()
    }
}

/// The bytes to mark: on one line, at least one character if there is one, on character boundaries.
fn span(text: &str, at: Place) -> Range<usize> {
    let mut start = at.byte.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |n| start + n);
    // The parser gives mappings no length: mark their first word.
    let word = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
    let len = if at.len > 0 { at.len } else { text[start..].find(word).unwrap_or(1).max(1) };
    let mut end = start.saturating_add(len).min(line_end).max(start);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let trimmed = text[start..end].trim_end().len();
    start..(start + trimmed.max(usize::from(end > start)))
}

/// The candidate that `word` is probably a slip of.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let score = |c: &str| strsim::normalized_damerau_levenshtein(&word.to_lowercase(), &c.to_lowercase());
    // Of those that are equally near the first.
    let best = candidates.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) >= 0.5).then_some(best)
}

fn shortened(names: &[&str], command: &str) -> String {
    const SHOWN: usize = 14;
    let mut out = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        out.push_str(&format!(" and {} more, which `{command}` lists", names.len() - SHOWN));
    }
    out
}
