//! From the domain to the wire's messages. Plain functions.

use std::collections::HashMap;

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{
    Document, Epoch, Format, FormerState, Formerly, Holder, Incarnation, Instance, KickConfirmation, KickJob,
    KickTarget, LogTime, Notice, NoticeCause, OperationResult, RebuildProgress, SessionKey, SessionSelector,
    SessionView, State,
};
use prost::Message;

use crate::config::secret;
use crate::format;
use crate::rpc::error::{self, Claim};
use crate::rpc::from_proto::Misfit;

/// The owners named in one answer, each once.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    named: Vec<wire::lookup_reply::Owner>,
    index: HashMap<Incarnation, u32>,
    /// The owner named last: answers about one gateway are common.
    last: Option<(Incarnation, u32)>,
}

impl Owners {
    /// The index of an owner, named now if it was not before.
    pub(crate) fn index_of(&mut self, instance: &Instance) -> u32 {
        if let Some((incarnation, index)) = self.last
            && incarnation == instance.incarnation
        {
            return index;
        }
        let named = &mut self.named;
        let index = *self.index.entry(instance.incarnation).or_insert_with(|| {
            named.push(owner(instance));
            u32::try_from(named.len() - 1).unwrap_or(u32::MAX)
        });
        self.last = Some((instance.incarnation, index));
        index
    }

    /// In the order of their indexes.
    pub(crate) fn finish(self) -> Vec<wire::lookup_reply::Owner> {
        self.named
    }
}

fn owner(instance: &Instance) -> wire::lookup_reply::Owner {
    wire::lookup_reply::Owner {
        service: instance.service.to_string(),
        instance: instance.id.to_string(),
        incarnation: instance.incarnation.0,
        endpoints: instance.endpoints.to_vec(),
        zone: instance.zone.clone(),
    }
}

/// A live session. `key` is the caller's own, if it has one: sharing it saves a copy.
pub(crate) fn session(view: &SessionView<'_>, key: Option<wire::SessionKey>, owners: &mut Owners) -> wire::Session {
    let key = key.unwrap_or_else(|| session_key(&view.key()));
    wire::Session {
        key: Some(key),
        owner: owners.index_of(view.owner()),
        connection: Bytes::copy_from_slice(view.connection()),
        epoch: Some(epoch(view.epoch())),
        conn_seq: view.conn_seq(),
        topics: view.topics().map(Bytes::copy_from_slice).collect(),
        attributes: attributes(view.attributes()),
        registered_at_ms: view.registered_at().0,
    }
}

/// A session that is not live, and may come back.
pub(crate) fn formerly(
    formerly: &Formerly<'_>,
    key: Option<wire::SessionKey>,
    owners: &mut Owners,
) -> wire::lookup_reply::Formerly {
    use wire::lookup_reply::formerly::State;
    let (state, until_ms) = match formerly.state {
        FormerState::Lingering { until } => (State::Lingering, until.0),
        FormerState::Unconfirmed => (State::Unconfirmed, 0),
    };
    let session = session(&formerly.session, key, owners);
    wire::lookup_reply::Formerly { session: Some(session), state: state.into(), until_ms }
}

/// A session's attributes; none when there are none.
pub(crate) fn attributes(encoded: &[u8]) -> Option<wire::Attributes> {
    // They were encoded by `from_proto`; ones that do not decode were written by nobody.
    if encoded.is_empty() { None } else { wire::Attributes::decode(encoded).ok() }
}

/// A session's name.
pub(crate) fn session_key(key: &SessionKey) -> wire::SessionKey {
    wire::SessionKey { user: key.user.clone(), slot: key.slot.clone() }
}

/// A fencing token.
pub(crate) const fn epoch(epoch: Epoch) -> wire::Epoch {
    wire::Epoch { revision: epoch.revision.0, position: epoch.position }
}

/// Who holds a session.
pub(crate) fn holder(holder: &Holder) -> wire::Holder {
    wire::Holder {
        service: holder.service.to_string(),
        instance: holder.instance.to_string(),
        incarnation: holder.incarnation.0,
        connection: holder.connection.clone(),
        epoch: Some(epoch(holder.epoch)),
    }
}

