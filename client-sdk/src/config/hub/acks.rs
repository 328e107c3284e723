//! What an incarnation has to say about its documents, and how much of it the leader has heard. Without IO.
//!
//! A leader keeps what it hears in memory. So whatever was said is said again, all of it, to a leader of a later term;
//! and each incarnation begins with nothing said. What comes up while a request is under way waits for the next one,
//! and travels together.

use std::collections::{BTreeMap, BTreeSet};

use keeper_proto::v1::{
    AcknowledgeRequest, Applied,
    acknowledge_request::{self, Acknowledgement},
};

use crate::{Health, config::told::shortened, instance::LeaseId};

#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Whose words these are.
    life: Option<LeaseId>,
    said: BTreeMap<String, Said>,
    unheard: BTreeSet<String>,
    /// The leader is to forget what it was told before.
    is_all: bool,
    health: Option<Health>,
    is_health_unheard: bool,
    /// The term of the last leader that heard something; 0: nobody has.
    heard_in: u64,
    /// The last term in which somebody is known to lead.
    term: u64,
}

/// What is said about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) revision: u64,
    pub(super) applied: Applied,
    pub(super) reason: String,
}

impl Acks {
    /// Another incarnation, about which nothing has been said.
    pub(super) fn begin(&mut self, life: LeaseId) {
        let health = self.health.take();
        *self = Self { life: Some(life), is_health_unheard: health.is_some(), health, ..Self::default() };
    }

    /// The incarnation is over.
    pub(super) fn end(&mut self) {
        *self = Self { health: self.health.take(), ..Self::default() };
    }

    pub(super) const fn life(&self) -> Option<LeaseId> {
        self.life
    }

    pub(super) fn say(&mut self, path: &str, said: Said) {
        if self.life.is_some() && self.said.get(path) != Some(&said) {
            self.said.insert(path.to_owned(), said);
            self.unheard.insert(path.to_owned());
        }
    }

    /// Nothing is said about this document any more.
    pub(super) fn forget(&mut self, path: &str) {
        self.unheard.remove(path);
        self.is_all |= self.said.remove(path).is_some();
    }

    pub(super) fn report(&mut self, health: Health) {
        if self.health.as_ref() != Some(&health) {
            self.health = Some(health);
            self.is_health_unheard = true;
        }
    }

    /// Somebody leads in this term.
    pub(super) fn led(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.is_all |= self.is_unheard_in(term);
        }
    }

    /// Whether everything has been heard, or nobody is there to say it.
    pub(super) fn is_settled(&self) -> bool {
        self.life.is_none() || !(self.is_all || self.is_health_unheard || !self.unheard.is_empty())
    }

    /// What is to be sent, if anything. The caller says what became of it before it takes more.
    pub(super) fn take(&mut self) -> Option<AcknowledgeRequest> {
        let LeaseId { state_id, incarnation } = self.life?;
        if self.is_settled() {
            return None;
        }
        let all = std::mem::take(&mut self.is_all);
        let unheard = std::mem::take(&mut self.unheard);
        let with_health = std::mem::take(&mut self.is_health_unheard) || all;
        let said = self.said.iter().filter(|(path, _)| all || unheard.contains(*path));
        let documents = said.map(|(path, said)| Acknowledgement {
            path: path.clone(),
            revision: said.revision,
            applied: said.applied.into(),
            reason: shortened(&said.reason),
        });
        let health = self.health.as_ref().filter(|_| with_health).map(to_proto);
        Some(AcknowledgeRequest { incarnation, state_id, all, documents: documents.collect(), health })
    }

    /// A leader has heard it.
    pub(super) fn heard(&mut self, request: &AcknowledgeRequest, term: u64) {
        if self.is_of(request) && term >= self.term {
            self.is_all |= self.is_unheard_in(term) && !request.all;
            self.term = term;
            self.heard_in = term;
        } else {
            // A leader that has been followed by another one.
            self.failed(request);
        }
    }

    /// Perhaps nobody has heard it.
    pub(super) fn failed(&mut self, request: &AcknowledgeRequest) {
        if !self.is_of(request) {
            return;
        }
        self.is_all |= request.all;
        self.is_health_unheard |= request.health.is_some();
        let again = request.documents.iter().map(|it| &it.path).filter(|path| self.said.contains_key(*path));
        self.unheard.extend(again.cloned());
    }

    /// Whether a leader has heard something that the one of this term has not.
    const fn is_unheard_in(&self, term: u64) -> bool {
        self.heard_in > 0 && term > self.heard_in
    }

    fn is_of(&self, request: &AcknowledgeRequest) -> bool {
        self.life == Some(LeaseId { state_id: request.state_id, incarnation: request.incarnation })
    }
}

