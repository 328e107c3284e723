//! What an instance runs with, and why.

use std::collections::BTreeSet;

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Layer, Revision, State};

use super::ConfigService;
use super::told::{json, name};
use crate::config::secret::{KeyRing, MASK};
use crate::config::{Field, effective};
use crate::format::{self, Format, Value, canonical};
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;
use crate::rpc::reader;
use crate::view::Consistency;

/// The layers of a path that are for somebody, taken from the state.
struct Taken {
    state: Revision,
    revision: Revision,
    rollout: Option<u64>,
    layers: Vec<TakenLayer>,
}

struct TakenLayer {
    layer: Layer,
    value: Bytes,
    revision: Revision,
    candidate_of: Option<u64>,
}

impl Taken {
    fn of(state: &State, path: &str, reader: wire::Reader) -> Result<Self, Problem> {
        let instance = reader::instance(state, "reader", reader)?;
        let config = state.config_for(path, &instance);
        let layers = config.layers.iter().map(|applied| TakenLayer {
            layer: applied.layer.clone(),
            value: applied.value.clone(),
            revision: applied.revision,
            candidate_of: applied.candidate_of,
        });
        let layers = layers.collect();
        Ok(Self { state: state.revision(), revision: config.revision, rollout: config.rollout, layers })
    }
}

impl ConfigService {
    pub(super) async fn effective_for(&self, request: wire::EffectiveRequest) -> Result<wire::EffectiveReply, Problem> {
        let wire::EffectiveRequest { path, reader, reveal } = request;
        self.check_reveals(reveal)?;
        let reader = reader.ok_or_else(|| invalid("reader", "it is not said for whom"))?;
        if let Some((base, layer)) = path.split_once('@') {
            return Err(invalid("path", format!("an instance reads `{base}`; `@{layer}` is a layer of it")));
        }
        self.view.wait(Consistency::Linearizable).await?;
        let taken = self.view.read(|state| Taken::of(state, &path, reader))?;
        assembled(&path, &taken, self.publisher.keys(), reveal)
    }
}

fn assembled(path: &str, taken: &Taken, keys: &KeyRing, reveal: bool) -> Result<wire::EffectiveReply, Problem> {
    let mut values: Vec<(&Layer, Value)> = Vec::with_capacity(taken.layers.len());
    let mut secrets = BTreeSet::new();
    for TakenLayer { layer, value, .. } in &taken.layers {
        let key = layer.key(path);
        let read = std::str::from_utf8(value).ok().and_then(|text| format::parse(Format::Json, text).ok());
        let mut value = read.ok_or_else(|| Problem::Declined {
            reason: "unreadable",
            message: format!("{key} is published and cannot be read: publish it anew"),
        })?;
        secrets.extend(keys.reveal(&key, &mut value));
        values.push((layer, value));
    }
    let layers = taken.layers.iter().map(|it| wire::effective_reply::Applied {
        key: it.layer.key(path),
        revision: it.revision.0,
        rollout: it.candidate_of.unwrap_or_default(),
    });
    let reply = wire::EffectiveReply { revision: taken.state.0, layers: layers.collect(), ..Default::default() };
    let Some(mut merged) = effective(values.iter().map(|(layer, value)| (*layer, value))) else { return Ok(reply) };
    if !reveal {
        hide(&mut merged.value, &secrets);
    }
    let fields = merged.provenance.iter().map(|(field, layer)| wire::effective_reply::Given {
        field: name(field),
        value: json(field.of(&merged.value)),
        key: layer.key(path),
    });
    let fields = fields.collect();
    let document = wire::EffectiveDocument {
        path: path.to_owned(),
        revision: taken.revision.0,
        value: canonical(&merged.value),
        deleted: false,
        rollout: taken.rollout.unwrap_or_default(),
    };
    Ok(wire::EffectiveReply { document: Some(document), fields, ..reply })
}

/// What was a secret in any layer is one here.
fn hide(value: &mut Value, secrets: &BTreeSet<Field>) {
    for secret in secrets {
        if let Some(place) = secret.of_mut(value) {
            *place = Value::String(MASK.to_owned());
        }
    }
}