/// A kick, with what has come of it.
pub(crate) fn kick_status(state: &State, job: &KickJob) -> wire::KickStatus {
    let (user, slot, matching) = match &job.target {
        KickTarget::User { user, slot } => (user.clone(), slot.clone(), None),
        KickTarget::Matching(matching) => (Bytes::new(), None, Some(selector(matching))),
    };
    let gateways = job.gateways.iter().map(|(incarnation, gateway)| wire::kick_status::Gateway {
        service: gateway.service.to_string(),
        instance: gateway.id.to_string(),
        incarnation: incarnation.0,
        closed: gateway.closed,
        confirmation: confirmation(state.kick_confirmation(*incarnation, gateway)).into(),
    });
    wire::KickStatus {
        kick: job.number,
        selector: matching,
        user,
        slot,
        reason: job.reason.to_string(),
        author: job.author.to_string(),
        started_at_ms: job.started_at.0,
        finished_at_ms: job.finished_at.unwrap_or_default().0,
        closed: job.closed,
        gateways: gateways.collect(),
    }
}

const fn confirmation(confirmation: KickConfirmation) -> wire::kick_status::Confirmation {
    match confirmation {
        KickConfirmation::Waiting => wire::kick_status::Confirmation::Waiting,
        KickConfirmation::Confirmed => wire::kick_status::Confirmation::Confirmed,
        KickConfirmation::Gone => wire::kick_status::Confirmation::Gone,
    }
}

fn selector(selector: &SessionSelector) -> wire::SessionSelector {
    let SessionSelector { topic, instance, user_prefix, slot } = selector;
    wire::SessionSelector {
        topic: topic.clone().unwrap_or_default(),
        instance: instance.as_ref().map(|(service, id)| format!("{service}/{id}")).unwrap_or_default(),
        user_prefix: user_prefix.clone(),
        slot: slot.clone(),
    }
}

/// While the registry is filled again: how far that is now. Costs a look at one field otherwise.
pub(crate) fn rebuilding(state: &State, now: LogTime) -> Option<wire::lookup_reply::Rebuilding> {
    state.rebuild().map(|rebuild| wire::lookup_reply::Rebuilding {
        done_permille: rebuild.done_permille(now),
        not_before_ms: rebuild.not_before().0,
    })
}

/// The same in full.
pub(crate) fn rebuild(state: &State, now: LogTime) -> Option<wire::rebuild_status_reply::Rebuild> {
    let rebuild = state.rebuild()?;
    let gateways = rebuild.gateways().map(|gateway| wire::rebuild_status_reply::Gateway {
        service: gateway.service.to_string(),
        instance: gateway.id.to_string(),
        progress: progress(gateway.progress).into(),
        total: gateway.total,
        remaining: gateway.remaining,
    });
    Some(wire::rebuild_status_reply::Rebuild {
        since_ms: rebuild.since().0,
        not_before_ms: rebuild.not_before().0,
        unconfirmed: state.sessions_unconfirmed(),
        live: state.sessions_live(),
        gateways: gateways.collect(),
        done_permille: rebuild.done_permille(now),
    })
}

const fn progress(progress: RebuildProgress) -> wire::rebuild_status_reply::Progress {
    match progress {
        RebuildProgress::Awaited => wire::rebuild_status_reply::Progress::Awaited,
        RebuildProgress::Flushing => wire::rebuild_status_reply::Progress::Flushing,
        RebuildProgress::Finished => wire::rebuild_status_reply::Progress::Finished,
        RebuildProgress::GivenUp => wire::rebuild_status_reply::Progress::GivenUp,
    }
}

