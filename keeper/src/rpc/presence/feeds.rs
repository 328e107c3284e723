//! The feeds of this node, one for each filter that somebody follows.
//!
//! A feed lives while a subscriber holds it, and leaves the table with the last one: clients choose filters, so what
//! nobody follows must not be kept.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use keeper_registry::{PresenceCursor, PresenceSlice, StateId};
use parking_lot::Mutex;

use crate::rpc::presence::frame::Frame;
use crate::rpc::presence::subscription::Subscription;
use crate::watch::{Feed, Framed, Framing};

/// By filter.
#[derive(Debug, Clone, Default)]
pub(super) struct Feeds(Arc<Mutex<Table>>);

type Table = HashMap<Subscription, Weak<Feed<Followed>>>;

/// A filter that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    subscription: Subscription,
    table: Weak<Mutex<Table>>,
}

impl Feeds {
    /// The one of all subscribers with this filter.
    pub(super) fn of(&self, subscription: Subscription) -> Arc<Feed<Followed>> {
        let mut table = self.0.lock();
        if let Some(feed) = table.get(&subscription).and_then(Weak::upgrade) {
            return feed;
        }
        let followed = Followed { subscription: subscription.clone(), table: Arc::downgrade(&self.0) };
        let feed = Arc::new(Feed::new(followed));
        table.insert(subscription, Arc::downgrade(&feed));
        feed
    }
}

impl Framing for Followed {
    type Frame = Frame;

    fn frame(&self, state: StateId, slice: &PresenceSlice, bound: Option<PresenceCursor>) -> Framed<Frame> {
        self.subscription.frame(state, slice, bound)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let Some(table) = self.table.upgrade() else { return };
        let mut table = table.lock();
        // Somebody may have begun to follow the same meanwhile, by a feed of its own.
        if table.get(&self.subscription).is_some_and(|feed| feed.strong_count() == 0) {
            table.remove(&self.subscription);
        }
    }
}

#[cfg(test)]
mod tests {
    use keeper_proto::v1 as wire;

    use super::*;

    fn topic(name: &str) -> Subscription {
        let request = wire::PresenceRequest { topic: name.to_owned().into(), ..Default::default() };
        Subscription::read(request).expect("a filter")
    }

    #[test]
    fn a_feed_is_shared_and_leaves_with_its_last_follower() {
        let feeds = Feeds::default();
        let followers = [feeds.of(topic("news")), feeds.of(topic("news")), feeds.of(topic("chat"))];
        assert!(Arc::ptr_eq(&followers[0], &followers[1]) && !Arc::ptr_eq(&followers[0], &followers[2]));
        assert_eq!(feeds.0.lock().len(), 2);
        let [first, second, chat] = followers;
        drop((first, chat));
        assert_eq!(feeds.0.lock().keys().cloned().collect::<Vec<_>>(), [topic("news")]);
        drop(second);
        assert!(feeds.0.lock().is_empty());
    }

    #[test]
    fn a_feed_that_took_the_place_of_another_stays() {
        let feeds = Feeds::default();
        let first = feeds.of(topic("news"));
        // As when the last follower leaves while the next one comes.
        let second = Arc::new(Feed::new(Followed { subscription: topic("news"), table: Arc::downgrade(&feeds.0) }));
        feeds.0.lock().insert(topic("news"), Arc::downgrade(&second));
        drop(first);
        assert!(Arc::ptr_eq(&feeds.of(topic("news")), &second));
    }
}
