//! Writes a frozen state to a file, beside everything else the node does.
//!
//! The state was frozen on the state machine's worker, by cloning pointers to its pages. The writer runs on a thread of
//! low priority and gives up each page as soon as it is written, so that the memory held twice shrinks as it goes. A
//! write that fails stops the node: its disk is full or broken, and the log is on it too. None is begun for which there
//! is no room.

use std::io;
use std::sync::Arc;

use keeper_registry::Frozen;
use openraft::RaftSnapshotBuilder;
use openraft::alias::{SnapshotMetaOf, SnapshotOf};

use super::offload::Offload;
use super::snapshot_data::SnapshotData;
use super::snapshot_files::SnapshotFiles;
use super::snapshot_schedule::SnapshotSchedule;
use super::type_config::TypeConfig;
use crate::clock;
use crate::metrics::Metrics;

/// A frozen state, to be written once.
pub(super) struct SnapshotBuilder {
    frozen: Option<Frozen>,
    meta: SnapshotMetaOf<TypeConfig>,
    files: Arc<SnapshotFiles>,
    schedule: Arc<SnapshotSchedule>,
    offload: Offload,
    metrics: Arc<Metrics>,
}

impl SnapshotBuilder {
    pub(super) const fn new(
        frozen: Frozen,
        meta: SnapshotMetaOf<TypeConfig>,
        files: Arc<SnapshotFiles>,
        schedule: Arc<SnapshotSchedule>,
        offload: Offload,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { frozen: Some(frozen), meta, files, schedule, offload, metrics }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, SnapshotData>> {
        let frozen = self.frozen.take().ok_or_else(|| io::Error::other("a frozen state is written once"))?;
        let (files, meta) = (Arc::clone(&self.files), self.meta.clone());
        let begun_at = clock::now();
        let written = self.offload.background("keeper-snapshot", move || files.write(meta, frozen)).await?;
        if let Some(current) = self.files.current_file() {
            self.schedule.written(current.size_bytes());
        }
        if let Some(bytes) = written {
            self.metrics.snapshot_bytes.set(bytes);
            self.metrics.snapshot_seconds.observe(clock::now().duration_since(begun_at).as_secs_f64());
        }
        self.files.current().ok_or_else(|| io::Error::other("the snapshot that was written is gone"))
    }
}
