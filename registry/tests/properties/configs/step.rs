//! Steps: from small alphabets, so that they collide, and filled in from the state, so that they often succeed.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use keeper_registry::{
    AdvanceRollout, Announce, CloseInstance, Command, Consumed, DocumentAction, DocumentChange, Format, Gates,
    HistoryPolicy, Incarnation, InstanceSelector, Keep, OpenInstance, Policy, PromoteRollout, Publish, RequestId,
    Revision, SchemaHash, Stage, StartRollout, State, StateId, StepRollout, StopCause, StopRollout, Witness, limits,
};
use proptest::{collection::vec, option, prelude::*};

use super::{PATHS, SCHEMAS};

/// A command in the making.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) same_entry: bool,
    pub(super) later_ms: u64,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Open { name: u8, of: Of },
    Close { place: usize, expired: bool },
    Publish { changes: Vec<Change>, judged: Vec<Judged>, request: Option<u8> },
    Announce { place: usize, reads: Vec<(usize, Option<usize>)>, sent: bool },
    Start { changes: Vec<Change>, stages: Vec<(Of, u32)> },
    Roll { place: usize, how: Roll },
    Retain { versions: Option<u32>, age: bool },
    Attach { text: u8 },
    Sweep,
    Restore,
}

/// What an instance is, or what is selected.
#[derive(Debug, Clone)]
struct Of {
    zone: Option<u8>,
    canary: bool,
    version: u8,
}

#[derive(Debug, Clone)]
struct Change {
    path: usize,
    layer: usize,
    text: Option<u8>,
    stale: bool,
}

#[derive(Debug, Clone)]
struct Judged {
    kind: u8,
    path: usize,
    stale: bool,
}

#[derive(Debug, Clone)]
enum Roll {
    Advance { from: Option<u32> },
    Pause,
    Resume,
    Stop { failed: bool },
    Promote { judged: Vec<Judged> },
}

const LAYERS: [&str; 6] =
    ["", "@zone=z0", "@zone=z1", "@service=room", "@label.ring=canary", "@label.app=x,label.ring=canary"];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let later_ms = prop_oneof![8 => 0_u64..100, 1 => Just(61_000), 1 => Just(700_000)];
    let parts = (any::<bool>(), later_ms, act());
    parts.prop_map(|(same_entry, later_ms, act)| Step { same_entry, later_ms, act })
}

fn act() -> impl Strategy<Value = Act> {
    let place = || 0_usize..6;
    let reads = vec((0..PATHS.len(), option::weighted(0.7, 0..SCHEMAS.len())), 0..4);
    prop_oneof![
        3 => (0_u8..6, of()).prop_map(|(name, of)| Act::Open { name, of }),
        1 => (place(), any::<bool>()).prop_map(|(place, expired)| Act::Close { place, expired }),
        4 => (changes(), vec(judged(), 0..2), option::weighted(0.2, 0_u8..3))
            .prop_map(|(changes, judged, request)| Act::Publish { changes, judged, request }),
        4 => (place(), reads, any::<bool>()).prop_map(|(place, reads, sent)| Act::Announce { place, reads, sent }),
        2 => (changes(), vec((of(), 1_u32..=10_000), 1..4))
            .prop_map(|(changes, stages)| Act::Start { changes, stages }),
        5 => (0_usize..3, roll()).prop_map(|(place, how)| Act::Roll { place, how }),
        1 => (option::of(0_u32..4), any::<bool>()).prop_map(|(versions, age)| Act::Retain { versions, age }),
        1 => (0_u8..3).prop_map(|text| Act::Attach { text }),
        2 => Just(Act::Sweep),
        1 => Just(Act::Restore),
    ]
}

