//! The board: faults that wait for their moment, and the ledger. A fault that never fired turns a run red.

use super::Moments;
use crate::scenario::fault::Change;
use failback_wire::event::What;
use failback_wire::ids::{JobId, NodeName};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// When an armed fault strikes.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// Around the `nth` matching call since it was armed.
    Call {
        /// Right before it takes effect, or right after.
        before: bool,
        /// The caller; anyone when `None`.
        from: Option<NodeName>,
        /// The callee's node.
        to: NodeName,
        /// The operation, in the words of its protocol.
        operation: String,
        /// Counted from 1.
        nth: u64,
    },
    /// When the `nth` matching task since it was armed starts, or has ended.
    Task {
        /// Start or end.
        start: bool,
        /// The task's id.
        task: String,
        /// Only in jobs about this item or plan.
        target: Option<String>,
        /// Counted from 1.
        nth: u64,
    },
    /// Around the `nth` write of this kind to the product's journal since it was armed.
    Write {
        /// Right before it is committed, or right after.
        before: bool,
        /// The kind of record: `step-done`.
        kind: String,
        /// Counted from 1.
        nth: u64,
    },
    /// So long after another fault struck.
    Fault {
        /// The other fault.
        id: String,
        /// How long after it.
        by: Duration,
    },
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Changes the world.
    Change(Box<Change>),
    /// Ends a node's epoch; it starts again by itself after this time, if any.
    Crash(NodeName, Option<Duration>),
}

/// Carries out faults: the world.
pub trait Strike: Send + Sync {
    /// The fault `id` strikes now. The error says what does not exist.
    ///
    /// # Errors
    /// When the change names something the world does not have.
    fn strike(&self, id: &str, action: &Action) -> Result<(), String>;
    /// The fault `id` is to strike after a while.
    fn strike_after(&self, id: &str, after: Duration, action: Action);
    /// This change is to end the fault `id` after a while, if there is anything left to end.
    fn end_after(&self, id: &str, after: Duration, by: Change);
}

/// What became of one fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The fault's name in its scenario.
    pub id: String,
    /// Number and line of its step.
    pub step: (u32, u32),
    /// Whether its moment came.
    pub reached: bool,
    /// Whether it changed the world.
    pub fired: bool,
    /// Why it could not.
    pub error: Option<String>,
}

struct Armed {
    id: String,
    moment: Moment,
    action: Action,
    seen: u64,
}

#[derive(Default)]
struct State {
    armed: Vec<Armed>,
    /// What ends faults, and how long after they struck.
    ends: BTreeMap<String, (Duration, Change)>,
    ledger: Vec<Entry>,
    targets: BTreeMap<JobId, String>,
    /// Struck by an event; carried out at the next call, when nobody holds a lock.
    due: Vec<(String, Action)>,
}

