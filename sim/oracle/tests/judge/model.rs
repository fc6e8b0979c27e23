//! The model of writes against a naive one that copies whole disks at every mark.

use crate::common::*;
use failback_oracle::{Content, Oracle};
use failback_wire::event::{Mark, PointKind, What};
use failback_wire::ids::Site;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Write {
        disk: usize,
        block: u64,
        v: u8,
    },
    Cut,
    /// Moves production to the other side, on the nth newest mark of this one.
    Move {
        back: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2usize, 0..12u64, 0..6u8).prop_map(|(disk, block, v)| Step::Write { disk, block, v }),
        3 => Just(Step::Cut),
        1 => (0..4usize).prop_map(|back| Step::Move { back }),
    ]
}

type Disks = [Content; 2];

/// Whole copies of the disks, nothing shared.
struct Naive {
    site: Site,
    session: u64,
    disks: Disks,
    marks: BTreeMap<(u64, u64), Disks>,
}

impl Naive {
    fn new() -> Self {
        let disks = [BTreeMap::from([(0, hash(1))]), BTreeMap::from([(0, hash(2))])];
        Self { site: OnPremises, session: 0, disks, marks: BTreeMap::new() }
    }
    fn session(&self) -> String {
        format!("s{}", self.session)
    }
    fn marks_here(&self) -> Vec<u64> {
        self.marks.keys().filter(|(s, _)| *s == self.session).map(|(_, m)| *m).collect()
    }
    /// Events of one step; the naive disks change with them.
    fn play(&mut self, step: &Step) -> Vec<What> {
        match step {
            Step::Write { disk, block, v } => {
                if *v == 0 {
                    self.disks[*disk].remove(block);
                } else {
                    self.disks[*disk].insert(*block, hash(*v));
                }
                vec![wrote(self.site, *disk, *block, *v)]
            }
            Step::Cut => {
                let mark = self.marks_here().len() as u64 + 1;
                self.marks.insert((self.session, mark), self.disks.clone());
                vec![cut(self.site, &self.session(), mark, PointKind::Crash)]
            }
            Step::Move { back } => {
                let Some(mark) = self.marks_here().iter().rev().nth(*back).copied() else {
                    return Vec::new();
                };
                self.disks = self.marks[&(self.session, mark)].clone();
                let to = if self.site == OnPremises { Azure } else { OnPremises };
                let point = format!("p{mark}");
                let events = vec![chosen(&self.session(), &point, mark, to), booted(to)];
                (self.site, self.session) = (to, self.session + 1);
                events
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prefixes_equal_whole_copies(steps in prop::collection::vec(step(), 0..80)) {
        let mut naive = Naive::new();
        let mut oracle = Oracle::new(&setup());
        for (n, step) in steps.iter().enumerate() {
            for what in naive.play(step) {
                oracle.take(&event(n as u64, 0, what));
            }
        }
        for ((session, mark), disks) in &naive.marks {
            let content = oracle.content_at(&web01(), &format!("s{session}").into(), Mark(*mark));
            let content = content.expect("the mark was cut");
            prop_assert_eq!(&content[&disk(0)], &disks[0]);
            prop_assert_eq!(&content[&disk(1)], &disks[1]);
        }
        let now = oracle.production_content(&web01()).expect("production is known");
        prop_assert_eq!(&now[&disk(0)], &naive.disks[0]);
        prop_assert_eq!(&now[&disk(1)], &naive.disks[1]);
        prop_assert_eq!(oracle.production(&web01()), Some(naive.site));
        prop_assert_eq!(oracle.tally().unplaced_writes, 0);
    }
}
