//! From paths of the command line to scenarios that can run.

use super::check::{self, Subject};
use super::diagnostic::{Problem, SourceFile};
use super::estate::Estate;
use super::inventory::Inventory;
use super::model::Scenario;
use super::parse::{self, LONGEST, Parsed};
use super::salvage::Draft;
use super::text::Name;
use super::{CheckedScenario, text::Place};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// How a scenario's file name ends.
pub const SCENARIO: &str = ".scenario.yaml";
/// How an estate's file name ends.
pub const ESTATE: &str = ".estate.yaml";
/// How deep folders are searched.
const DEEPEST: usize = 16;

/// What was found at some paths.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Scenarios without any problem, by path.
    pub scenarios: Vec<CheckedScenario>,
    /// Everything that is wrong, by path.
    pub problems: Vec<Problem>,
    /// Files and folders that could not be read.
    pub unread: Vec<String>,
    /// Estate files that were checked for themselves.
    pub estates: usize,
    /// Scenario files that were found.
    pub files: usize,
}

/// Loads what stands at these paths: files, or folders with all that is below them. Estates among them
/// are checked too, when `estates`. A file that is found on two ways counts once.
pub fn load(paths: &[PathBuf], estates: bool) -> Loaded {
    let (names, seen) = (BTreeMap::new(), BTreeSet::new());
    let mut loader = Loader { out: Loaded::default(), names, seen, estates };
    for path in paths {
        loader.path(path);
    }
    loader.out
}

struct Loader {
    out: Loaded,
    /// Names in use, with the file and place that use them.
    names: BTreeMap<String, (Arc<SourceFile>, Place)>,
    /// Files that were met already, with every link resolved.
    seen: BTreeSet<PathBuf>,
    estates: bool,
}

impl Loader {
    /// Whether this file is met for the first time; what cannot be resolved is, its reader says why.
    fn first_time(&mut self, path: &Path) -> bool {
        fs::canonicalize(path).map_or(true, |real| self.seen.insert(real))
    }

    fn unread(&mut self, path: &Path, error: &io::Error) {
        self.out.unread.push(format!("{}: {error}", shown(path)));
    }

    fn path(&mut self, path: &Path) {
        match fs::metadata(path) {
            Err(error) => self.unread(path, &error),
            Ok(meta) if meta.is_dir() && !ends(path, SCENARIO) => self.folder(path, 0),
            Ok(_) if self.estates && ends(path, ESTATE) => self.estate_file(path),
            Ok(_) if ends(path, SCENARIO) => self.scenario_file(path),
            Ok(_) => {
                let title = format!("a scenario's file name ends in `{SCENARIO}`");
                self.out.problems.push(Problem::of_file(&shown(path), title));
            }
        }
    }