/// All faults of a run.
#[derive(Default)]
pub struct Board {
    state: Mutex<State>,
    world: OnceLock<Weak<dyn Strike>>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Faults are carried out by `world` from now on.
    pub fn connect(&self, world: &Arc<dyn Strike>) {
        let _ = self.world.set(Arc::downgrade(world));
    }
    /// Writes a fault into the ledger, not fired yet.
    pub fn enter(&self, id: &str, step: (u32, u32)) {
        self.lock().ledger.push(Entry { id: id.to_owned(), step, reached: false, fired: false, error: None });
    }
    /// Lets a fault wait for its moment.
    pub fn arm(&self, id: &str, moment: Moment, action: Action) {
        self.lock().armed.push(Armed { id: id.to_owned(), moment, action, seen: 0 });
    }
    /// This ends a fault, so long after it struck.
    pub fn ends(&self, id: &str, after: Duration, by: Change) {
        self.lock().ends.insert(id.to_owned(), (after, by));
    }
    /// A fault strikes at once.
    pub fn strike_now(&self, id: &str, action: Action) {
        self.lock().due.push((id.to_owned(), action));
        self.strike_due();
    }
    /// A fault no longer waits.
    pub fn disarm(&self, id: &str) {
        let mut state = self.lock();
        state.armed.retain(|a| a.id != id);
        state.due.retain(|(due, _)| due != id);
    }
    /// Writes something about a fault into the ledger.
    fn of(&self, id: &str, note: impl Fn(&mut Entry)) {
        self.lock().ledger.iter_mut().filter(|entry| entry.id == id).for_each(note);
    }
    /// Notes that a fault changed the world; those that follow on it get their time.
    fn fired(&self, world: &dyn Strike, id: &str) {
        let mut state = self.lock();
        for entry in state.ledger.iter_mut().filter(|e| e.id == id) {
            entry.fired = true;
        }
        let follows = |a: &Armed| matches!(&a.moment, Moment::Fault { id: first, .. } if first == id);
        let (due, waiting): (Vec<_>, Vec<_>) = state.armed.drain(..).partition(follows);
        state.armed = waiting;
        let ends = state.ends.remove(id);
        drop(state);
        if let Some((after, by)) = ends {
            world.end_after(id, after, by);
        }
        for armed in due {
            if let Moment::Fault { by, .. } = armed.moment {
                world.strike_after(&armed.id, by, armed.action);
            }
        }
    }
    /// Takes a fault out of the ledger.
    pub fn strike_out(&self, id: &str) {
        self.lock().ledger.retain(|entry| entry.id != id);
    }
    /// What became of all faults so far.
    pub fn ledger(&self) -> Vec<Entry> {
        self.lock().ledger.clone()
    }
    /// Told of every event: job tasks are moments.
    #[expect(clippy::wildcard_enum_match_arm, reason = "of all events only these few matter here")]
    pub fn saw(&self, what: &What) {
        let (job, task, start) = match what {
            What::TaskStarted { job, task } => (job, task, true),
            What::TaskEnded { job, task, .. } => (job, task, false),
            What::JobStarted { job, target, .. } => {
                self.lock().targets.insert(job.clone(), target.clone());
                return;
            }
            _ => return,
        };
        let mut state = self.lock();
        let of = state.targets.get(job).cloned().unwrap_or_default();
        state.strike_matching(|m| {
            matches!(m, Moment::Task { start: s, task: t, target, .. }
                if *s == start && t == task && target.as_ref().is_none_or(|t| *t == of))
        });
    }
    /// Carries out what is due. Called where no lock is held.
    pub fn strike_due(&self) {
        let due = std::mem::take(&mut self.lock().due);
        for (id, action) in due {
            let Some(world) = self.world.get().and_then(Weak::upgrade) else { continue };
            self.of(&id, |entry| entry.reached = true);
            match world.strike(&id, &action) {
                Ok(()) => self.fired(world.as_ref(), &id),
                Err(error) => self.of(&id, |entry| entry.error = Some(error.clone())),
            }
        }
    }

    /// Told of every write to the product's journal.
    pub fn write(&self, before: bool, kind: &str) {
        if self.lock().armed.is_empty() {
            return;
        }
        let matches =
            |m: &Moment| matches!(m, Moment::Write { before: b, kind: k, .. } if *b == before && k == kind);
        self.lock().strike_matching(matches);
        self.strike_due();
    }

    fn call(&self, before: bool, from: &NodeName, to: &NodeName, operation: &str) {
        if self.lock().armed.is_empty() && self.lock().due.is_empty() {
            return;
        }
        self.lock().strike_matching(|m| {
            matches!(m, Moment::Call { before: b, from: f, to: t, operation: o, .. }
                if *b == before && o == operation && t == to && f.as_ref().is_none_or(|f| f == from))
        });
        self.strike_due();
    }
}

impl State {
    fn strike_matching(&mut self, matches: impl Fn(&Moment) -> bool) {
        let mut waiting = Vec::new();
        for mut armed in self.armed.drain(..) {
            let nth = match &armed.moment {
                Moment::Call { nth, .. } | Moment::Task { nth, .. } | Moment::Write { nth, .. } => *nth,
                Moment::Fault { .. } => u64::MAX,
            };
            armed.seen += u64::from(matches(&armed.moment));
            if armed.seen >= nth {
                self.due.push((armed.id, armed.action));
            } else {
                waiting.push(armed);
            }
        }
        self.armed = waiting;
    }
}

impl Moments for Board {
    fn before_call(&self, from: &NodeName, to: &NodeName, operation: &'static str) {
        self.call(true, from, to, operation);
    }
    fn after_call(&self, from: &NodeName, to: &NodeName, operation: &'static str) {
        self.call(false, from, to, operation);
    }
}
