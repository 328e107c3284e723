//! What the application is told about the gateway as a whole.
//!
//! Told late, it is told the newest of each kind and in the order in which they happened last: who slept through three
//! lives is told of the last loss and of the life that followed.

use crate::{Error, Lost};

#[derive(Debug, Default)]
pub(super) struct News {
    lost: Option<(u64, Lost)>,
    unopened: Option<Error>,
    opened: Option<u64>,
    reregistered: Option<u64>,
    replaced: Option<u64>,
}

/// One piece of news.
#[derive(Debug)]
pub(super) enum Item {
    Lost { incarnation: u64, reason: Lost },
    Unopened(Error),
    Opened { incarnation: u64 },
    Reregistered { incarnation: u64 },
    Replaced { by: u64 },
}

impl News {
    pub(super) fn lost(&mut self, incarnation: u64, reason: Lost) {
        *self = Self { lost: Some((incarnation, reason)), ..Self::default() };
    }

    pub(super) fn unopened(&mut self, error: Error) {
        self.unopened = Some(error);
    }

    pub(super) fn opened(&mut self, incarnation: u64) {
        self.opened = Some(incarnation);
        self.unopened = None;
    }

    pub(super) const fn reregistered(&mut self, incarnation: u64) {
        self.reregistered = Some(incarnation);
    }

    pub(super) const fn replaced(&mut self, by: u64) {
        self.replaced = Some(by);
    }

    /// What comes before the ends of connections.
    pub(super) fn take_opening(&mut self) -> Option<Item> {
        let lost = self.lost.take().map(|(incarnation, reason)| Item::Lost { incarnation, reason });
        lost.or_else(|| self.unopened.take().map(Item::Unopened))
            .or_else(|| self.opened.take().map(|incarnation| Item::Opened { incarnation }))
    }

    /// What comes after them, because it speaks of them all.
    pub(super) fn take_closing(&mut self) -> Option<Item> {
        let reregistered = self.reregistered.take().map(|incarnation| Item::Reregistered { incarnation });
        reregistered.or_else(|| self.replaced.take().map(|by| Item::Replaced { by }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_slept_is_told_what_is_true_now() {
        let mut news = News::default();
        news.opened(1);
        news.lost(1, Lost::Silence);
        news.opened(2);
        news.reregistered(2);
        news.lost(2, Lost::Ended);
        news.opened(3);
        assert!(matches!(news.take_opening(), Some(Item::Lost { incarnation: 2, reason: Lost::Ended })));
        assert!(matches!(news.take_opening(), Some(Item::Opened { incarnation: 3 })));
        assert!(news.take_closing().is_none(), "the registering again was of a life that is over");
    }
}
