//! The table of what is decided, and a world of copies that fork and are written to, judged by walking its tree.

use super::*;
use proptest::prelude::*;

const SIZE: u64 = 1 << 20;

/// A lineage from its generations, newest first; none for a blank copy.
fn lineage(newest_first: &[u64]) -> Lineage {
    let mut lineage = Lineage::default();
    newest_first.iter().rev().for_each(|generation| lineage.begin(Generation(*generation)));
    lineage
}

fn copy(unique: &str, newest_first: &[u64]) -> Identity {
    Identity { disk: "web01-disk0".into(), unique: unique.into(), size: SIZE, lineage: lineage(newest_first) }
}

fn map(on: &str, from: u64, to: u64) -> Tracked {
    Tracked { on: on.into(), from: Generation(from), to: Generation(to) }
}

/// The outcome in short: how and why, or which refusal.
fn outcome(source: &Identity, target: Option<&Identity>, map: Option<&Tracked>, discard: bool) -> String {
    match decide(source, target, map, discard) {
        Ok(Decision { mode, why }) => format!("{mode:?} {why:?}"),
        Err(Refusal::SplitBrain { ancestor, .. }) => format!("SplitBrain {}", ancestor.0),
        Err(Refusal::TargetNewer(_)) => "TargetNewer".into(),
        Err(Refusal::Unrelated { .. }) => "Unrelated".into(),
        Err(Refusal::Resized { .. }) => "Resized".into(),
        Err(Refusal::Itself(_)) => "Itself".into(),
    }
}

#[test]
fn generations_decide() {
    let same = "Checksum NoMap";
    #[rustfmt::skip]
    let cases: &[(&[u64], &[u64], &str, &str)] = &[
        // source, target, without and with giving up what the target holds
        (&[1],       &[],        "Full Blank",    "Full Blank"),
        (&[],        &[],        "Full Blank",    "Full Blank"),
        (&[1],       &[1],       same,            same),
        (&[2, 1],    &[1],       same,            same),
        (&[3, 2, 1], &[1],       same,            same),
        (&[1],       &[2, 1],    "TargetNewer",   "Checksum NewerGivenUp"),
        (&[1],       &[3, 2, 1], "TargetNewer",   "Checksum NewerGivenUp"),
        (&[2, 1],    &[3, 1],    "SplitBrain 1",  "Checksum SplitBrainGivenUp(Generation(1))"),
        (&[5, 2, 1], &[4, 3, 2, 1], "SplitBrain 2", "Checksum SplitBrainGivenUp(Generation(2))"),
        (&[2, 1],    &[1, 2],    "SplitBrain 2",  "Checksum SplitBrainGivenUp(Generation(2))"),
        (&[2, 1],    &[9, 8],    "Unrelated",     "Checksum UnrelatedGivenUp"),
        (&[],        &[1],       "Unrelated",     "Checksum UnrelatedGivenUp"),
    ];
    for (source, target, kept, given_up) in cases {
        let (from, to) = (copy("s", source), copy("t", target));
        assert_eq!(outcome(&from, Some(&to), None, false), *kept, "{source:?} onto {target:?}");
        assert_eq!(outcome(&from, Some(&to), None, true), *given_up, "{source:?} onto {target:?}, given up");
    }
    assert_eq!(outcome(&copy("s", &[1]), None, None, false), "Full NoTarget");
}

#[test]
fn a_map_counts_when_it_is_of_this_source_from_what_the_target_holds() {
    let (source, target) = (copy("s", &[3, 2, 1]), copy("t", &[2, 1]));
    let cases = [
        (map("s", 2, 3), "Map Tracked"),
        (map("s", 1, 3), "Checksum ForeignMap"),
        (map("s", 2, 2), "Checksum ForeignMap"),
        (map("s", 3, 2), "Checksum ForeignMap"),
        (map("t", 2, 3), "Checksum ForeignMap"),
        (map("", 2, 3), "Checksum ForeignMap"),
    ];
    for (map, expected) in cases {
        assert_eq!(outcome(&source, Some(&target), Some(&map), false), expected, "{map:?}");
    }
    let unknown = Identity { unique: String::new(), ..source.clone() };
    assert_eq!(outcome(&unknown, Some(&target), Some(&map("", 2, 3)), false), "Checksum ForeignMap");
    let (fits, same) = (map("s", 3, 3), copy("t", &[3, 2, 1]));
    assert_eq!(outcome(&source, Some(&same), Some(&fits), false), "Map Tracked");
    assert_eq!(
        outcome(&source, Some(&copy("t", &[])), Some(&map("s", 2, 3)), false),
        "Full Blank",
        "a map says nothing to a blank target"
    );
}

