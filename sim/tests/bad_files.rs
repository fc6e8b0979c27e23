//! Every bad file of `tests/data/bad` has its diagnostic, and none ends in a panic.

mod support;

use std::fs;
use std::path::PathBuf;
use support::{root, run, scratch};

fn bad() -> PathBuf {
    root().join("tests/data/bad")
}

#[test]
fn every_bad_file_has_its_diagnostic() {
    let mut names: Vec<String> =
        fs::read_dir(bad()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".scenario.yaml") && !name.starts_with("twice-the-same-name"));
    names.sort();
    assert!(names.len() >= 35, "only {} bad files", names.len());
    for name in names {
        for verb in ["check", "run"] {
            let ran = run(&bad(), &[verb, &name]);
            assert_eq!(ran.code, Some(3), "{verb} {name}\n{ran}");
            assert!(!ran.stderr.contains("panicked"), "{verb} {name}\n{ran}");
            if verb == "check" {
                insta::assert_snapshot!(name.trim_end_matches(".scenario.yaml"), ran);
            }
        }
    }
}

#[test]
fn a_name_belongs_to_one_scenario() {
    let files = ["twice-the-same-name.scenario.yaml", "twice-the-same-name-too.scenario.yaml"];
    let ran = run(&bad(), &["check", files[0], files[1]]);
    insta::assert_snapshot!("twice-the-same-name", ran);
    assert_eq!(run(&bad(), &["check", files[0]]).code, Some(0), "each of them alone is good");
}

#[test]
fn an_estate_says_its_version() {
    insta::assert_snapshot!(run(&bad(), &["check", "estates/no-version.estate.yaml"]));
}

