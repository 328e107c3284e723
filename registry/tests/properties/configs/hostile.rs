//! Commands about configs that nobody in their right mind would propose.

use std::{collections::BTreeMap, sync::Arc};

use keeper_registry::{
    AdvanceRollout, Announce, Command, Consumed, DocumentAction, DocumentChange, Format, Gates, HistoryPolicy,
    InstanceSelector, Keep, Policy, PromoteRollout, Publish, Revision, SchemaHash, Stage, StartRollout, StepRollout,
    StopCause, StopRollout, Witness, limits,
};
use proptest::{collection::vec, option, prelude::*};

use crate::hostile::{bytes, change, incarnation, number, request, text};

fn witness() -> impl Strategy<Value = Witness> {
    (0_u8..4, text(), number().prop_map(Revision)).prop_map(|(kind, path, revision)| match kind {
        0 => Witness::Document { path, revision },
        1 => Witness::Layers { path, revision },
        2 => Witness::Schemas { revision },
        _ => Witness::Consumers { path, revision },
    })
}

fn publish() -> impl Strategy<Value = Publish> {
    let parts = (vec(change(), 0..4), text(), text(), request(), vec(witness(), 0..3), option::weighted(0.2, text()));
    parts.prop_map(|(changes, author, message, request, judged, forced)| Publish {
        changes,
        author,
        message,
        request,
        judged,
        forced,
    })
}

fn start() -> impl Strategy<Value = Command> {
    let part = || option::weighted(0.3, text());
    let share = prop_oneof![3 => 1_u32..10_001, 1 => any::<u32>()];
    let stage = (part(), part(), part(), vec((text(), text()), 0..2), share, option::of(number()));
    let stage = stage.prop_map(|(service, id, zone, labels, share_bps, hold_ms)| Stage {
        selector: InstanceSelector { service, id, zone, labels },
        share_bps,
        hold_ms,
    });
    let gates =
        prop_oneof![3 => Just(Gates::default()), 1 => any::<u32>().prop_map(|applied_bps| Gates { applied_bps })];
    (publish(), vec(stage, 0..4), gates)
        .prop_map(|(publish, stages, gates)| Command::StartRollout(StartRollout { publish, stages, gates }))
}

fn announce() -> impl Strategy<Value = Command> {
    // Of one that is there to be named, often.
    let schema = prop_oneof![bytes(), Just(bytes::Bytes::from_static(b"S"))];
    let reads = (text(), option::of(prop_oneof![Just(SchemaHash::of(b"S")), any::<[u8; 16]>().prop_map(SchemaHash)]));
    let reads = reads.prop_map(|(path, schema)| Consumed { path: path.into(), schema });
    let parts = (incarnation(), vec(reads, 0..4), vec(schema, 0..3));
    parts.prop_map(|(incarnation, documents, schemas)| Command::Announce(Announce { incarnation, documents, schemas }))
}

fn retain() -> impl Strategy<Value = Command> {
    let keep = || {
        (option::of(any::<u32>()), option::of(number()))
            .prop_map(|(versions_max, age_ms_max)| Keep { versions_max, age_ms_max })
    };
    (keep(), vec((text(), keep()), 0..3), bytes(), any::<bool>()).prop_map(|(all, prefixes, text, here)| {
        let prefixes: BTreeMap<_, _> = prefixes.into_iter().map(|(prefix, keep)| (prefix.into(), keep)).collect();
        let policy = Some(Policy::History(Arc::new(HistoryPolicy { all, prefixes })));
        let action = DocumentAction::Put { format: Format::Json, value: text.clone(), text, policy };
        let path = if here { limits::HISTORY_PATH } else { limits::POLICY_PATH }.to_owned();
        let changes = vec![DocumentChange { path, expected: None, action }];
        Command::Publish(Publish { changes, ..Publish::default() })
    })
}

fn step() -> impl Strategy<Value = Command> {
    let parts = (0_u8..6, number(), any::<u32>(), vec(witness(), 0..3), option::weighted(0.2, text()), text());
    parts.prop_map(|(kind, rollout, stage, judged, forced, author)| match kind {
        0 => Command::AdvanceRollout(AdvanceRollout { rollout, from_stage: stage % 3, author }),
        1 => Command::PauseRollout(StepRollout { rollout, author }),
        2 => Command::ResumeRollout(StepRollout { rollout, author }),
        3 | 4 => {
            let cause = if kind == 3 { StopCause::Aborted } else { StopCause::Failed };
            Command::StopRollout(StopRollout { rollout, cause, reason: author.clone(), author })
        }
        _ => {
            let from_stage = (stage % 2 == 0).then_some(stage % 3);
            Command::PromoteRollout(PromoteRollout { rollout, from_stage, judged, forced, author })
        }
    })
}

/// At any level, of anything.
pub(crate) fn hostile() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => publish().prop_map(Command::Publish).boxed(),
        3 => start().boxed(),
        3 => announce().boxed(),
        1 => retain().boxed(),
        3 => step().boxed(),
    ]
}
