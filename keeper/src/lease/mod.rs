//! Leases: who is alive, decided by the leader, in its memory.
//!
//! **What it promises.** A lease never expires within TTL of an acknowledged renewal, whoever was paused, whichever
//! node leads. From that follow the rules:
//!
//! 1. A renewal is acknowledged only after a quorum has confirmed this leader at or after the renewal's arrival, and
//!    after the leader has applied the first entry of its own term. One round of confirmation is shared by all renewals
//!    that wait. The instant of the acknowledgement starts a full TTL.
//! 2. A new leader gives every lease a full TTL from the instant it is confirmed in office.
//! 3. Expiry is a proposal ([`keeper_registry::Command::Expire`]), fenced by incarnation and by this leader's term. A
//!    deposed leader's proposal either never enters the log or lies before the first entry of its successor, and so
//!    before any renewal the successor acknowledges.
//! 4. Once its expiry is proposed a lease is *closing*: renewals of it wait for the outcome, and are acknowledged or
//!    answered lost.
//! 5. Time in which the leader did not run is nobody's silence. After a gap of its own timer above a tenth of the
//!    shortest TTL every deadline moves by the gap, and by a tenth of the TTL at least, so that renewals that arrived
//!    meanwhile are read first.
//!
//! **Split.** [`table`] and [`pause`] decide: instants in, decisions out, no clock, no IO. [`worker`] performs.
//! [`upkeep`] proposes what time makes due beside: the end of graces, and what dead incarnations leave behind, in
//! bounded slices.
//!
//! **Left out.** Deadlines are not replicated: an entry a renewal would cost more than all other writes together, and a
//! new leader would have to distrust them anyway.

mod pause;
mod table;
mod upkeep;
mod worker;

pub use upkeep::Upkeep;
pub use worker::{Leases, Renewal, Worker};
