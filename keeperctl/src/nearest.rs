//! What was probably meant.

use crate::limits;

/// Below this two names have little in common. Found by trying typing errors on paths.
const LIKENESS_MIN: f64 = 0.75;

/// The names most like an unknown one, best first.
pub(crate) fn nearest(unknown: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let judged = names.into_iter().map(|name| (likeness(unknown, &name), name));
    let mut alike: Vec<_> = judged.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).collect();
    alike.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.cmp(b)));
    alike.into_iter().map(|(_, name)| name).take(limits::SUGGESTIONS_MAX).collect()
}

/// A name that is a part of another is like it, however much longer that is: people leave out directories and endings.
fn likeness(unknown: &str, name: &str) -> f64 {
    let likeness = strsim::jaro_winkler(unknown, name);
    if !unknown.is_empty() && name.contains(unknown) { likeness.max(LIKENESS_MIN) } else { likeness }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest_of(unknown: &str) -> Vec<String> {
        let names = ["push/room.toml", "push/router.toml", "gate/limits.yaml", "billing.json"];
        nearest(unknown, names.map(String::from))
    }

    #[test]
    fn typing_errors_are_seen_through() {
        assert_eq!(nearest_of("push/rom.toml"), ["push/room.toml", "push/router.toml"]);
        assert_eq!(nearest_of("biling.json"), ["billing.json"]);
    }

    #[test]
    fn parts_are_completed() {
        assert_eq!(nearest_of("limits"), ["gate/limits.yaml"]);
    }

    #[test]
    fn nothing_is_offered_for_something_else() {
        assert_eq!(nearest_of("zzz"), [""; 0]);
        assert_eq!(nearest_of(""), [""; 0]);
    }
}
