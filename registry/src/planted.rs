//! Bugs on purpose: a simulation that has never found anything proves nothing.
//!
//! `planted!("name")` stands where the bug would be. It is `false`, and leaves nothing behind, unless this crate is
//! built with its feature `planted`, which `keeper-sim` alone may ask for and nothing does by default; then it is true
//! once that bug was chosen. Each place leaves the text `planted-bug:name` in a binary that holds it, by which a test
//! shows that no shipped binary does.

#[cfg(feature = "planted")]
static CHOSEN: std::sync::OnceLock<&'static str> = std::sync::OnceLock::new();

/// From now on this bug is there, in all of this process; only the first choice counts.
#[cfg(feature = "planted")]
pub fn choose(name: &'static str) {
    CHOSEN.get_or_init(|| name);
}

/// Whether a bug is there, by its mark. Never inlined, so that the mark stays a text of the binary.
#[cfg(feature = "planted")]
#[doc(hidden)]
#[inline(never)]
#[must_use]
pub fn is_on(mark: &'static str) -> bool {
    CHOSEN.get().is_some_and(|chosen| mark.strip_prefix("planted-bug:") == Some(chosen))
}

/// Whether this bug was planted.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::planted::is_on(concat!("planted-bug:", $name))
    };
}

/// Whether this bug was planted: never, in a build without the feature.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}
