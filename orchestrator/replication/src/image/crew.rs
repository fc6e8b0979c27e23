//! A few threads that share a list of work.

use super::CHUNK;
use super::error::Error;
use super::plan::Work;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Bytes of a cache line. The system copies up to 7 % faster to and from memory that starts with one.
const LINE: usize = 64;

/// One piece of an image in memory, starting with a cache line.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn new() -> Self {
        let bytes = vec![0; CHUNK as usize + LINE];
        let start = bytes.as_ptr().align_offset(LINE).min(LINE);
        Self { bytes, start }
    }
    /// The first bytes, at most [`CHUNK`] of them.
    pub(super) fn first(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + len]
    }
}

/// What one thread reads into.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) source: Buffer,
    pub(super) destination: Buffer,
}

impl Buffers {
    fn new() -> Self {
        Self { source: Buffer::new(), destination: Buffer::new() }
    }
}

/// How many threads work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew {
    threads: usize,
}

type Act<'a, R> = &'a (dyn Fn(&Work, &mut Buffers) -> Result<R, Error> + Sync);

struct Shared<'a, R> {
    works: &'a [Work],
    act: Act<'a, R>,
    next: AtomicUsize,
    /// Bytes of work behind us.
    done: AtomicU64,
    halt: AtomicBool,
}

impl Crew {
    /// At least one thread, the caller's own.
    pub(super) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1) }
    }
    /// Does all of the work, whoever comes first; answers the results in the order of the work. `tick` is told
    /// on the caller's thread how many bytes are done, and may end it.
    ///
    /// # Errors
    /// The first one ends the work; [`Error::Stopped`] when `tick` did.
    pub(super) fn each<R: Send>(
        self,
        works: &[Work],
        act: Act<'_, R>,
        tick: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<R>, Error> {
        let (next, done, halt) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let shared = Shared { works, act, next, done, halt };
        let helpers = self.threads.min(works.len()).saturating_sub(1);
        let mut results = match helpers {
            0 => shared.work(tick)?,
            _ => {
                let results = shared.together(helpers, tick)?;
                // The last piece may have been a helper's.
                if tick(shared.done.into_inner()).is_break() {
                    return Err(Error::Stopped);
                }
                results
            }
        };
        results.sort_unstable_by_key(|(at, _)| *at);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

impl<R: Send> Shared<'_, R> {
    #[expect(
        clippy::disallowed_methods,
        reason = "real files, and each range is one thread's; nothing is simulated"
    )]
    fn together(
        &self,
        helpers: usize,
        tick: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<(usize, R)>, Error> {
        std::thread::scope(|scope| {
            let helpers: Vec<_> =
                (0..helpers).map(|_| scope.spawn(|| self.work(&mut |_| ControlFlow::Continue(())))).collect();
            let mut outcome = self.work(tick);
            for helper in helpers {
                let theirs = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                outcome = match (outcome, theirs) {
                    (Ok(mut results), Ok(more)) => {
                        results.extend(more);
                        Ok(results)
                    }
                    (Err(error), Ok(_) | Err(_)) | (Ok(_), Err(error)) => Err(error),
                };
            }
            outcome
        })
    }
    fn work(&self, tick: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Vec<(usize, R)>, Error> {
        let (mut buffers, mut results) = (Buffers::new(), Vec::new());
        while !self.halt.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(work) = self.works.get(at) else { break };
            let result =
                (self.act)(work, &mut buffers).inspect_err(|_| self.halt.store(true, Ordering::Relaxed));
            results.push((at, result?));
            let range = work.range();
            let bytes = range.end - range.start;
            let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            if tick(done).is_break() {
                self.halt.store(true, Ordering::Relaxed);
                return Err(Error::Stopped);
            }
        }
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_is_done_once_in_order_and_told(lens in prop::collection::vec(1u64..100, 1..50), threads in 1usize..5) {
            let mut at = 0;
            let works: Vec<Work> = lens.iter().map(|len| {
                at += len;
                Work::Data(at - len..at)
            }).collect();
            let mut told = Vec::new();
            let results = Crew::new(threads).each(&works, &|work, _| Ok(work.clone()), &mut |done| {
                told.push(done);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(results.unwrap(), works);
            prop_assert!(told.is_sorted());
            prop_assert_eq!(told.last(), Some(&at));
        }

        #[test]
        fn an_error_ends_it(count in 1usize..50, bad: prop::sample::Index, threads in 1usize..5) {
            let works: Vec<Work> = (0..count as u64).map(|at| Work::Hole(at..at + 1)).collect();
            let bad = bad.index(count) as u64;
            let act = |work: &Work, _: &mut Buffers| match work.range().start == bad {
                true => Err(Error::Differs("bad".into())),
                false => Ok(()),
            };
            let ended = Crew::new(threads).each(&works, &act, &mut |_| ControlFlow::Continue(()));
            prop_assert!(matches!(ended, Err(Error::Differs(_))));
            let ended = Crew::new(threads).each(&works, &|_, _| Ok(()), &mut |_| ControlFlow::Break(()));
            prop_assert!(matches!(ended, Err(Error::Stopped)));
        }
    }
}
