//! Who wins a key: a register, or the live session it meets.
//!
//! Newest wins by log order, except that a lower `conn_seq` never displaces a higher one. A connection of a former
//! history is another matter. Gateways register again what they held when the state was lost, in no order among each
//! other, while devices go on to connect. A claim from the past must not win over what was made in this history, and of
//! two claims the same one must win whichever comes first:
//!
//! - over nobody, over what only a backup says (unconfirmed), and over what no longer answers, a claim wins;
//! - over a live registration that was made in this history it never does;
//! - of two claims the one with the higher `conn_seq` wins, if both have one and they differ, because the device
//!   counted them; otherwise the one whose epoch in the former history was higher. Claims that are equal are one claim
//!   sent again.
//!
//! A register that is no claim follows the ordinary rule, whatever it meets.

use super::SessionView;
use crate::{Epoch, Register, Rejection};

/// Whether a register may take the key of a live session.
pub(super) fn check_precedence(register: &Register, present: &SessionView<'_>) -> Result<(), Rejection> {
    match register.flushed {
        None => check_conn_seq(register, present),
        Some(claimed) => check_claim(register, claimed, present),
    }
}

fn check_conn_seq(register: &Register, present: &SessionView<'_>) -> Result<(), Rejection> {
    match (register.conn_seq, present.conn_seq()) {
        (Some(given), Some(newer)) if given < newer => {
            Err(Rejection::StaleConnSeq { given, present: newer, holder: present.holder() })
        }
        _ => Ok(()),
    }
}

fn check_claim(register: &Register, claimed: Epoch, present: &SessionView<'_>) -> Result<(), Rejection> {
    let stale = || Rejection::StaleEpoch(Some(present.holder()));
    let other = present.flushed().ok_or_else(stale)?;
    let is_counted = register.conn_seq.zip(present.conn_seq()).is_some_and(|(given, other)| given != other);
    if is_counted {
        return check_conn_seq(register, present);
    }
    if claimed < other { Err(stale()) } else { Ok(()) }
}
