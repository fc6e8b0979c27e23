//! Faults strike at moments that scenarios name. Whatever happens in a run can be named, and the table of
//! operations holds what is sent: no more, no less.

use failback_lab::driver::{RunOptions, run};
use failback_lab::scenario::CheckedScenario;
use failback_lab::scenario::check::{self, Subject};
use failback_lab::scenario::diagnostic::SourceFile;
use failback_lab::scenario::fault::{CallMoment, TaskMoment, When};
use failback_lab::scenario::inventory::{AZURE, CONFIGURATION_SERVER, Inventory};
use failback_lab::scenario::model::{Arm, Crash, Step};
use failback_lab::scenario::text::{Name, Spanned};
use failback_wire::event::What;
use failback_wire::operation;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Calls: (caller, host, operation).
type Calls = BTreeSet<(String, String, String)>;

/// Listens to what the switchboard logs of every call.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "failback_lab::switchboard"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut take = |name| fields.0.remove(name);
        if let (Some(caller), Some(host), Some(operation)) = (take("caller"), take("host"), take("operation"))
        {
            self.0.lock().expect("one thread").insert((caller, host, operation));
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The node behind a host name: agents and services of Azure have names of their own, the configuration server addresses.
fn node(host: &str, inventory: &Inventory) -> String {
    let servers = inventory.process_servers.iter().map(|server| &server.id);
    if servers.chain(inventory.master_targets.iter().map(|server| &server.id)).any(|id| id == host) {
        return host.to_owned();
    }
    match host.rsplit_once('.') {
        Some((machine, site @ ("azure" | "on-premises"))) => format!("{machine}@{site}"),
        Some((_, "net" | "com")) => AZURE.to_owned(),
        Some(_) => CONFIGURATION_SERVER.to_owned(),
        None => host.to_owned(),
    }
}

fn name(text: impl Into<String>) -> Name {
    Spanned::unplaced(text.into())
}

/// Every call and every task of a run, as moments.
fn moments(checked: &CheckedScenario) -> Vec<When> {
    let listener = Listener::default();
    let options = RunOptions { events: true, ..RunOptions::default() };
    let outcome = tracing::subscriber::with_default(listener.clone(), || run(checked, &options));
    let calls = std::mem::take(&mut *listener.0.lock().expect("one thread"));
    assert!(!calls.is_empty(), "the switchboard logs its calls no more: who checks their names?");
    let call = |(from, host, operation): (String, String, String)| {
        let (from, to, nth) = (Some(name(from)), name(node(&host, &checked.inventory)), Spanned::unplaced(1));
        When::BeforeCall(CallMoment { from, to, operation: name(operation), nth })
    };
    // A doubled row of the database leads to a host where nobody is.
    let nobody = |host: &str| host.starts_with("clone-of-");
    let mut out: Vec<When> = calls.into_iter().filter(|(_, host, _)| !nobody(host)).map(call).collect();

    let mut jobs = BTreeMap::new();
    let mut tasks = BTreeSet::new();
    for event in outcome.tail {
        if let What::JobStarted { job, scenario, target } = event.what {
            // The first protection comes before all steps.
            jobs.insert(job, (scenario != "EnableDr").then_some(target));
        } else if let What::TaskStarted { job, task } | What::TaskEnded { job, task, .. } = event.what
            && let Some(Some(target)) = jobs.get(&job)
        {
            tasks.insert((task, target.clone()));
        }
    }
    let task = |(task, target): (String, String)| {
        let (target, nth) = (Some(name(target)), Spanned::unplaced(1));
        When::AfterTask(TaskMoment { task: name(task), target, nth })
    };
    out.extend(tasks.into_iter().map(task));
    out
}

/// The step that lets a crash wait for a moment.
fn arm(when: When) -> Spanned<Step> {
    let crash = Crash { node: name(AZURE), restart_after: None };
    Spanned::unplaced(Step::Arm(Box::new(Arm {
        id: None,
        fault: None,
        crash: Some(crash),
        when: Some(when),
        ends: None,
    })))
}

#[test]
fn whatever_happens_can_be_named_as_a_moment() {
    let mut seen = BTreeSet::new();
    for checked in failback_tests::scenarios() {
        let moments = moments(&checked);
        seen.extend(moments.iter().map(|when| format!("{when:?}")));
        let mut scenario = checked.scenario.clone();
        scenario.steps = moments.into_iter().map(arm).chain(scenario.steps).collect();
        let file = Arc::new(SourceFile { path: checked.path.clone(), text: String::new() });
        let subject = Subject {
            whole: true,
            file: &file,
            scenario: &scenario,
            estate_file: &file,
            estate: &checked.estate,
            inventory: &checked.inventory,
        };
        let problems: Vec<String> = check::scenario(&subject).into_iter().map(|p| p.title).collect();
        assert!(problems.is_empty(), "{}:\n{}", checked.path, problems.join("\n"));
    }
    assert!(seen.len() > 150, "only {} moments", seen.len());
}

fn rust_files(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            rust_files(&entry.expect("an entry").path(), out);
        }
    } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
        out.push(path.to_owned());
    }
}

/// True for what looks like an operation of Azure, a task of vSphere, or a call of our own protocols.
fn looks_like_an_operation(text: &str) -> bool {
    let letters = |t: &str| t.len() > 1 && t.chars().all(|c| c.is_ascii_alphabetic());
    let upper = |t: &str| t.starts_with(|c: char| c.is_ascii_uppercase()) && letters(t);
    let lower = |t: &str| t.len() > 1 && t.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let ours = ["agent", "asr", "cs", "mt", "ps", "server", "service", "session"];
    text.split_once('_').is_some_and(|(noun, verb)| upper(noun) && upper(verb))
        || text.split_once('.').is_some_and(|(who, what)| ours.contains(&who) && lower(what))
}

#[test]
fn the_table_of_operations_holds_what_is_sent_and_no_more() {
    let mut files = Vec::new();
    // Everything that calls; the fake vCenter knows methods that nobody uses.
    let callers = [
        "orchestrator/src/clients",
        "orchestrator/wire/src/arm",
        "fakes/src/guest",
        "fakes/src/process_server",
        "fakes/src/session_api.rs",
        "orchestrator/wire/src/proto",
        "sim/src/driver",
    ];
    callers.iter().for_each(|path| rust_files(&failback_tests::root().join(path), &mut files));
    let mut sent = BTreeSet::new();
    // Nobody but tools and tests reads and writes blobs.
    files.retain(|file| !file.ends_with("wire/src/arm/blob/pages.rs"));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // Between quotes is every second piece; what stands before says whether it is a method of vSphere.
        let pieces: Vec<&str> = text.split('"').collect();
        let methods = pieces.windows(2).filter(|p| p[0].trim_end().ends_with("VimRequest::new("));
        sent.extend(methods.map(|p| p[1].to_owned()));
        sent.extend(pieces.iter().filter(|p| looks_like_an_operation(p)).map(|p| (*p).to_owned()));
    }
    let table: BTreeSet<String> = operation::names().map(str::to_owned).collect();
    assert_eq!(sent.difference(&table).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the table");
    assert_eq!(table.difference(&sent).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody sends these");
}