    /// Everything below a folder, by name. Links to folders are not followed: they could form a ring.
    fn folder(&mut self, folder: &Path, depth: usize) {
        let mut entries: Vec<PathBuf> =
            match fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
                Err(error) => return self.unread(folder, &error),
            };
        entries.sort();
        for entry in entries {
            let meta = match fs::symlink_metadata(&entry) {
                Ok(meta) => meta,
                Err(error) => {
                    self.unread(&entry, &error);
                    continue;
                }
            };
            if ends(&entry, SCENARIO) {
                self.scenario_file(&entry);
            } else if meta.is_dir() && depth < DEEPEST {
                self.folder(&entry, depth + 1);
            } else if self.estates && ends(&entry, ESTATE) {
                self.estate_file(&entry);
            }
        }
    }

    fn estate_file(&mut self, path: &Path) {
        if !self.first_time(path) {
            return;
        }
        self.out.estates += 1;
        if let Some(file) = self.read(path) {
            let known = &self.out.problems;
            let wrong = read_estate(&file).err().unwrap_or_default();
            let new: Vec<Problem> = wrong.into_iter().filter(|problem| !known.contains(problem)).collect();
            self.out.problems.extend(new);
        }
    }

    fn scenario_file(&mut self, path: &Path) {
        if !self.first_time(path) {
            return;
        }
        self.out.files += 1;
        let Some(file) = self.read(path) else { return };
        let Parsed { value, problems: mut all, draft } = parse::parse_all::<Scenario>(&file);
        let Some(scenario) = value else { return self.out.problems.extend(all) };
        // Places of what was read lead into the draft, where there is one.
        let whole = draft.is_none();
        let read = draft.as_ref().map_or(&file, Draft::text).clone();
        let mut problems = check::head(&read, &scenario);
        problems.extend(self.name(&file, &read, &scenario.name, draft.as_ref()));
        // Without its estate nothing is known of the names a scenario uses.
        let blind = draft.as_ref().is_some_and(|draft| draft.lost("estate") || draft.lost("inline-estate"));
        let estate = if blind { Err(Vec::new()) } else { estate_of(&read, path, &scenario) };
        let file = read;
        match estate {
            Ok((estate_file, estate)) => {
                let inventory = Inventory::from(&estate).saving(&scenario.steps);
                let subject = Subject {
                    file: &file,
                    scenario: &scenario,
                    estate_file: &estate_file,
                    estate: &estate,
                    inventory: &inventory,
                    whole,
                };
                problems.extend(check::scenario(&subject));
                if problems.is_empty() && whole {
                    let path = file.path.clone();
                    self.out.scenarios.push(CheckedScenario { path, scenario, estate, inventory });
                }
            }
            // The same estate may be wrong for many scenarios: say it once.
            Err(wrong) => {
                problems.extend(wrong.into_iter().filter(|problem| !self.out.problems.contains(problem)));
            }
        }
        match &draft {
            None => all.extend(problems),
            Some(draft) => all.extend(problems.into_iter().filter_map(|problem| draft.translate(problem))),
        }
        all.sort_by_key(|problem| {
            problem.labels.first().map(|l| (l.file.path.clone(), l.at.line, l.at.column))
        });
        self.out.problems.extend(all);
    }

    /// A name belongs to one scenario.
    fn name(
        &mut self,
        file: &Arc<SourceFile>,
        read: &Arc<SourceFile>,
        name: &Name,
        draft: Option<&Draft>,
    ) -> Option<Problem> {
        let at = draft.map_or(name.at, |draft| draft.original(name.at));
        if at.line == 0 {
            return None;
        }
        if let Some((other, first)) = self.names.get(&name.value) {
            let title = format!("two scenarios are named `{name}`");
            let problem = Problem::at(read, name.at, title, "the second one");
            return Some(problem.and(other, *first, "the first one"));
        }
        self.names.insert(name.value.clone(), (file.clone(), at));
        None
    }

    fn read(&mut self, path: &Path) -> Option<Arc<SourceFile>> {
        match read(path) {
            Ok(file) => Some(file),
            Err(Unreadable::Problem(problem)) => {
                self.out.problems.push(*problem);
                None
            }
            Err(Unreadable::Io(error)) => {
                self.unread(path, &error);
                None
            }
        }
    }
}

enum Unreadable {
    Problem(Box<Problem>),
    Io(io::Error),
}

