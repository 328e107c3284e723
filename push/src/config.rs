//! The room's configuration: one document, followed live.
//!
//! The room reads it as the instance it is. Its schema is announced, so that nobody publishes what a running room
//! cannot read, and what becomes of a change is acknowledged.
//!
//! Nothing is sent to the room before the cluster has answered, because a room that came back with the defaults would
//! bind its devices to them. An answer is the document, or that there is none, which is an empty one, or one that does
//! not fit: then the defaults are sent, as what the room runs by until there is one that does.

use std::{borrow::Cow, sync::Arc, time::Duration};

use keeper_client_sdk::{Error, FieldChange, InstanceBuilder, diff};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::watch, time};
use tracing::{info, warn};

use crate::limits;

/// What a room runs by. Every field has a default, so that a document holds only what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomConfig {
    /// Said to each device once it can be found; empty: nothing.
    pub greeting: String,
    /// The largest message, either way.
    pub max_message_bytes: Bounded<1, { limits::MESSAGE_BYTES_MAX }>,
    /// A device that is silent for longer is disconnected; it sends pings more often than that.
    pub idle_timeout_ms: Bounded<1_000, 86_400_000>,
    /// Connections beyond this are sent away.
    pub max_connections: Bounded<0, { limits::CONNECTIONS_MAX }>,
    /// Bound on every connection made from now on.
    pub topics: Vec<String>,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            greeting: String::new(),
            max_message_bytes: Bounded(4_096),
            idle_timeout_ms: Bounded(60_000),
            max_connections: Bounded(100_000),
            topics: Vec::new(),
        }
    }
}

impl RoomConfig {
    /// How long a device may stay silent.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.0 as u64)
    }
}

/// A number that a document cannot set outside its bounds: it would not fit, and the running value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize")]
pub struct Bounded<const MIN: usize, const MAX: usize>(pub usize);

impl<const MIN: usize, const MAX: usize> TryFrom<usize> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(number: usize) -> Result<Self, String> {
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number}: {MIN} to {MAX} are allowed"))
        }
    }
}

impl<const MIN: usize, const MAX: usize> JsonSchema for Bounded<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("{MIN} to {MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// Follows the document at `path` for ever, as the room that is or will be opened.
pub(crate) async fn follow(room: InstanceBuilder, path: String, running: watch::Sender<Arc<RoomConfig>>) {
    loop {
        match room.config::<RoomConfig>(path.as_str()).or_empty().await {
            Ok(mut document) => {
                let value = document.borrow();
                let before = as_value(&running.borrow());
                apply(&path, document.revision(), &diff(&before, &as_value(&value)), value, &running);
                loop {
                    match document.changed().await {
                        Ok(change) => apply(&path, change.revision, &change.fields, change.value, &running),
                        Err(error @ Error::Misfit { .. }) => warn!("{error}; the running values stay"),
                        Err(_) => break,
                    }
                }
            }
            Err(error) => {
                if leaves_values(&error) {
                    confirm(&running);
                }
                warn!("{path} cannot be followed yet: {error}");
                time::sleep(limits::RETRY_PAUSE).await;
            }
        }
    }
}

/// The cluster has answered, and what the room runs by is not to change.
const fn leaves_values(error: &Error) -> bool {
    matches!(error, Error::Misfit { .. })
}

/// Says once more what the room runs by, for those who wait for a first word.
fn confirm(running: &watch::Sender<Arc<RoomConfig>>) {
    running.send_modify(|_| {});
}

fn apply(
    path: &str,
    revision: u64,
    fields: &[FieldChange],
    value: Arc<RoomConfig>,
    running: &watch::Sender<Arc<RoomConfig>>,
) {
    running.send_replace(value);
    for field in fields {
        info!("{path} revision {revision}: {}", sentence(field));
    }
}

fn sentence(field: &FieldChange) -> String {
    let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!("{} {} -> {}", field.path, show(&field.old), show(&field.new))
}

fn as_value(config: &RoomConfig) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Happened;
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_document_holds_only_what_differs() {
        let config: RoomConfig = from_value(json!({ "max_message_bytes": 8192 })).unwrap();
        assert_eq!(config, RoomConfig { max_message_bytes: Bounded(8_192), ..RoomConfig::default() });
    }

    #[test]
    fn a_document_that_does_not_fit_is_refused_with_a_sentence() {
        for (document, word) in [
            (json!({ "max_message_bytes": 0 }), "0: 1 to 1048576 are allowed"),
            (json!({ "idle_timeout_ms": -1 }), "-1"),
            (json!({ "max_mesage_bytes": 1 }), "max_mesage_bytes"),
        ] {
            let error = from_value::<RoomConfig>(document).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_schema_says_what_is_allowed() {
        let schema = schemars::schema_for!(RoomConfig);
        let property = |name: &str| schema.pointer(&format!("/properties/{name}")).cloned().unwrap_or_default();
        let bytes = property("max_message_bytes");
        assert_eq!((&bytes["minimum"], &bytes["maximum"]), (&json!(1), &json!(limits::MESSAGE_BYTES_MAX)));
        assert_eq!(property("idle_timeout_ms")["minimum"], json!(1_000));
        assert_eq!(schema.get("additionalProperties"), Some(&json!(false)));
    }

    #[test]
    fn only_an_answer_of_the_cluster_confirms_the_defaults() {
        let (running, config) = watch::channel(Arc::new(RoomConfig::default()));
        let silent = Error::Timeout { operation: "config get", after: Duration::ZERO, happened: Happened::No };
        assert!(!leaves_values(&silent));
        assert!(leaves_values(&Error::Misfit { path: String::new(), revision: 1, message: String::new() }));
        assert!(!config.has_changed().unwrap(), "nobody has said anything");
        confirm(&running);
        assert!(config.has_changed().unwrap());
        assert_eq!(**config.borrow(), RoomConfig::default());
    }

    #[test]
    fn every_key_is_documented_with_its_default() {
        let document = include_str!("../../docs/room.md");
        for (key, default) in as_value(&RoomConfig::default()).as_object().unwrap() {
            assert!(document.contains(&format!("| `{key}` | `{default}` |")), "{key} = {default}");
        }
    }

    #[test]
    fn a_change_is_told_field_by_field() {
        let old = RoomConfig::default();
        let new = RoomConfig { max_message_bytes: Bounded(8_192), greeting: "hi".into(), ..old.clone() };
        let told: Vec<String> = diff(&as_value(&old), &as_value(&new)).iter().map(sentence).collect();
        assert_eq!(told, ["greeting \"\" -> \"hi\"", "max_message_bytes 4096 -> 8192"]);
    }
}
