//! Tests of the oracle: every invariant on a stream that holds it and on streams that break it.

mod always;
mod common;
mod left_out;
mod model;
mod moments;
mod newest;
mod twin;