#[test]
fn another_disk_another_size_and_the_source_itself_are_refused_whatever_is_given_up() {
    let source = copy("s", &[2, 1]);
    for held in [&[][..], &[1], &[2, 1], &[3, 1], &[9]] {
        let target = copy("t", held);
        for discard in [false, true] {
            let other = Identity { disk: "web01-disk1".into(), ..target.clone() };
            assert_eq!(outcome(&source, Some(&other), None, discard), "Unrelated");
            for size in [SIZE - 4096, SIZE + 4096] {
                let resized = Identity { size, ..target.clone() };
                assert_eq!(outcome(&source, Some(&resized), None, discard), "Resized");
            }
            let itself = Identity { unique: source.unique.clone(), ..target.clone() };
            assert_eq!(outcome(&source, Some(&itself), None, discard), "Itself");
        }
    }
}

#[test]
fn it_says_so_in_words() {
    let (source, target) = (copy("s", &[2, 1]), copy("t", &[3, 1]));
    let refused = decide(&source, Some(&target), None, false).expect_err("a split brain");
    assert_eq!(
        refused.to_string(),
        "split brain: both copies of web01-disk0 went on from generation 0000000000000001"
    );
    let decision = decide(&source, Some(&target), None, true).expect("given up");
    assert!(decision.why.gives_up());
    assert_eq!(
        decision.to_string(),
        "all blocks are compared, those that differ are copied: split brain: both copies went on from \
         generation 0000000000000001; what the target wrote since is given up"
    );
    let small = Identity { size: SIZE / 2, ..target };
    let refused = decide(&source, Some(&small), None, true).expect_err("another size");
    assert_eq!(refused.to_string(), "web01-disk0 has 1048576 bytes at the source and 524288 at the target");
}

#[test]
fn what_is_forgotten_counts_as_unrelated_and_beginning_converges() {
    let mut old = lineage(&[1]);
    for next in 2..=KEPT as u64 + 1 {
        old.begin(Generation(next));
        old.begin(Generation(next));
    }
    assert_eq!(old.history().len(), KEPT);
    let mut source = Identity { lineage: old, ..copy("s", &[]) };
    assert_eq!(outcome(&source, Some(&copy("t", &[1])), None, false), "Checksum NoMap");
    source.lineage.begin(Generation(99));
    assert_eq!(outcome(&source, Some(&copy("t", &[1])), None, false), "Unrelated");
}

/// What happens to a copy in the world.
#[derive(Clone, Debug)]
enum Turn {
    /// It is written to in a new generation.
    Begin(usize),
    /// It becomes what another one is.
    Follow(usize, usize),
}

const COPIES: usize = 4;

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        (0..COPIES).prop_map(Turn::Begin),
        (0..COPIES, 0..COPIES).prop_map(|(copy, of)| Turn::Follow(copy, of)),
    ]
}

/// Copies, and the tree of all generations: `parent[n]` led to generation `n + 1`.
#[derive(Default)]
struct World {
    lineages: Vec<Lineage>,
    held: Vec<Option<u64>>,
    parent: Vec<Option<u64>>,
}

