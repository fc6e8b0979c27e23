//! A bandwidth limit: what one process server passes on, whatever the sessions (E15).
//!
//! A token bucket without a ticker: it knows when all that was let go so far has been paid for. Only data is
//! charged; marks that follow it and calls about sessions go free, so that they wait for nobody's backlog but
//! that of their own session.

use failback_wire::clock::VirtualMs;

/// How much may leave at once although time has not paid for it yet, in milliseconds of the rate.
const BURST_MS: u64 = 1000;

/// A limit shared by all who ask it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle {
    /// Bytes a second; `None`: no limit.
    rate: Option<u64>,
    /// When everything let go so far is paid for, in microseconds since the run began.
    paid_us: u128,
}

impl Throttle {
    /// Sets the limit in bytes a second, from now on; 0 counts as 1.
    pub fn limit(&mut self, rate: Option<u64>) {
        *self = Self { rate: rate.map(|rate| rate.max(1)), paid_us: 0 };
    }
    /// The limit in bytes a second.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }
    /// Lets `bytes` go, and says when: in any span of time at most rate times span, and one second's worth more,
    /// and the last ones let go.
    pub fn reserve(&mut self, now: VirtualMs, bytes: u64) -> VirtualMs {
        let Some(rate) = self.rate else { return now };
        let now_us = u128::from(now.0) * 1000;
        let start = self.paid_us.max(now_us);
        self.paid_us = start + u128::from(bytes) * 1_000_000 / u128::from(rate);
        let leaves = start.saturating_sub(u128::from(BURST_MS) * 1000).max(now_us);
        VirtualMs(u64::try_from(leaves.div_ceil(1000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_limit_nobody_waits() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.reserve(VirtualMs(5), u64::MAX), VirtualMs(5));
    }

    proptest! {
        /// E15, by adding up what left in every span.
        #[test]
        fn in_no_span_leaves_more_than_rate_and_burst(
            rate in 1u64..1_000_000,
            asks in prop::collection::vec((0u64..5_000, 0u64..400_000), 1..60),
        ) {
            let mut throttle = Throttle::default();
            throttle.limit(Some(rate));
            let mut now = VirtualMs(0);
            let mut left: Vec<(u64, u64)> = Vec::new();
            for (pause, bytes) in asks {
                now.0 += pause;
                let at = throttle.reserve(now, bytes);
                prop_assert!(at >= now);
                prop_assert!(left.last().is_none_or(|(last, _)| *last <= at.0), "first come, first served");
                left.push((at.0, bytes));
            }
            for (i, (from, _)) in left.iter().enumerate() {
                for (j, (to, last)) in left.iter().enumerate().skip(i) {
                    let sum: u64 = left[i..=j].iter().map(|(_, bytes)| bytes).sum();
                    // Milliseconds are rounded up, so one more is allowed for.
                    let paid = u128::from(rate) * u128::from(to - from + BURST_MS + 1) / 1000;
                    prop_assert!(u128::from(sum - last) <= paid, "{sum} bytes from {from} to {to}");
                }
            }
        }
    }
}