fn of() -> impl Strategy<Value = Of> {
    (option::weighted(0.5, 0_u8..2), any::<bool>(), 0_u8..2).prop_map(|(zone, canary, version)| Of {
        zone,
        canary,
        version,
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let parts = (0..PATHS.len(), 0..LAYERS.len(), option::weighted(0.75, 0_u8..4), prop::bool::weighted(0.1));
    let change = parts.prop_map(|(path, layer, text, stale)| Change { path, layer, text, stale });
    vec(change, 1..4)
}

fn judged() -> impl Strategy<Value = Judged> {
    let parts = (0_u8..4, 0..PATHS.len(), prop::bool::weighted(0.2));
    parts.prop_map(|(kind, path, stale)| Judged { kind, path, stale })
}

fn roll() -> impl Strategy<Value = Roll> {
    prop_oneof![
        4 => option::weighted(0.2, 0_u32..3).prop_map(|from| Roll::Advance { from }),
        1 => Just(Roll::Pause),
        2 => Just(Roll::Resume),
        1 => any::<bool>().prop_map(|failed| Roll::Stop { failed }),
        1 => vec(judged(), 0..2).prop_map(|judged| Roll::Promote { judged }),
    ]
}

impl Step {
    pub(super) fn command(&self, state: &State) -> Command {
        match &self.act {
            Act::Open { name, of } => Command::OpenInstance(of.open(*name)),
            Act::Close { place, expired: true } => Command::Expire(incarnation(state, *place)),
            Act::Close { place, expired: false } => {
                let incarnation = incarnation(state, *place);
                Command::CloseInstance(CloseInstance { incarnation, reason: String::new() })
            }
            Act::Publish { changes, judged, request } => Command::Publish(Publish {
                judged: judged.iter().map(|one| one.witness(state)).collect(),
                request: request.map(|number| RequestId([number; 16])),
                ..publish(state, changes)
            }),
            Act::Announce { place, reads, sent } => {
                Command::Announce(announce(incarnation(state, *place), reads, *sent))
            }
            Act::Start { changes, stages } => {
                let stage = |(of, share_bps): &(Of, u32)| Stage {
                    selector: of.selector(),
                    share_bps: *share_bps,
                    hold_ms: Some(1_000),
                };
                let (stages, gates) = (stages.iter().map(stage).collect(), Gates::default());
                Command::StartRollout(StartRollout { publish: publish(state, changes), stages, gates })
            }
            Act::Roll { place, how } => how.command(state, *place),
            Act::Retain { versions, age } => retain(*versions, *age),
            Act::Attach { text } => put(format!("{}room", limits::SCHEMA_PREFIX), *text, None),
            Act::Sweep => Command::Sweep,
            Act::Restore => Command::Restore(StateId(state.state_id().unwrap_or_default().0 + 1)),
        }
    }
}

impl Of {
    fn open(&self, name: u8) -> OpenInstance {
        let app = ("app".to_owned(), "x".to_owned());
        OpenInstance {
            service: if name < 4 { "room" } else { "center" }.to_owned(),
            id: format!("r{name}"),
            endpoints: Vec::new(),
            zone: self.zone.map_or_else(String::new, |zone| format!("z{zone}")),
            weight: 1,
            labels: self.labels().into_iter().chain([app]).collect(),
            version: self.version.to_string(),
            ttl_ms: 10_000,
            former_state: None,
            flush_total: 0,
            request: None,
        }
    }

    fn labels(&self) -> Vec<(String, String)> {
        self.canary.then(|| ("ring".to_owned(), "canary".to_owned())).into_iter().collect()
    }

    fn selector(&self) -> InstanceSelector {
        InstanceSelector {
            service: (self.version == 0).then(|| "room".to_owned()),
            id: None,
            zone: self.zone.map(|zone| format!("z{zone}")),
            labels: self.labels(),
        }
    }
}

impl Judged {
    fn witness(&self, state: &State) -> Witness {
        let path = PATHS[self.path].to_owned();
        let seen = |witness: Witness| state.present_revision(&witness).0.wrapping_sub(u64::from(self.stale));
        let none = Revision(0);
        match self.kind {
            0 => Witness::Document {
                revision: Revision(seen(Witness::Document { path: path.clone(), revision: none })),
                path,
            },
            1 => Witness::Layers {
                revision: Revision(seen(Witness::Layers { path: path.clone(), revision: none })),
                path,
            },
            2 => Witness::Schemas { revision: Revision(seen(Witness::Schemas { revision: none })) },
            _ => Witness::Consumers {
                revision: Revision(seen(Witness::Consumers { path: path.clone(), revision: none })),
                path,
            },
        }
    }
}

impl Roll {
    /// Of one that is not finished, most of the time.
    fn command(&self, state: &State, place: usize) -> Command {
        let under_way = state.rollouts().filter(|rollout| !rollout.state.is_finished()).nth(place);
        let meant = under_way.or_else(|| state.rollouts().nth(place));
        let rollout = meant.map_or(1, |rollout| rollout.id);
        let author = "ann".to_owned();
        match self {
            Self::Advance { from } => {
                let from_stage = from.unwrap_or_else(|| meant.map_or(0, |rollout| rollout.stage()));
                Command::AdvanceRollout(AdvanceRollout { rollout, from_stage, author })
            }
            Self::Pause => Command::PauseRollout(StepRollout { rollout, author }),
            Self::Resume => Command::ResumeRollout(StepRollout { rollout, author }),
            Self::Stop { failed } => {
                let cause = if *failed { StopCause::Failed } else { StopCause::Aborted };
                Command::StopRollout(StopRollout { rollout, cause, reason: "why".to_owned(), author })
            }
            Self::Promote { judged } => {
                let judged = judged.iter().map(|one| one.witness(state)).collect();
                Command::PromoteRollout(PromoteRollout { rollout, from_stage: None, judged, forced: None, author })
            }
        }
    }
}

fn publish(state: &State, changes: &[Change]) -> Publish {
    let mut by_key = BTreeMap::new();
    for Change { path, layer, text, stale } in changes {
        let path = format!("{}{}", PATHS[*path], LAYERS[*layer]);
        let action = match text {
            // Of what is there, most of the time.
            None if state.config(&path).is_some() || *stale => DocumentAction::Delete,
            text => write(text.unwrap_or_default(), None),
        };
        let expected = stale.then_some(Revision(1));
        by_key.insert(path.clone(), DocumentChange { path, expected, action });
    }
    Publish { changes: by_key.into_values().collect(), author: "ann".to_owned(), ..Publish::default() }
}

fn write(text: u8, policy: Option<Policy>) -> DocumentAction {
    let text = Bytes::from(format!("x = {text}"));
    DocumentAction::Put { format: Format::Toml, value: text.clone(), text, policy }
}

fn put(path: String, text: u8, policy: Option<Policy>) -> Command {
    let change = DocumentChange { path, expected: None, action: write(text, policy) };
    Command::Publish(Publish { changes: vec![change], ..Publish::default() })
}

fn retain(versions_max: Option<u32>, has_age: bool) -> Command {
    let age = Keep { versions_max: None, age_ms_max: has_age.then_some(limits::HISTORY_AGE_MS_MIN) };
    let all = Keep { versions_max, age_ms_max: None };
    let policy = HistoryPolicy { all, prefixes: BTreeMap::from([(Arc::from("push/"), age)]) };
    let text = versions_max.unwrap_or(9) as u8 * 2 + u8::from(has_age);
    put(limits::HISTORY_PATH.to_owned(), text, Some(Policy::History(Arc::new(policy))))
}

fn announce(incarnation: Incarnation, reads: &[(usize, Option<usize>)], is_sent: bool) -> Announce {
    let hash = |schema: usize| SchemaHash::of(SCHEMAS[schema].as_bytes());
    let documents = reads.iter().map(|(path, schema)| Consumed { path: PATHS[*path].into(), schema: schema.map(hash) });
    let sent = reads.iter().filter_map(|(_, schema)| *schema).filter(|_| is_sent);
    let schemas = sent.map(|schema| Bytes::from_static(SCHEMAS[schema].as_bytes())).collect();
    Announce { incarnation, documents: documents.collect(), schemas }
}

/// One that is open, most of the time.
fn incarnation(state: &State, place: usize) -> Incarnation {
    state.instances().nth(place).map_or(Incarnation(2), |instance| instance.incarnation)
}