/// The result of one operation of a frame.
pub(crate) fn operation_result(place: usize, claim: Claim, result: &OperationResult) -> wire::OperationResult {
    use wire::operation_result::{Done, Refused, Registered, Result};
    let result = match result {
        OperationResult::Registered { epoch: token, displaced } => {
            Result::Registered(Registered { epoch: Some(epoch(*token)), displaced: displaced.as_deref().map(holder) })
        }
        OperationResult::Done => Result::Done(Done {}),
        OperationResult::Refused(rejection) => Result::Refused(Refused {
            reason: error::rejection_reason(rejection).to_owned(),
            message: error::rejection_said(rejection),
            holder: error::rejection_holder(rejection).map(holder),
            field: error::operation_field(place, claim, rejection),
        }),
    };
    wire::OperationResult { result: Some(result) }
}

/// The refusal of an operation that never reached the state.
pub(crate) fn misfit(misfit: &Misfit) -> wire::OperationResult {
    let wire::Problem { reason, message, field, .. } = error::to_wire(&misfit.problem);
    let refused = wire::operation_result::Refused { reason, message, holder: None, field };
    wire::OperationResult { result: Some(wire::operation_result::Result::Refused(refused)) }
}

/// An open instance.
pub(crate) fn instance(instance: &Instance, sessions: u64) -> wire::Instance {
    wire::Instance {
        service: instance.service.to_string(),
        id: instance.id.to_string(),
        incarnation: instance.incarnation.0,
        endpoints: instance.endpoints.to_vec(),
        zone: instance.zone.clone(),
        weight: instance.weight,
        labels: instance.labels.iter().cloned().collect(),
        version: instance.version.clone(),
        ttl_ms: instance.ttl_ms,
        opened_revision: instance.opened.0,
        opened_at_ms: instance.opened_at.0,
        sessions,
    }
}

/// Whether a document's text and value go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// They do.
    Whole,
    /// They do not.
    Left,
}

/// One version of a document, its secrets masked.
pub(crate) fn document(document: &Document, body: Body) -> wire::Document {
    // The text came in as a string, and is kept as it was.
    let (mut text, mut value) = (String::from_utf8_lossy(&document.text), document.value.clone());
    let (mut secrets, mut secret_keys) = (Vec::new(), Vec::new());
    if secret::is_sealed(&value)
        && let Ok(mut shown) = format::parse(Format::Json, &String::from_utf8_lossy(&value))
    {
        let fields = secret::sealed_fields(&shown);
        secrets = fields.iter().map(ToString::to_string).collect();
        secret_keys = fields.iter().map(|field| secret::key_of(&shown, field).unwrap_or_default().to_owned()).collect();
        secret::mask(&mut shown);
        value = format::canonical(&shown);
        text = secret::masked_text(&text).into_owned().into();
    }
    let (text, value) = match body {
        Body::Whole => (text.into_owned(), value),
        Body::Left => (String::new(), Bytes::new()),
    };
    wire::Document {
        path: document.path.to_string(),
        format: format(document.format).into(),
        text,
        value,
        revision: document.revision.0,
        version: document.version,
        author: document.author.to_string(),
        message: document.message.to_string(),
        published_at_ms: document.published_at.0,
        deleted: document.deleted,
        forced: document.forced.as_deref().unwrap_or_default().to_owned(),
        secrets,
        secret_keys,
    }
}

/// How a text is written.
pub(crate) const fn format(format: Format) -> wire::Format {
    match format {
        Format::Toml => wire::Format::Toml,
        Format::Yaml => wire::Format::Yaml,
        Format::Json => wire::Format::Json,
        Format::Ini => wire::Format::Ini,
    }
}

/// What happened to a session of a gateway.
pub(crate) fn notice(notice: &Notice) -> wire::Notice {
    use wire::notice::{Cause, Kick};
    let cause = match &notice.cause {
        NoticeCause::DisplacedBy(by) => Cause::DisplacedBy(holder(by)),
        NoticeCause::Kicked { reason, author } => {
            Cause::Kicked(Kick { reason: reason.to_string(), author: author.to_string() })
        }
    };
    wire::Notice {
        key: Some(session_key(&notice.key)),
        epoch: Some(epoch(notice.epoch)),
        connection: notice.connection.clone(),
        cause: Some(cause),
    }
}
