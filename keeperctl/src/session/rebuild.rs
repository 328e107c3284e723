//! `keeperctl session rebuild-status` and `give-up`: how far the registry is in being filled again.

use keeper_client_sdk::{self as sdk, Rebuild, RebuildGateway, RebuildProgress, RebuildStatus};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::GiveUp,
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn show(admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
    let status = Status::from(admin.keeper.sessions().rebuild_status().await?);
    admin.console.print(&status)
}

pub(super) async fn give_up(admin: &mut Admin<'_, '_>, typed: &GiveUp) -> Result<(), Failure> {
    let whom = if typed.all {
        sdk::GiveUp::Everybody
    } else {
        sdk::GiveUp::Instances(typed.instances.iter().map(ToString::to_string).collect())
    };
    let sessions = admin.keeper.sessions();
    match sessions.give_up(whom, admin.author.clone()).await {
        Ok(_) => show(admin).await,
        Err(error) if error.reason() == "not-found" => match sessions.rebuild_status().await?.rebuild {
            None => Err(Failure::refused("the registry is whole: no gateway is waited for")),
            Some(_) => {
                Err(Failure::from(error).remedy("see who is waited for with `keeperctl session rebuild-status`"))
            }
        },
        Err(error) => Err(Failure::of_change(error, "keeperctl session rebuild-status")),
    }
}

/// How far the registry is, as it is printed.
#[derive(Debug, Serialize)]
struct Status {
    revision: u64,
    state_id: String,
    whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuild: Option<Rebuilding>,
}

#[derive(Debug, Serialize)]
struct Rebuilding {
    since: String,
    not_before: String,
    done_permille: u32,
    live: u64,
    unconfirmed: u64,
    gateways: Vec<Gateway>,
}

const AWAITED: &str = "awaited";
const FLUSHING: &str = "flushing";

#[derive(Debug, Serialize)]
struct Gateway {
    instance: String,
    progress: &'static str,
    total: u64,
    remaining: u64,
}

impl From<RebuildStatus> for Status {
    fn from(status: RebuildStatus) -> Self {
        let RebuildStatus { revision, state_id, rebuild } = status;
        let whole = rebuild.is_none();
        Self { revision, state_id: render::hex(state_id), whole, rebuild: rebuild.map(Rebuilding::from) }
    }
}

impl From<Rebuild> for Rebuilding {
    fn from(rebuild: Rebuild) -> Self {
        let mut gateways: Vec<_> = rebuild.gateways.into_iter().map(Gateway::from).collect();
        gateways.sort_by(|a, b| a.instance.cmp(&b.instance));
        Self {
            since: render::millisecond(rebuild.since_ms),
            not_before: render::millisecond(rebuild.not_before_ms),
            done_permille: rebuild.done_permille,
            live: rebuild.live,
            unconfirmed: rebuild.unconfirmed,
            gateways,
        }
    }
}

impl From<RebuildGateway> for Gateway {
    fn from(gateway: RebuildGateway) -> Self {
        let progress = match gateway.progress {
            RebuildProgress::Awaited => AWAITED,
            RebuildProgress::Flushing => FLUSHING,
            RebuildProgress::Finished => "finished",
            RebuildProgress::GivenUp => "given up",
        };
        Self {
            instance: format!("{}/{}", gateway.service, gateway.instance),
            progress,
            total: gateway.total,
            remaining: gateway.remaining,
        }
    }
}