#[test]
fn an_estate_outside_of_the_scenarios_is_not_read() {
    let folder = scratch("outside");
    let inner = folder.join("scenarios/topic");
    fs::create_dir_all(&inner).unwrap();
    let estate = "schema: failback-lab/1\nmachines:\n  - name: web01\n";
    fs::write(folder.join("secret.estate.yaml"), estate).unwrap();
    let scenario = "schema: failback-lab/1\nname: a/b\nabout: It reads what it must not.\n\
                    estate: ../../secret.estate.yaml\nsteps:\n  - wait: 5m\n";
    fs::write(inner.join("a.scenario.yaml"), scenario).unwrap();
    let ran = run(&folder, &["check", "scenarios"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("the estate lies outside of `scenarios`"), "{ran}");
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_scenarios_is_not_followed_either() {
    let folder = scratch("link");
    let inner = folder.join("scenarios");
    fs::create_dir_all(&inner).unwrap();
    fs::write(folder.join("secret.estate.yaml"), "schema: failback-lab/1\nmachines:\n  - name: web01\n")
        .unwrap();
    std::os::unix::fs::symlink("../secret.estate.yaml", inner.join("inside.estate.yaml")).unwrap();
    let scenario = "schema: failback-lab/1\nname: a/b\nabout: It reads what it must not.\n\
                    estate: inside.estate.yaml\nsteps:\n  - wait: 5m\n";
    fs::write(inner.join("a.scenario.yaml"), scenario).unwrap();
    let ran = run(&folder, &["run", "scenarios"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("the estate lies outside of `scenarios`"), "{ran}");
}

#[cfg(unix)]
#[test]
fn a_ring_of_links_ends() {
    let folder = scratch("ring");
    fs::create_dir_all(folder.join("a")).unwrap();
    std::os::unix::fs::symlink("..", folder.join("a/up")).unwrap();
    assert_eq!(run(&folder, &["run", "."]).code, Some(4));
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let folder = scratch("long");
    let text = format!("# {}\n", "x".repeat(78)).repeat(15_000);
    fs::write(folder.join("long.scenario.yaml"), text).unwrap();
    let ran = run(&folder, &["check", "long.scenario.yaml"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("the file is longer than 1024 KiB"), "{ran}");
}

#[test]
fn good_files_run_beside_bad_ones() {
    let folder = scratch("beside");
    let estate = "inline-estate: {machines: [{name: web01}]}";
    let good =
        format!("schema: failback-lab/1\nname: a/good\nabout: Fine.\n{estate}\nsteps:\n  - wait: 5m\n");
    fs::write(folder.join("good.scenario.yaml"), good).unwrap();
    fs::write(folder.join("bad.scenario.yaml"), "steps: 3\n").unwrap();
    let listed = run(&folder, &["list", "."]);
    assert_eq!(listed.code, Some(3));
    assert_eq!(listed.stdout, "a/good    Fine.\n");
    assert!(run(&folder, &["run", "."]).stdout.contains("a/good"), "the good one ran");
}

/// A tree of scenarios with a name of its own; its estate lies two folders away from its scenario.
fn tree(name: &str, estate: &str) -> PathBuf {
    let folder = scratch(name);
    fs::create_dir_all(folder.join("sc/topic/deep")).expect("the test may write");
    fs::create_dir_all(folder.join("sc/estates")).expect("the test may write");
    let text = "schema: failback-lab/1\nmachines:\n  - name: web01\n";
    fs::write(folder.join("sc/estates/small.estate.yaml"), text).expect("the test may write");
    fs::write(folder.join("secret.estate.yaml"), text).expect("the test may write");
    for (file, estate) in
        [("sc/topic/a", format!("../{estate}")), ("sc/topic/deep/b", format!("../../{estate}"))]
    {
        let name = file.rsplit('/').next().unwrap_or_default();
        let text = format!(
            "schema: failback-lab/1\nname: a/{name}\nabout: It waits.\nestate: {estate}\nsteps:\n  - wait: 5m\n"
        );
        fs::write(folder.join(format!("{file}.scenario.yaml")), text).expect("the test may write");
    }
    folder
}

#[test]
fn what_runs_in_a_folder_runs_by_itself() {
    let folder = tree("by-itself", "estates/small.estate.yaml");
    for (from, path) in [
        (".", "sc"),
        (".", "sc/topic/a.scenario.yaml"),
        (".", "sc/topic/deep/b.scenario.yaml"),
        (".", "./sc/topic/../topic/a.scenario.yaml"),
        ("sc", "topic/deep/b.scenario.yaml"),
        ("sc/topic", "a.scenario.yaml"),
        ("sc/estates", "../topic/a.scenario.yaml"),
    ] {
        let ran = run(&folder.join(from), &["check", path]);
        assert_eq!(ran.code, Some(0), "{from}: {path}\n{ran}");
    }
    let whole = folder.join("sc/topic/a.scenario.yaml");
    assert_eq!(
        run(&root(), &["check", whole.to_str().unwrap()]).code,
        Some(0),
        "an absolute path, from elsewhere"
    );
    let shipped = root().join("scenarios/vcenter");
    let ran = run(&shipped, &["check", "flapping.scenario.yaml"]);
    assert_eq!(ran.code, Some(0), "from within `scenarios`\n{ran}");
}

#[cfg(unix)]
#[test]
fn no_path_leads_out_of_a_tree_of_any_name() {
    let folder = tree("out-of-it", "../secret.estate.yaml");
    let inner = folder.join("sc");
    let refused = |from: &std::path::Path, path: &str, why: &str| {
        let ran = run(from, &["check", path]);
        assert_eq!(ran.code, Some(3), "{path}\n{ran}");
        assert!(ran.stderr.contains(why), "{path}\n{ran}");
    };
    refused(&inner, "topic/a.scenario.yaml", "the estate lies outside of `.`");
    refused(&inner.join("topic"), "a.scenario.yaml", "the estate lies outside of `..`");
    let write = |name: &str, estate: &str| {
        let text = format!(
            "schema: failback-lab/1\nname: a/b\nabout: It reads.\nestate: {estate}\nsteps:\n  - wait: 5m\n"
        );
        fs::write(inner.join("topic").join(name), text).unwrap();
    };
    std::os::unix::fs::symlink("../../secret.estate.yaml", inner.join("topic/in.estate.yaml")).unwrap();
    write("link.scenario.yaml", "in.estate.yaml");
    refused(&inner, "topic/link.scenario.yaml", "the estate lies outside of `.`");
    write("absolute.scenario.yaml", inner.join("estates/small.estate.yaml").to_str().unwrap());
    refused(&inner, "topic/absolute.scenario.yaml", "an estate's path is relative to its scenario");
}

#[test]
fn a_file_on_two_ways_is_one_file() {
    let folder = tree("two-ways", "estates/small.estate.yaml");
    let ran = run(&folder, &["check", "sc", "sc/topic", "./sc/topic/a.scenario.yaml", "sc/estates"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "2 scenarios, 1 estate: no mistakes\n"), "{ran}");
}

#[test]
fn an_estate_of_too_many_machines_is_refused() {
    let folder = scratch("crowd");
    let machines: String = (0..10_001).map(|n| format!("  - {{name: m{n}}}\n")).collect();
    fs::write(folder.join("crowd.estate.yaml"), format!("schema: failback-lab/1\nmachines:\n{machines}"))
        .unwrap();
    let ran = run(&folder, &["check", "."]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("the estate protects 10001 machines"), "{ran}");
}

fn small(name: &str, rest: &str) -> PathBuf {
    let folder = scratch(name);
    let head = "schema: failback-lab/1\nname: a/b\nabout: It is small.\n\
                inline-estate: {machines: [{name: web01, disks: [{size: 1MiB}]}]}\n";
    fs::write(folder.join("a.scenario.yaml"), format!("{head}{rest}")).expect("the test may write");
    folder
}

/// What a failure says, without its times and the events before it.
fn failure(folder: &std::path::Path) -> String {
    let ran = run(folder, &["run", "a.scenario.yaml"]);
    assert_eq!(ran.code, Some(10), "{ran}");
    let said = ran.stdout.split("\n\n").find(|part| part.trim_start().starts_with("stuck: "));
    said.unwrap_or_default().to_owned()
}

#[test]
fn a_stuck_run_names_who_waits_for_what() {
    let waits = "horizon: 5h\nsteps:\n  - wait: 30m\n  \
                 - wait-until: {item: web01, state: protected, points: 90000, within: 20h}\n";
    insta::assert_snapshot!("stuck-waiting", failure(&small("stuck-waiting", waits)));
    let job = "horizon: 3h\nsteps:\n  - wait: 70m\n  \
               - arm: {crash: {node: orchestrator}, when: {at-task: {task: StartVmOnSecondary}}}\n  \
               - failover: {item: web01, within: 20h}\n";
    insta::assert_snapshot!("stuck-in-a-job", failure(&small("stuck-in-a-job", job)));
}

#[test]
fn a_run_that_waits_for_nobody_says_how_to_allow_more() {
    let steps = "horizon: 2h\nsteps:\n  - wait: 10m\n  \
                 - arm: {crash: {node: orchestrator}, when: {at-task: {task: StartVmOnSecondary}}}\n  \
                 - failover: {item: web01, expect: started}\n  - wait: 80m\n  - wait-until: {item: web01, health: critical, within: 9h}\n";
    let said = failure(&small("stuck-in-a-wait", steps));
    for told in [
        "stuck: 2h of virtual time passed, in step 5 (wait until web01 is ready): ",
        " (Failover of web01) is open since ",
        ", web01 in StartVmOnSecondary since ",
        "; `horizon: 2h` ends the run; a longer one allows more",
        "\n    expected  health Critical",
        "\n    actual    web01: orchestrator is unreachable",
    ] {
        assert!(said.contains(told), "{told}\n{said}");
    }
}

#[test]
fn a_job_that_does_not_end_in_time_says_what_it_is_at() {
    let steps = "steps:\n  - wait: 10m\n  \
                 - arm: {crash: {node: azure}, when: {at-task: {task: StartVmOnSecondary}}}\n  \
                 - failover: {item: web01, within: 20m}\n";
    let ran = run(&small("not-in-time", steps), &["run", "a.scenario.yaml"]);
    assert_eq!(ran.code, Some(10), "{ran}");
    for told in [
        "\n    step      3, a.scenario.yaml:8\n    expected  the job succeeds\n",
        "    actual    the job does not end in time: ",
        " (Failover of web01) is open since ",
        ", web01 in StartVmOnSecondary since ",
        "; `within: 20m` of the step ends the wait",
    ] {
        assert!(ran.stdout.contains(told), "{told}\n{ran}");
    }
}

#[test]
fn a_crash_that_never_comes_is_13() {
    let folder = small("late-crash", "steps:\n  - wait: 5m\n");
    let ran = run(&folder, &["run", "a.scenario.yaml", "--crash-at", "before:9999"]);
    assert_eq!(ran.code, Some(13), "{ran}");
    assert!(ran.stdout.contains("the crash before journal write 9999 never came"), "{ran}");
}

#[test]
fn two_reports_do_not_share_a_file() {
    let folder = small("one-report", "steps:\n  - wait: 5m\n");
    let ran = run(&folder, &["run", "a.scenario.yaml", "--junit", "same", "--events", "./same"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("would both write same") && !folder.join("same").exists(), "{ran}");
}
