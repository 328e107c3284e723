//! Renews all leases of a client on one stream, and closes those that were let go.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::OptionFuture, stream::FuturesUnordered};
use keeper_proto::v1::{CloseInstanceRequest, RenewReply, RenewRequest, instances_client::InstancesClient};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{self, Instant},
};

use crate::{
    Error, Lost,
    connection::{Aim, Link, LinkEvent, Nodes, Retry, silence},
    instance::lease::{LeaseId, Leases},
};

const RENEW: &str = "/keeper.v1.Instances/Renew";

/// Requests in flight on the stream: a request per history of the state every third of a TTL, and there is rarely more
/// than one history.
const WINDOW: usize = 64;

#[derive(Debug)]
pub(crate) struct Renewals {
    leases: Mutex<Leases>,
    changed: Notify,
    /// In which the last renewal was answered; 0: none was, or by a server that does not say.
    term: watch::Sender<u64>,
}

impl Renewals {
    pub(crate) fn new() -> Self {
        Self { leases: Mutex::new(Leases::new()), changed: Notify::new(), term: watch::Sender::new(0) }
    }

    pub(crate) fn hold(&self, id: LeaseId, ttl: Duration, sent_at: Instant) -> watch::Receiver<Option<Lost>> {
        let lost = self.leases.lock().hold(id, ttl, sent_at);
        self.changed.notify_one();
        lost
    }

    /// In which term somebody leads, as far as renewals tell.
    pub(crate) fn term(&self) -> watch::Receiver<u64> {
        self.term.subscribe()
    }

    pub(crate) fn until(&self, id: LeaseId) -> Option<Instant> {
        self.leases.lock().until(id)
    }

    pub(crate) fn forget(&self, id: LeaseId) {
        self.leases.lock().forget(id);
        self.changed.notify_one();
    }

    pub(crate) fn release(&self, id: LeaseId) {
        self.leases.lock().release(id);
        self.changed.notify_one();
    }

    /// Runs for as long as the client.
    pub(crate) async fn run(self: Arc<Self>, nodes: Arc<Nodes>) {
        let mut link: Link<RenewRequest, RenewReply> = Link::new(nodes.clone(), Aim::Leader, RENEW, WINDOW);
        let mut closing = FuturesUnordered::new();
        loop {
            let (idle, wake_at) = self.outlook(&nodes);
            let wake: OptionFuture<_> = wake_at.map(time::sleep_until).into();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                event = link.event(), if !idle => self.hear(event, &mut link),
                Some(()) = wake => {}
                Some(()) = closing.next() => {}
            }
            self.tend(&mut link);
            for id in self.leases.lock().take_released() {
                let nodes = nodes.clone();
                // Best effort: a lease that cannot be closed expires.
                closing.push(async move { drop(close(&nodes, id).await) });
            }
        }
    }

    /// Whether there is nothing to renew, and when to act unasked.
    fn outlook(&self, nodes: &Nodes) -> (bool, Option<Instant>) {
        let leases = self.leases.lock();
        let overdue = leases.waiting_since().map(|since| since + patience(&leases, nodes));
        (leases.is_empty(), leases.next().into_iter().chain(overdue).min())
    }

    fn hear(&self, event: LinkEvent<RenewReply>, link: &mut Link<RenewRequest, RenewReply>) {
        match event {
            LinkEvent::Opened => self.leases.lock().renew_all(Instant::now()),
            LinkEvent::Reply(reply) => {
                link.confirm();
                self.leases.lock().answered(&reply);
                self.term.send_if_modified(|term| std::mem::replace(term, reply.term) != reply.term);
            }
            LinkEvent::Broken(error) => {
                let mut leases = self.leases.lock();
                if error.reason() == "foreign-state" {
                    leases.rebuilt();
                }
                // What was sent is not waited for any more, or its patience would wake this loop without a pause.
                leases.renew_all(Instant::now());
            }
        }
    }

    /// Sends what is due, ends what is over, gives up a stream that does not answer.
    fn tend(&self, link: &mut Link<RenewRequest, RenewReply>) {
        let now = Instant::now();
        let mut leases = self.leases.lock();
        leases.expire(now);
        if !link.is_up() {
            // A renewal that cannot be sent is due when the stream stands again; until then only the end of a TTL
            // wakes.
            leases.defer(now);
            return;
        }
        let limit = patience(&leases, link.nodes());
        if leases.waiting_since().is_some_and(|since| since + limit <= now) {
            leases.renew_all(now);
            leases.defer(now);
            link.fail(silence("renew", limit));
            return;
        }
        for request in leases.requests(now) {
            link.send(Arc::new(request));
        }
    }
}

fn patience(leases: &Leases, nodes: &Nodes) -> Duration {
    leases.patience().map_or(nodes.settings.attempt_timeout, |it| it.min(nodes.settings.attempt_timeout))
}

/// Tells the cluster that a lease is over; twice is as good as once.
pub(crate) async fn close(nodes: &Nodes, id: LeaseId) -> Result<(), Error> {
    let LeaseId { state_id, incarnation } = id;
    let request = CloseInstanceRequest { incarnation, reason: "closed by its process".into(), state_id };
    let method = |channel, request| async move { InstancesClient::new(channel).close(request).await };
    match nodes.call("instance close", Aim::Leader, Retry::Safe, request, method).await {
        Err(error) if error.reason() == "incarnation-closed" => Ok(()),
        answer => answer.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, Happened, connection::Settings};

    const TTL: Duration = Duration::from_secs(9);

    /// Nobody leads: one stream after the other breaks, and between two of them there is nothing to do.
    #[tokio::test(start_paused = true)]
    async fn while_no_leader_answers_only_the_end_of_a_lease_wakes() {
        let endpoint = Endpoint::parse("127.0.0.1:7400").expect("host and port");
        let nodes = Arc::new(Nodes::new(vec![endpoint], Arc::default()));
        let mut link = Link::new(nodes.clone(), Aim::Leader, RENEW, WINDOW);
        let renewals = Renewals::new();
        let start = Instant::now();
        let lost = renewals.hold(LeaseId { state_id: 7, incarnation: 1 }, TTL, start);
        time::advance(TTL / 3).await;
        assert_eq!(renewals.leases.lock().requests(Instant::now()).len(), 1, "sent on a stream that then breaks");
        let patience = Settings::default().attempt_timeout.min(TTL / 3);
        assert_eq!(renewals.outlook(&nodes), (false, Some(start + TTL / 3 + patience)));

        for _ in 0..3 {
            time::advance(patience / 2).await;
            let broken = Error::unreachable("nobody leads", Happened::No);
            renewals.hear(LinkEvent::Broken(broken), &mut link);
            renewals.tend(&mut link);
            assert_eq!(renewals.outlook(&nodes), (false, Some(start + TTL)), "nothing before is worth a look");
        }
        time::advance(TTL).await;
        renewals.tend(&mut link);
        assert_eq!((*lost.borrow(), renewals.outlook(&nodes)), (Some(Lost::Silence), (true, None)));
    }
}
