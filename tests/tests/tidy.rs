//! Rules of the house that no compiler knows: crate directions, file sizes, `biased;`, one binary.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest file we let stand.
const MAX_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace root").to_owned()
}

fn metadata() -> Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// Normal dependencies of each of our crates on our crates.
fn directions() -> BTreeMap<String, BTreeSet<String>> {
    let mut out = BTreeMap::new();
    for package in metadata()["packages"].as_array().expect("packages") {
        let ours = |d: &&Value| d["path"].is_string() && d["kind"].is_null();
        let name = |v: &Value| v["name"].as_str().unwrap_or_default().to_owned();
        let deps = package["dependencies"].as_array().expect("dependencies");
        out.insert(name(package), deps.iter().filter(ours).map(name).collect());
    }
    out
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| format!("failback-{n}")).collect()
}

#[test]
fn crates_depend_only_in_the_allowed_direction() {
    let allowed: BTreeMap<String, BTreeSet<String>> = [
        ("wire", set(&[])),
        ("replication", set(&["wire"])),
        ("orchestrator", set(&["wire", "replication"])),
        ("fakes", set(&["wire", "replication"])),
        ("oracle", set(&["wire"])),
        ("lab", set(&["wire", "replication", "orchestrator", "fakes", "oracle"])),
        ("tests", set(&["lab", "orchestrator"])),
    ]
    .into_iter()
    .map(|(name, deps)| (format!("failback-{name}"), deps))
    .collect();
    let found = directions();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "the crates of the house"
    );
    for (name, deps) in &found {
        assert!(
            deps.is_subset(&allowed[name]),
            "{name} depends on {deps:?}, allowed are {:?}",
            allowed[name]
        );
    }
}

#[test]
fn there_is_exactly_one_binary() {
    let metadata = metadata();
    let bins: Vec<&str> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .flat_map(|p| p["targets"].as_array().expect("targets"))
        .filter(|t| t["kind"][0] == "bin")
        .filter_map(|t| t["name"].as_str())
        .collect();
    assert_eq!(bins, ["failback-lab"], "cargo run must find the lab");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace manifest");
    assert!(!manifest.contains("default-members"), "it would make cargo test skip crates without a word");
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all_rust_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file");
            (path, text)
        })
        .collect()
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (path, text) in all_rust_files() {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not open with its purpose", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_select_is_biased() {
    let select = concat!("select", "! {");
    let mut wrong = Vec::new();
    for (path, text) in all_rust_files() {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            let next = lines.get(n + 1).copied().unwrap_or_default();
            if line.contains(select) && !next.contains("biased;") {
                wrong.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "select without biased: {wrong:?}");
}

#[test]
fn every_query_is_ordered() {
    // Rows without an order come as SQLite likes; a count or a lookup by key has one row at most.
    let mut wrong = Vec::new();
    for (path, text) in all_rust_files() {
        for (n, line) in text.lines().enumerate() {
            let upper = line.to_uppercase();
            let many = line.contains("\"SELECT")
                && !upper.contains("ORDER BY")
                && !upper.contains("COUNT(")
                && !upper.contains("MAX(");
            if many && !text.lines().skip(n).take(6).any(|l| l.to_uppercase().contains("ORDER BY")) {
                wrong.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Names in the first column of the tables under a heading of this file, to the next heading of its level.
fn first_column(text: &str, heading: &str) -> BTreeSet<String> {
    let (_, section) = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let names = cells.flat_map(|cell| cell.split(", "));
    // The feature or the remark that follows a name.
    names.map(|name| name.split(" (").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_readme_gives_a_reason_for_each_dependency() {
    let manifest = read("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.dependencies]\n").expect("the dependencies");
    let section = section.split("\n[").next().unwrap_or_default();
    let named = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
    let wanted: BTreeSet<String> = named.filter(|name| !name.starts_with("failback-")).collect();
    let mut told = first_column(&read("README.md"), "\n## Dependencies\n");
    told.remove("crate");
    assert_eq!(told, wanted);
}

/// Keys of the domain, such as C16, among these words.
fn keys(text: &str) -> impl Iterator<Item = String> {
    let is_key = |word: &&str| {
        let number = word.strip_prefix(['C', 'E', 'G', 'I', 'L', 'P', 'R']).unwrap_or_default();
        (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    };
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(is_key).map(str::to_owned)
}

#[test]
fn every_cited_key_is_explained() {
    let explained: BTreeSet<String> = keys(&read("orchestrator/src/rules/KEYS.md")).collect();
    let is_test = |path: &Path| path.to_string_lossy().contains("tests");
    let mut cited: Vec<(String, String)> = Vec::new();
    for (path, text) in all_rust_files().into_iter().filter(|(path, _)| !is_test(path)) {
        cited.extend(keys(&text).map(|key| (path.display().to_string(), key)));
    }
    for scenario in failback_tests::scenarios() {
        let text = read(&scenario.path);
        cited.extend(keys(&text).map(|key| (scenario.path.clone(), key)));
    }
    assert!(cited.len() > 200, "only {} citations found", cited.len());
    cited.retain(|(_, key)| !explained.contains(key));
    assert!(cited.is_empty(), "not in orchestrator/src/rules/KEYS.md: {cited:?}");
}
