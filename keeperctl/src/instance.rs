//! `keeperctl instance`: which processes live.

use std::collections::BTreeMap;

use keeper_client_sdk::InstanceInfo;
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{InstanceName, InstanceVerb, Target},
    failure::{Failure, Kind},
    nearest::nearest,
    render::{self, Report},
};

/// How a name that was probably meant is typed.
const SHOW: &str = "keeperctl instance show";
const LIST: &str = "keeperctl instance list";
const FLAG: &str = "--instance";

pub(crate) async fn run(admin: &mut Admin<'_, '_>, verb: InstanceVerb) -> Result<(), Failure> {
    match verb {
        InstanceVerb::List { service } => list(admin, service).await,
        InstanceVerb::Show { name } => {
            let instance = find(admin, &name, SHOW).await?;
            admin.console.print(&instance)
        }
    }
}

async fn list(admin: &mut Admin<'_, '_>, service: Option<String>) -> Result<(), Failure> {
    let instances = admin.keeper.instances().list(service.clone().unwrap_or_default()).await?;
    let mut rows: Vec<_> = instances.into_iter().map(Row::from).collect();
    rows.sort_by(|a, b| a.instance.cmp(&b.instance));
    let none = rows.is_empty();
    admin.console.print(&Rows(rows))?;
    match service {
        Some(service) if none => Err(unknown_service(admin, &service).await?),
        None if none => {
            admin.console.say("no instance lives");
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// The instance of that name, or the names that were probably meant, as they are typed after `before`.
async fn find(admin: &Admin<'_, '_>, name: &InstanceName, before: &str) -> Result<Row, Failure> {
    let instances = admin.keeper.instances();
    if let Some(instance) = instances.get(name.service.clone(), name.id.clone()).await? {
        return Ok(Row::from(instance));
    }
    let others = instances.list("").await?.into_iter().map(|it| format!("{}/{}", it.service, it.id));
    let failure = Failure::refused(format!("there is no live instance {name}"));
    Err(instead(failure, nearest(&name.to_string(), others), before))
}

/// A refusal may be about the instance that was named; then the names are offered that were probably meant.
pub(crate) async fn meant(admin: &Admin<'_, '_>, named: Option<&InstanceName>, failure: Failure) -> Failure {
    match named {
        Some(name) if failure.kind == Kind::Refused => find(admin, name, FLAG).await.err().unwrap_or(failure),
        Some(_) | None => failure,
    }
}

/// Why a control has nobody to go to.
pub(crate) async fn nobody(admin: &Admin<'_, '_>, target: &Target) -> Result<Failure, Failure> {
    match &target.id {
        None => unknown_service(admin, &target.service).await,
        Some(id) => {
            let name = InstanceName { service: target.service.clone(), id: id.clone() };
            let absent = find(admin, &name, SHOW).await.err();
            Ok(absent.unwrap_or_else(|| Failure::refused(format!("instance {name} has only just come: try again"))))
        }
    }
}

async fn unknown_service(admin: &Admin<'_, '_>, service: &str) -> Result<Failure, Failure> {
    let mut services: Vec<_> = admin.keeper.instances().list("").await?.into_iter().map(|it| it.service).collect();
    services.sort();
    services.dedup();
    let failure = Failure::refused(format!("there is no live instance of service {service:?}"));
    Ok(instead(failure, nearest(service, services), LIST))
}

fn instead(failure: Failure, names: Vec<String>, before: &str) -> Failure {
    if names.is_empty() {
        return failure.remedy("see all with `keeperctl instance list`");
    }
    names.into_iter().fold(failure, |failure, name| failure.did_you_mean(&format!("{before} {name}")))
}

/// An instance as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    instance: String,
    incarnation: u64,
    endpoints: Vec<String>,
    zone: String,
    weight: u32,
    labels: BTreeMap<String, String>,
    version: String,
    ttl_ms: u64,
    opened_revision: u64,
    opened_at: String,
    sessions: u64,
    #[serde(skip)]
    opened_at_ms: u64,
}

impl From<InstanceInfo> for Row {
    fn from(info: InstanceInfo) -> Self {
        Self {
            instance: format!("{}/{}", info.service, info.id),
            incarnation: info.incarnation,
            endpoints: info.endpoints,
            zone: info.zone,
            weight: info.weight,
            labels: info.labels,
            version: info.version,
            ttl_ms: u64::try_from(info.ttl.as_millis()).unwrap_or(u64::MAX),
            opened_revision: info.opened_revision,
            opened_at: render::millisecond(info.opened_at_ms),
            sessions: info.sessions,
            opened_at_ms: info.opened_at_ms,
        }
    }
}

impl Report for Row {
    fn table(&self) -> String {
        render::fields([
            ("instance", self.instance.clone()),
            ("incarnation", self.incarnation.to_string()),
            ("endpoints", render::list(&self.endpoints)),
            ("zone", self.zone.clone()),
            ("weight", self.weight.to_string()),
            ("labels", render::pairs(&self.labels)),
            ("version", self.version.clone()),
            ("ttl", format!("{} ms", self.ttl_ms)),
            ("opened", format!("{} at revision {}", self.opened_at, self.opened_revision)),
            ("sessions", self.sessions.to_string()),
        ])
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Rows(Vec<Row>);

impl Report for Rows {
    fn table(&self) -> String {
        let headings = ["INSTANCE", "INCARNATION", "ENDPOINTS", "ZONE", "VERSION", "SESSIONS", "OPENED"];
        let cells = |row: &Row| {
            [
                row.instance.clone(),
                row.incarnation.to_string(),
                render::list(&row.endpoints),
                row.zone.clone(),
                row.version.clone(),
                row.sessions.to_string(),
                render::second(row.opened_at_ms),
            ]
        };
        render::table(headings, self.0.iter().map(cells))
    }
}

#[cfg(test)]
mod tests;
