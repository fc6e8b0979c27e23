//! The log in memory against one long string of bytes.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<Vec<u8>>),
    Cut,
    DropFront(prop::sample::Index),
    Truncate(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let part = prop::collection::vec(any::<u8>(), 0..9);
    prop_oneof![
        6 => prop::collection::vec(part, 0..4).prop_map(Op::Append),
        3 => Just(Op::Cut),
        1 => any::<prop::sample::Index>().prop_map(Op::DropFront),
        1 => any::<prop::sample::Index>().prop_map(Op::Truncate),
    ]
}

/// The model: all bytes since the beginning, and where segments begin.
#[derive(Default)]
struct Model {
    bytes: Vec<u8>,
    starts: Vec<u64>,
    cut: bool,
}

impl Model {
    fn segments(&self) -> Vec<Range<u64>> {
        let ends = self.starts.iter().skip(1).copied().chain([self.bytes.len() as u64]);
        self.starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
    }
    fn append(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && (std::mem::take(&mut self.cut) || self.starts.is_empty()) {
            self.starts.push(self.bytes.len() as u64);
        }
        self.bytes.extend(bytes);
    }
}

proptest! {
    #[test]
    fn a_log_holds_what_was_appended(ops in prop::collection::vec(op(), 0..40), fuel in 0usize..400) {
        let (mut log, mut model) = (Memory::default().with_fuel(fuel as u64), Model::default());
        for op in ops {
            let segments = model.segments();
            let done = match &op {
                Op::Append(parts) => {
                    let left = fuel as u64 - log.spent();
                    let parts: Vec<Bytes> = parts.iter().map(|p| Bytes::copy_from_slice(p)).collect();
                    let whole = parts.concat();
                    let done = log.append(&parts).map(drop);
                    model.append(&whole[..whole.len().min(left as usize)]);
                    done
                }
                Op::Cut => {
                    let done = log.cut();
                    model.cut = done.is_ok() && !segments.is_empty();
                    done
                }
                Op::DropFront(which) if !segments.is_empty() => {
                    let before = which.get(&segments).start;
                    let done = log.drop_front(before);
                    if done.is_ok() {
                        model.starts.retain(|start| *start >= before);
                    }
                    done
                }
                Op::Truncate(at) if !segments.is_empty() => {
                    let last = segments[segments.len() - 1].clone();
                    let at = last.start + at.index((last.end - last.start) as usize) as u64;
                    let done = log.truncate(at);
                    if done.is_ok() {
                        model.bytes.truncate(at as usize);
                        if at == last.start {
                            model.starts.pop();
                        }
                    }
                    done
                }
                Op::DropFront(_) | Op::Truncate(_) => Ok(()),
            };
            prop_assert!(done.is_ok() || log.spent() == fuel as u64);
            if done.is_err() {
                break;
            }
        }
        for segment in log.segments() {
            let len = (segment.end - segment.start) as usize;
            let want = &model.bytes[segment.start as usize..segment.end as usize];
            prop_assert_eq!(&log.read(segment.start, len).unwrap()[..], want);
            for at in 0..len {
                let one = log.read(segment.start + at as u64, (len - at).min(5)).unwrap();
                prop_assert_eq!(&one[..], &want[at..(at + 5).min(len)]);
            }
            let beyond = log.read(segment.start, len + 1);
            prop_assert_eq!(beyond, Err(VolumeError::Missing(segment.start, len + 1)));
        }
        prop_assert_eq!(log.end(), model.bytes.len() as u64);
        if log.spent() < fuel as u64 {
            prop_assert_eq!(log.segments(), model.segments());
        }
        prop_assert_eq!(log.used(), log.segments().iter().map(|s| s.end - s.start).sum::<u64>());
    }
}
