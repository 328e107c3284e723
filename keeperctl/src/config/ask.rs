//! Questions to whoever sits there.

use std::io::{self, IsTerminal};

use crate::console::Console;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of the letters that were offered; the first one when nothing but the line's end was typed.
    Key(char),
    /// The input ended.
    Nobody,
}

/// Whether somebody sits there who can answer.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks until the answer begins with one of the letters.
pub(super) async fn question(console: &mut Console<'_>, question: &str, keys: &[char]) -> Answer {
    loop {
        console.ask(question);
        // Not on this thread, which keeps the connections to the cluster alive.
        let line = tokio::task::spawn_blocking(|| io::stdin().lines().next()).await;
        let Some(line) = line.ok().flatten().and_then(Result::ok) else { return Answer::Nobody };
        if let Some(answer) = understood(&line, keys) {
            return answer;
        }
    }
}

fn understood(line: &str, keys: &[char]) -> Option<Answer> {
    let typed = line.trim().chars().next().map(|first| first.to_ascii_lowercase());
    match typed {
        None => keys.first().copied().map(Answer::Key),
        Some(key) => keys.contains(&key).then_some(Answer::Key(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_letter_counts_and_the_first_offered_is_meant_by_nothing() {
        let keys = ['y', 'n', 'e'];
        assert_eq!(understood("", &keys), Some(Answer::Key('y')));
        assert_eq!(understood(" No\n", &keys), Some(Answer::Key('n')));
        assert_eq!(understood("what", &keys), None);
    }
}
