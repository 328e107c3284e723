//! The clock of the system, for libraries that read it behind everybody's back.
//!
//! h2 forgets a stream that was reset a second ago, and hyper dates its answers; neither can be given a clock. While a
//! world lives in this process its time is the time of the system, so that what they do depends on the seed alone.

use std::sync::atomic::{AtomicU64, Ordering};

/// The world's time in Unix nanoseconds; 0 while there is no world.
static NOW_NS: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// From now on it is this late, in Unix milliseconds.
pub(super) fn set(now_ms: u64) {
    NOW_NS.store(now_ms * 1_000_000, Ordering::Relaxed);
}

/// Takes the place of the C library's function of this name, in this program.
///
/// # Safety
/// As there: `into` must be valid for a write.
#[expect(unsafe_code, reason = "there is no other way to give the time to libraries that ask the system for it")]
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, into: *mut libc::timespec) -> libc::c_int {
    let now_ns = NOW_NS.load(Ordering::Relaxed);
    if now_ns == 0 {
        // SAFETY: the arguments are handed on as they came, to the call they are meant for.
        let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, into) };
        return if result == 0 { 0 } else { -1 };
    }
    let part = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    // SAFETY: whoever calls promises that it may be written.
    unsafe { into.write(libc::timespec { tv_sec: part(now_ns / SECOND_NS), tv_nsec: part(now_ns % SECOND_NS) }) };
    0
}