impl Report for Status {
    fn table(&self) -> String {
        let Some(rebuild) = &self.rebuild else {
            return render::fields([
                ("registry", "whole".to_owned()),
                ("revision", self.revision.to_string()),
                ("state id", self.state_id.clone()),
            ]);
        };
        let head = render::fields([
            ("registry", "rebuilding".to_owned()),
            ("done", percent(rebuild.done_permille)),
            ("waits for", rebuild.waits_for()),
            ("since", rebuild.since.clone()),
            ("not before", rebuild.not_before.clone()),
            ("live", rebuild.live.to_string()),
            ("unconfirmed", rebuild.unconfirmed.to_string()),
            ("revision", self.revision.to_string()),
            ("state id", self.state_id.clone()),
        ]);
        let cells = |it: &Gateway| {
            [it.instance.clone(), it.progress.to_owned(), it.total.to_string(), it.remaining.to_string()]
        };
        let gateways =
            render::table(["INSTANCE", "PROGRESS", "TOTAL", "REMAINING"], rebuild.gateways.iter().map(cells));
        render::sections([head, gateways])
    }
}

impl Rebuilding {
    /// Why it is not over. Nobody knows a gateway that no policy and no backup names before it has come.
    fn waits_for(&self) -> String {
        let left = self.gateways.iter().filter(|gateway| matches!(gateway.progress, AWAITED | FLUSHING)).count();
        let named = match left {
            0 => String::new(),
            1 => "1 gateway, and ".to_owned(),
            left => format!("{left} gateways, and "),
        };
        format!("{named}gateways that nobody named, until {}", self.not_before)
    }
}

/// Thousandths as people read them.
pub(super) fn percent(permille: u32) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebuilding() -> Status {
        let gateway = |id: &str, progress, total, remaining| RebuildGateway {
            service: "room".into(),
            instance: id.into(),
            progress,
            total,
            remaining,
        };
        let rebuild = Rebuild {
            since_ms: 1_795_361_762_345,
            not_before_ms: 1_795_361_782_345,
            unconfirmed: 20,
            live: 80,
            gateways: vec![
                gateway("b", RebuildProgress::Awaited, 0, 0),
                gateway("a", RebuildProgress::Flushing, 100, 20),
            ],
            done_permille: 5,
        };
        RebuildStatus { revision: 52, state_id: 0xab, rebuild: Some(rebuild) }.into()
    }

    #[test]
    fn a_rebuild_in_columns() {
        let expected = "\
FIELD        VALUE
registry     rebuilding
done         0.5 %
waits for    2 gateways, and gateways that nobody named, until 2026-11-22T15:36:22.345Z
since        2026-11-22T15:36:02.345Z
not before   2026-11-22T15:36:22.345Z
live         80
unconfirmed  20
revision     52
state id     00000000000000ab

INSTANCE  PROGRESS  TOTAL  REMAINING
room/a    flushing  100    20
room/b    awaited   0      0
";
        assert_eq!(rebuilding().table(), expected);
    }

    #[test]
    fn a_registry_that_waits_for_nobody_in_particular_says_until_when() {
        let mut status = rebuilding();
        let Some(rebuild) = &mut status.rebuild else { panic!("it is rebuilding") };
        rebuild.gateways.clear();
        assert_eq!(rebuild.waits_for(), "gateways that nobody named, until 2026-11-22T15:36:22.345Z");
    }

    #[test]
    fn a_rebuild_as_json() {
        let json = render::json_line(&rebuilding()).expect("JSON");
        let begin = concat!(
            r#"{"revision":52,"state_id":"00000000000000ab","whole":false,"#,
            r#""rebuild":{"since":"2026-11-22T15:36:02.345Z","not_before":"2026-11-22T15:36:22.345Z","#,
            r#""done_permille":5,"live":80,"unconfirmed":20,"gateways":[{"instance":"room/a","progress":"flushing","#,
        );
        assert!(json.starts_with(begin), "{json}");
    }

    #[test]
    fn a_whole_registry_says_so() {
        let whole = Status::from(RebuildStatus { revision: 52, state_id: 0xab, rebuild: None });
        assert!(whole.table().contains("registry  whole"), "{}", whole.table());
        let expected = "{\"revision\":52,\"state_id\":\"00000000000000ab\",\"whole\":true}\n";
        assert_eq!(render::json_line(&whole), Ok(expected.to_owned()));
    }
}