fn read(path: &Path) -> Result<Arc<SourceFile>, Unreadable> {
    let shown = shown(path);
    let problem = |title: String| Err(Unreadable::Problem(Box::new(Problem::of_file(&shown, title))));
    let meta = fs::metadata(path).map_err(Unreadable::Io)?;
    if meta.is_dir() {
        return problem("a folder has the name of a file".to_owned());
    }
    if !meta.is_file() {
        return problem("this is no ordinary file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(Unreadable::Io)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if bytes.len() as u64 > LONGEST {
        return problem(format!("the file is longer than {} KiB", LONGEST >> 10));
    }
    parse::decode(&shown, bytes).map_err(Unreadable::Problem)
}

type Found = (Arc<SourceFile>, Estate);

/// The estate of a file of its own, or everything that is wrong with it.
fn read_estate(file: &Arc<SourceFile>) -> Result<Estate, Vec<Problem>> {
    let Parsed { value, mut problems, draft } = parse::parse_all::<Estate>(file);
    let Some(estate) = value else { return Err(problems) };
    let read = draft.as_ref().map_or(file, Draft::text);
    let wrong = check::estate(read, &estate, true).into_iter();
    problems.extend(wrong.filter_map(|problem| match &draft {
        Some(draft) => draft.translate(problem),
        None => Some(problem),
    }));
    if problems.is_empty() { Ok(estate) } else { Err(problems) }
}

/// The estate a scenario starts from, checked.
fn estate_of(file: &Arc<SourceFile>, path: &Path, scenario: &Scenario) -> Result<Found, Vec<Problem>> {
    match (&scenario.estate, &scenario.inline_estate) {
        (Some(name), None) => {
            let estate_file = named_estate(file, path, name).map_err(|problem| vec![*problem])?;
            Ok((estate_file.clone(), read_estate(&estate_file)?))
        }
        (None, Some(estate)) => {
            let wrong = check::estate(file, estate, false);
            if wrong.is_empty() { Ok((file.clone(), estate.clone())) } else { Err(wrong) }
        }
        (Some(name), Some(_)) => {
            let title = "an estate from a file or an inline one";
            Err(vec![Problem::at(file, name.at, title, "there is an `inline-estate` too")])
        }
        (None, None) => {
            let problem = Problem::of_file(&file.path, "the scenario has no estate");
            Err(vec![problem.help("write `estate: ../estates/….estate.yaml`, or an `inline-estate`")])
        }
    }
}

/// The file of an estate that a scenario names.
fn named_estate(file: &Arc<SourceFile>, path: &Path, name: &Name) -> Result<Arc<SourceFile>, Box<Problem>> {
    let wrong = |title: String, label: &str| Box::new(Problem::at(file, name.at, title, label));
    if !name.ends_with(ESTATE) {
        return Err(wrong(format!("an estate's file name ends in `{ESTATE}`"), "another ending"));
    }
    if Path::new(name.as_str()).has_root() {
        return Err(wrong("an estate's path is relative to its scenario".to_owned(), "begins at the root"));
    }
    let full = plain(&path.parent().unwrap_or(Path::new("")).join(name.as_str()));
    let (Ok(inside), Ok(real)) = (root(path), fs::canonicalize(&full)) else {
        let problem = wrong(format!("there is no file `{}`", shown(&full)), "looked for beside this file");
        let known = siblings(&full, name);
        return Err(Box::new(problem.suggest(name, known.iter().map(String::as_str))));
    };
    if !real.starts_with(&inside) {
        let title = format!("the estate lies outside of `{}`", shown(&from_here(&inside)));
        return Err(wrong(title, "leads out of the folder of the scenarios"));
    }
    read(&full).map_err(|unreadable| match unreadable {
        Unreadable::Problem(problem) => problem,
        Unreadable::Io(error) => wrong(format!("cannot read `{}`: {error}", shown(&full)), "this file"),
    })
}

/// Estates in the folder where one was looked for, as the scenario would write them.
fn siblings(full: &Path, written: &str) -> Vec<String> {
    let folder = full.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = written.rfind('/').map_or("", |slash| &written[..=slash]);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut out: Vec<String> =
        names.filter(|name| name.ends_with(ESTATE)).map(|name| format!("{prefix}{name}")).collect();
    out.sort();
    out
}

/// The folder that a scenario's estate must lie in: the nearest one above the scenario that is named
/// `scenarios`; where there is none, the current directory or the folder above the scenario's own, whichever
/// holds more of the way to the file. Every link is resolved first, and the file alone decides: a scenario
/// that runs as part of a folder runs by itself too. The root of the file system is never the answer.
fn root(path: &Path) -> io::Result<PathBuf> {
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let own = fs::canonicalize(parent.unwrap_or(Path::new(".")))?;
    let named = |folder: &&Path| folder.file_name().is_some_and(|name| name == "scenarios");
    if let Some(named) = own.ancestors().find(named) {
        return Ok(named.to_path_buf());
    }
    let beneath = |folder: &Path| folder.parent().is_some();
    let above = own.parent().filter(|above| beneath(above)).unwrap_or(&own);
    let here = fs::canonicalize(".")?;
    let wider = beneath(&here) && above.starts_with(&here);
    Ok(if wider { here } else { above.to_path_buf() })
}

/// A resolved folder as seen from the current directory.
fn from_here(folder: &Path) -> PathBuf {
    let Ok(here) = fs::canonicalize(".") else { return folder.to_path_buf() };
    match (folder.strip_prefix(&here), here.strip_prefix(folder)) {
        (Ok(below), _) if below.as_os_str().is_empty() => PathBuf::from("."),
        (Ok(below), _) => below.to_path_buf(),
        (Err(_), Ok(climb)) => climb.components().map(|_| Component::ParentDir).collect(),
        (Err(_), Err(_)) => folder.to_path_buf(),
    }
}

/// The path without `a/..` and `.`, as people would write it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir | Component::Normal(_) => {
                out.push(part);
            }
        }
    }
    out
}

fn ends(path: &Path, with: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(with))
}

/// A path as reports show it: with `/`, whatever the system.
fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
