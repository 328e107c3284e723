//! What every property of a decoder is held to beside what it says itself: memory in proportion to the input.
//!
//! Time is bounded by libFuzzer, five seconds an input, and for documents by a test of `format` that counts it.

/// Panics where a decoder does with an input what it must not.
pub(crate) type Property = fn(&[u8]);

/// What an input of a few bytes may take: the buffers of readers, a chunk of a snapshot to be written again.
const BYTES_FREE: u64 = 8 << 20;

/// What a byte of input may take at once, in all that a property reads, writes and reads again. The densest thing there
/// is, a command of one byte in a list, becomes a few hundred bytes of memory; a length that is believed without a look
/// at how much there is becomes gigabytes.
const BYTES_A_BYTE: u64 = 2_048;

/// Runs a property on one input.
pub(crate) fn hold(name: &str, property: Property, input: &[u8]) {
    let taken = allocation_counter::measure(|| property(input)).bytes_max;
    let most = BYTES_FREE + BYTES_A_BYTE * input.len() as u64;
    assert!(taken <= most, "{name} took {taken} bytes of memory for an input of {}", input.len());
}
