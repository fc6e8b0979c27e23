//! Takes every event of a run: numbers it, hashes it, hands it to the oracle, keeps the last ones, and streams
//! it to whoever asked. The whole log is kept only when a report wants it.

mod during;
pub mod timeline;
mod witness;

use during::During;
pub use witness::{Choice, Witness};

use crate::fault::Board;
use crate::scenario::inventory::ORCHESTRATOR;
use failback_oracle::Oracle;
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Event, EventSink, What};
use failback_wire::ids::{Label, NodeName};
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// How many events before a failure are shown.
const TAIL: usize = 24;

#[derive(Default)]
struct State {
    seqs: BTreeMap<NodeName, u64>,
    /// Events of the current millisecond: hashed in the order of (node, sequence), whoever ran first.
    current: Vec<Event>,
    hasher: Xxh3,
    /// Over what the product tells, without its times.
    story: Xxh3,
    events: u64,
    /// The last events of milliseconds that are over.
    tail: VecDeque<Event>,
    log: Option<Vec<Event>>,
    timeline: Option<Vec<String>>,
    oracle: Option<Oracle>,
    witness: Witness,
    /// What goes on, once somebody asks.
    during: Option<During>,
    last: VirtualMs,
}

/// What is kept of a run besides its hash and its last events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing more.
    Nothing,
    /// Its story, one line per event that belongs in it.
    Timeline,
    /// That, and every event.
    All,
}

/// The run's recorder.
#[derive(Default)]
pub struct Recorder {
    state: Mutex<State>,
    board: Arc<Board>,
}

/// What the recorder knows at the end.
pub struct Recording {
    /// Hash over all semantic events.
    pub hash: u128,
    /// Hash over what the product told, whenever that was.
    pub story: u64,
    /// How many there were.
    pub events: u64,
    /// The last ones.
    pub tail: Vec<Event>,
    /// All, when they were kept.
    pub log: Vec<Event>,
    /// The story of the run, one line per event that belongs in it, when it was kept.
    pub timeline: Vec<String>,
}

impl Recorder {
    /// A recorder that keeps so much.
    /// `board` learns of job tasks, at which faults may strike.
    pub fn new(keep: Keep, board: Arc<Board>) -> Arc<Self> {
        let state = State {
            log: (keep == Keep::All).then(Vec::new),
            timeline: (keep != Keep::Nothing).then(Vec::new),
            ..State::default()
        };
        Arc::new(Self { state: Mutex::new(state), board })
    }
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// From now on this oracle sees every event.
    pub fn set_oracle(&self, oracle: Oracle) {
        self.lock().oracle = Some(oracle);
    }
    /// Asks or tells the oracle something.
    pub fn oracle<T>(&self, f: impl FnOnce(&mut Oracle) -> T) -> Option<T> {
        self.lock().oracle.as_mut().map(f)
    }
    /// Asks the witness something.
    pub fn witness<T>(&self, f: impl FnOnce(&Witness) -> T) -> T {
        f(&self.lock().witness)
    }
    /// From now on it is known what goes on.
    pub fn follow(&self) {
        self.lock().during.get_or_insert_default();
    }
    /// The next place in the order of what is noted, and what goes on, in words that are the same for moments of one kind.
    pub fn occasion(&self) -> (u64, Label) {
        self.lock().during.as_mut().map_or_else(|| (0, Label::from("")), During::occasion)
    }
    /// Closes the record.
    pub fn finish(&self) -> Recording {
        let mut state = self.lock();
        state.flush();
        Recording {
            hash: state.hasher.digest128(),
            story: state.story.digest(),
            events: state.events,
            tail: state.tail.iter().cloned().collect(),
            log: state.log.take().unwrap_or_default(),
            timeline: state.timeline.take().unwrap_or_default(),
        }
    }
}

impl State {
    /// Hashes the millisecond that is over.
    fn flush(&mut self) {
        self.current.sort_by(|a, b| (&a.node, a.seq).cmp(&(&b.node, b.seq)));
        for event in self.current.drain(..) {
            (event.at.0, event.node.as_str(), event.seq).hash(&mut self.hasher);
            event.what.hash(&mut self.hasher);
            if event.node.as_str() == ORCHESTRATOR {
                event.what.hash(&mut self.story);
            }
            if let Some(timeline) = &mut self.timeline {
                timeline.extend(timeline::line(&event));
            }
            if let Some(log) = &mut self.log {
                log.push(event.clone());
            }
            if !matches!(event.what, What::GuestWrote { .. }) {
                if self.tail.len() == TAIL {
                    self.tail.pop_front();
                }
                self.tail.push_back(event);
            }
        }
    }
}

impl EventSink for Recorder {
    fn take(&self, at: VirtualMs, node: &NodeName, what: What) {
        self.board.saw(&what);
        let mut state = self.lock();
        if at != state.last {
            state.flush();
            state.last = at;
        }
        let seq = match state.seqs.get_mut(node) {
            Some(seq) => {
                *seq += 1;
                *seq
            }
            None => {
                state.seqs.insert(node.clone(), 0);
                0
            }
        };
        let event = Event { at, node: node.clone(), seq, what };
        state.events += 1;
        state.witness.take(&event.what);
        if let Some(during) = &mut state.during {
            during.take(&event.what);
        }
        if let Some(oracle) = &mut state.oracle {
            oracle.take(&event);
        }
        state.current.push(event);
    }
}