impl World {
    fn after(turns: &[Turn]) -> Self {
        let mut world =
            Self { lineages: vec![Lineage::default(); COPIES], held: vec![None; COPIES], parent: Vec::new() };
        for turn in turns {
            match *turn {
                Turn::Begin(copy) => {
                    world.parent.push(world.held[copy]);
                    let new = world.parent.len() as u64;
                    world.held[copy] = Some(new);
                    world.lineages[copy].begin(Generation(new));
                }
                Turn::Follow(copy, of) => {
                    world.held[copy] = world.held[of];
                    world.lineages[copy] = world.lineages[of].clone();
                }
            }
        }
        world
    }
    /// What the copy holds and all that led to it, newest first; nothing is forgotten.
    fn ancestry(&self, copy: usize) -> Vec<u64> {
        let step = |generation: &u64| self.parent[*generation as usize - 1];
        std::iter::successors(self.held[copy], step).collect()
    }
    fn copy(&self, at: usize) -> Identity {
        Identity { lineage: self.lineages[at].clone(), ..copy(&format!("copy{at}"), &[]) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Few enough turns that nothing is forgotten: the decision is what the tree says, and its mirror image fits.
    #[test]
    fn the_tree_of_generations_agrees(turns in prop::collection::vec(turn(), 0..=KEPT)) {
        let world = World::after(&turns);
        for (s, t) in (0..COPIES).flat_map(|s| (0..COPIES).map(move |t| (s, t))).filter(|(s, t)| s != t) {
            let (ours, theirs) = (world.ancestry(s), world.ancestry(t));
            let common = ours.iter().find(|generation| theirs.contains(generation));
            let expected = match (ours.first(), theirs.first(), common) {
                (_, None, _) => "Full Blank".to_owned(),
                (Some(_), Some(held), Some(common)) if held == common => "Checksum NoMap".to_owned(),
                (Some(held), Some(_), Some(common)) if held == common => "TargetNewer".to_owned(),
                (_, Some(_), Some(common)) => format!("SplitBrain {common}"),
                (_, Some(_), None) => "Unrelated".to_owned(),
            };
            let (source, target) = (world.copy(s), world.copy(t));
            prop_assert_eq!(outcome(&source, Some(&target), None, false), expected.as_str());
            let back = outcome(&target, Some(&source), None, false);
            let mirrored = match expected.as_str() {
                "TargetNewer" => back == "Checksum NoMap",
                "Checksum NoMap" => back == "TargetNewer" || ours.first() == theirs.first() && back == expected,
                "Full Blank" => back == "Unrelated" || back == "Full Blank",
                "Unrelated" => back == expected || ours.is_empty() && back == "Full Blank",
                _ => back == expected,
            };
            prop_assert!(mirrored, "{expected} one way, {back} the other");
        }
    }

    /// However much is forgotten and whatever map is held out: a map is used only when it is exactly right, a full
    /// copy is made only onto nothing, and nothing that only the target holds is lost unasked.
    #[test]
    fn nothing_is_guessed(
        turns in prop::collection::vec(turn(), 0..80),
        (s, t) in (0..COPIES, 0..COPIES),
        (on, from, to) in (0..COPIES, 1..20_u64, 1..20_u64),
        right_map in any::<bool>(),
        discard in any::<bool>(),
        size in prop_oneof![4 => Just(SIZE), 1 => Just(SIZE + 4096)],
    ) {
        let world = World::after(&turns);
        let source = world.copy(s);
        let target = Identity { size, ..world.copy(t) };
        let map = match (right_map, world.held[t], world.held[s]) {
            (true, Some(from), Some(to)) => map(&source.unique, from, to),
            (true | false, _, _) => map(&format!("copy{on}"), from, to),
        };
        let Ok(decision) = decide(&source, Some(&target), Some(&map), discard) else { return Ok(()) };
        prop_assert_eq!(size, SIZE);
        prop_assert_ne!(s, t);
        let (ours, theirs) = (world.ancestry(s), world.ancestry(t));
        let follows = theirs.first().is_some_and(|held| ours.contains(held));
        if decision.mode == Mode::Map {
            prop_assert!(follows);
            prop_assert_eq!(Some(map.from.0), world.held[t]);
            prop_assert_eq!(Some(map.to.0), world.held[s]);
            prop_assert_eq!(&map.on, &source.unique);
        }
        prop_assert_eq!(decision.mode == Mode::Full, theirs.is_empty());
        prop_assert!(discard || theirs.is_empty() || follows);
        prop_assert_eq!(decision.why.gives_up() && !discard, false);
    }
}