fn to_proto(health: &Health) -> acknowledge_request::Health {
    match health {
        Health::Healthy => acknowledge_request::Health { healthy: true, reason: String::new() },
        Health::Unwell(reason) => acknowledge_request::Health { healthy: false, reason: shortened(reason) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: LeaseId = LeaseId { state_id: 7, incarnation: 1 };

    fn begun() -> Acks {
        let mut acks = Acks::default();
        acks.begin(LIFE);
        acks
    }

    fn yes(revision: u64) -> Said {
        Said { revision, applied: Applied::Yes, reason: String::new() }
    }

    fn taken(acks: &mut Acks) -> (AcknowledgeRequest, bool, Vec<(String, u64)>) {
        let request = acks.take().expect("something to say");
        let documents = request.documents.iter().map(|it| (it.path.clone(), it.revision)).collect();
        (request.clone(), request.all, documents)
    }

    fn paths(documents: &[(&str, u64)]) -> Vec<(String, u64)> {
        documents.iter().map(|(path, revision)| ((*path).to_owned(), *revision)).collect()
    }

    #[test]
    fn what_comes_up_under_way_travels_together_and_nothing_twice() {
        let mut acks = begun();
        assert_eq!(acks.take(), None);
        acks.say("a", yes(1));
        let (first, all, told) = taken(&mut acks);
        assert_eq!((all, told), (false, paths(&[("a", 1)])));
        acks.say("b", yes(2));
        acks.say("a", yes(1));
        acks.say("c", yes(2));
        acks.heard(&first, 4);
        let (second, all, told) = taken(&mut acks);
        assert_eq!((all, told), (false, paths(&[("b", 2), ("c", 2)])));
        acks.heard(&second, 4);
        assert!(acks.is_settled() && acks.take().is_none());
    }

    #[test]
    fn what_failed_is_said_again_as_it_is_by_then() {
        let mut acks = begun();
        acks.say("a", yes(1));
        acks.say("b", yes(1));
        let (request, ..) = taken(&mut acks);
        acks.say("a", yes(2));
        acks.forget("b");
        acks.failed(&request);
        let (_, all, told) = taken(&mut acks);
        assert_eq!((all, told), (true, paths(&[("a", 2)])), "the leader may have heard of b");
    }

    #[test]
    fn a_later_leader_hears_all_of_it() {
        let mut acks = begun();
        acks.led(3);
        acks.say("a", yes(1));
        let (request, ..) = taken(&mut acks);
        acks.heard(&request, 4);
        assert!(acks.is_settled());
        acks.led(3);
        assert!(acks.is_settled(), "an answer that was under way for long");
        acks.led(5);
        let (request, all, told) = taken(&mut acks);
        assert_eq!((all, told), (true, paths(&[("a", 1)])));
        acks.heard(&request, 5);
        assert!(acks.is_settled());

        acks.say("b", yes(2));
        let (request, all, _) = taken(&mut acks);
        acks.heard(&request, 6);
        assert!(!all);
        assert_eq!(taken(&mut acks).2, paths(&[("a", 1), ("b", 2)]), "the answer itself tells of a later leader");
    }

    #[test]
    fn who_was_heard_by_a_leader_that_is_one_no_more_says_it_again() {
        let mut acks = begun();
        acks.say("a", yes(1));
        let (request, ..) = taken(&mut acks);
        acks.led(9);
        acks.heard(&request, 8);
        assert_eq!(taken(&mut acks).2, paths(&[("a", 1)]));
    }

    #[test]
    fn each_incarnation_begins_with_nothing_said_but_its_health() {
        let mut acks = Acks::default();
        acks.report(Health::Unwell("the disk is full".into()));
        acks.say("a", yes(1));
        assert_eq!(acks.take(), None, "nobody to say it");
        acks.begin(LIFE);
        let (request, _, told) = taken(&mut acks);
        let health = request.health.clone().expect("how it is");
        assert_eq!((told.len(), health.healthy, health.reason.as_str()), (0, false, "the disk is full"));
        acks.heard(&request, 1);
        acks.say("a", yes(1));
        let (request, ..) = taken(&mut acks);
        assert_eq!(request.health, None, "as before");

        acks.begin(LeaseId { incarnation: 2, ..LIFE });
        acks.failed(&request);
        assert_eq!(taken(&mut acks).2, [], "what another incarnation said");
        acks.end();
        assert!(acks.is_settled());
    }
}
