//! The command line as its users meet it.

// `cfg(test)` tells the lints that helpers in these modules are tests as well.
#[cfg(test)]
#[path = "cli/exit_codes.rs"]
mod exit_codes;
#[cfg(all(test, unix))]
#[path = "cli/explored.rs"]
mod explored;
#[cfg(test)]
#[path = "cli/readme.rs"]
mod readme;
mod support;

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use support::{command, root, run, scratch};

#[test]
fn help_teaches() {
    insta::assert_snapshot!("help", run(&root(), &["--help"]));
    insta::assert_snapshot!("help-run", run(&root(), &["run", "--help"]));
    insta::assert_snapshot!("help-short", run(&root(), &["-h"]));
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        &[][..],
        &["rn"],
        &["run", "--seed", "many"],
        &["run", "--wire", "http2"],
        &["run", "--jobs", "0"],
        &["explain"],
        &["schema", "plan"],
    ] {
        let ran = run(&root(), args);
        assert_eq!(ran.code, Some(2), "{args:?}\n{ran}");
        assert!(ran.stderr.contains("--help") || ran.stderr.contains("Usage"), "{args:?}\n{ran}");
    }
}

#[test]
fn nothing_to_run_is_4() {
    let ran = run(&root(), &["run", "tests/data/empty"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(4), "nothing ran: no scenarios there\n"));
    let ran = run(&root(), &["run", "--filter", "no-such-thing"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("contains `no-such-thing`"), "{ran}");
    assert_eq!(run(&root(), &["list", "tests/data/empty"]).code, Some(4));
    assert_eq!(run(&root(), &["check", "tests/data/empty"]).code, Some(4));
}

#[test]
fn what_cannot_be_read_or_written_is_74() {
    let ran = run(&root(), &["run", "no/such/folder"]);
    assert_eq!(ran.code, Some(74), "{ran}");
    assert!(ran.stderr.starts_with("error: cannot read no/such/folder: "), "{ran}");
    for flag in ["--junit", "--events"] {
        let ran = run(&root(), &["run", flag, "no/such/folder/out"]);
        assert_eq!(ran.code, Some(74), "{ran}");
        assert!(ran.stdout.is_empty(), "nothing runs when its report cannot be written\n{ran}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_74() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command(&root(), &["schema"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(74));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child =
        command(&root(), &["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn explain_shows_the_catalogue() {
    // Which scenarios show a code is tested beside it; here they would only come and go.
    let page = |code| run(&root(), &["explain", code, "--scenarios", "tests/data/empty"]);
    insta::assert_snapshot!("explain-95226", page("95226"));
    insta::assert_snapshot!("explain-fb1303", page("fb1303"));
    let ran = run(&root(), &["explain", "8O38"]);
    assert_eq!(ran.code, Some(2));
    let said =
        "error: there is no error `8O38`; did you mean `8038`?; `failback-lab explain --list` lists all\n";
    assert_eq!(ran.stderr, said);
    let list = run(&root(), &["explain", "--list"]);
    assert_eq!(list.code, Some(0), "{list}");
    for line in ["8038    the on-premises virtual machine could not be brought up", "FB1801  "] {
        assert!(list.stdout.lines().any(|l| l.starts_with(line)), "{line}\n{list}");
    }
    assert_eq!(run(&root(), &["explain", "8038", "--list"]).code, Some(2), "one or the other");
}

#[test]
fn rules_tell_where_they_strike_and_what_proves_them() {
    let ran = run(&root(), &["rules", "P18"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("P18: ") && lines[0].contains("LSI Logic"), "{ran}");
    assert!(lines.iter().any(|l| l.starts_with("    before reprotect: ")), "{ran}");
    assert!(lines.iter().any(|l| l.starts_with("    FB1304: ")), "{ran}");
    assert!(lines.contains(&"    proven by master-target/paravirtual-controller"), "{ran}");
    assert_eq!(lines.last().copied(), Some("1 rules: 1 proven, 0 unproven, 0 not modelled"), "{ran}");
    let ran = run(&root(), &["rules", "P17x"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(2), "error: there is no rule `P17x`; did you mean `P17`?\n")
    );
}

#[test]
fn rules_are_json_of_one_shape_and_complete() {
    let ran = run(&root(), &["rules", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let rules: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).expect("a list");
    let keys: Vec<&str> = rules.iter().map(|rule| rule["key"].as_str().expect("a key")).collect();
    for (letter, last) in [('C', 23), ('P', 41), ('R', 8), ('G', 3), ('L', 4)] {
        for key in (1..=last).map(|n| format!("{letter}{n}")) {
            assert_eq!(keys.iter().filter(|known| **known == key).count(), 1, "{key}");
        }
    }
    for rule in &rules {
        let fields: Vec<&str> = rule.as_object().expect("an object").keys().map(String::as_str).collect();
        let always = ["errors", "key", "rule", "scenarios", "strikes"];
        assert!(fields.iter().filter(|f| **f != "not_modelled").eq(&always), "{rule}");
        assert!(!rule["rule"].as_str().expect("a sentence").is_empty(), "{rule}");
        assert!(
            rule["strikes"].as_array().expect("a list").iter().all(serde_json::Value::is_string),
            "{rule}"
        );
        for error in rule["errors"].as_array().expect("a list") {
            for field in ["code", "title", "remedy"] {
                assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
            }
        }
        let scenarios = rule["scenarios"].as_array().expect("a list");
        match rule.get("not_modelled") {
            Some(why) => assert!(why.as_str().is_some_and(|why| !why.is_empty()), "{rule}"),
            None => assert!(!scenarios.is_empty(), "unproven: {rule}"),
        }
    }
}

#[test]
fn schemas_are_json_and_know_every_step() {
    let ran = run(&root(), &["schema"]);
    assert_eq!(ran.code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["schema", "name", "about", "steps"]));
    assert_eq!(schema["additionalProperties"], false);
    let steps = schema["$defs"]["Step"]["oneOf"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|s| s["required"][0].as_str().unwrap()).collect();
    insta::assert_snapshot!("schema-steps", names.join(" "));
    let ran = run(&root(), &["schema", "estate"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["title"], "Failback Lab estate");
}

#[test]
fn shipped_files_hold_no_mistakes_and_are_listed() {
    let ran = run(&root(), &["check"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.ends_with(": no mistakes\n"), "{ran}");
    let ran = run(&root(), &["list", "--filter", "snapshot/on-the-"]);
    insta::assert_snapshot!("list", ran);
}

#[test]
fn reports_are_written() {
    let folder = scratch("reports");
    let (junit, events) = (folder.join("out.xml"), folder.join("out.jsonl"));
    let args = ["run", "--filter", "happy/windows-original", "--junit", junit.to_str().unwrap(), "--events"];
    let ran = run(&root(), &[&args[..], &[events.to_str().unwrap()]].concat());
    let line = ran.stdout.lines().next().unwrap_or_default();
    assert!(line.contains("] happy/windows-original-location"), "{ran}");
    let xml = fs::read_to_string(junit).unwrap();
    assert!(xml.contains(r#"<testcase name="happy/windows-original-location""#), "{xml}");
    for line in fs::read_to_string(events).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["scenario"], "happy/windows-original-location");
    }
}

#[test]
fn two_processes_and_two_wires_write_the_same_events() {
    let folder = scratch("determinism");
    let events = |name: &str, wire: &str, jobs: &str| {
        let file = folder.join(name);
        let ran = run(&root(), &["run", "--wire", wire, "--jobs", jobs, "--events", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran}");
        fs::read_to_string(file).unwrap()
    };
    let first = events("a", "direct", "2");
    same("two processes", &first, &events("b", "direct", "1"));
    let http1 = events("c", "http1", "2").replace(r#""wire":"http1""#, r#""wire":"direct""#);
    same("the wires", &first, &http1);
}

/// Two event files are the same, line by line; the first line that differs is shown, not megabytes.
fn same(what: &str, a: &str, b: &str) {
    let differs = a.lines().zip(b.lines()).find(|(a, b)| a != b);
    assert!(differs.is_none(), "{what} differ: {differs:#?}");
    assert_eq!(a.lines().count(), b.lines().count(), "{what} differ in length");
}

#[test]
fn fuzzing_tells_its_seed_and_what_it_did() {
    let save = scratch("fuzz");
    let args = ["fuzz", "--seed", "5", "--case", "1", "--save", &save.to_string_lossy()];
    let ran = run(&root(), &args);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.starts_with("seed 5\nseed 5: 1 case, 9 runs, 0 failed; "), "{ran}");
    assert!(ran.stdout.contains("faults armed "), "{ran}");
    let again = run(&root(), &["fuzz", "--runs", "9", "--for", "1s"]);
    assert_eq!(again.code, Some(2), "{again}");
}
