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

/// A state that knows which frames it has taken, and none of their answers.
///
/// # Panics
/// The state is not what was frozen.
#[cfg(feature = "planted")]
#[must_use]
pub fn without_answers(frozen: crate::Frozen, presence: crate::PresenceLimits) -> crate::State {
    let mut thawing = crate::Thawing::new(presence);
    frozen.visit(|record| thawing.push(record)).expect("what was frozen fits");
    let mut state = thawing.finish().expect("what was frozen is whole");
    state.forget_answers();
    state
}

/// Whether this bug was planted; with `=>`, what it does then.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::planted::is_on(concat!("planted-bug:", $name))
    };
    ($name:literal => $then:expr) => {
        if $crate::planted!($name) {
            $then;
        }
    };
}

/// Whether this bug was planted: never, in a build without the feature, where nothing is left of what it does.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        false
    };
    ($name:literal => $then:expr) => {};
}
