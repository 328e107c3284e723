//! What a kick has closed, and who has confirmed it, as it is printed: `keeperctl session kick-status` and `kicks`.

use keeper_client_sdk::{self as sdk, Confirmation, KickStatus};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::SelectSessions,
    failure::Failure,
    name::Name,
    render::{self, Report},
};

pub(in crate::session) async fn show(admin: &mut Admin<'_, '_>, kick: u64) -> Result<(), Failure> {
    let status = status(admin, kick).await?;
    admin.console.print(&status)
}

pub(in crate::session) async fn list(admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
    let kicks = admin.keeper.sessions().kicks().await?;
    let kicks = Kicks(kicks.into_iter().map(Status::from).collect());
    if kicks.0.is_empty() {
        admin.console.say("no kick is remembered");
    }
    admin.console.print(&kicks)
}

pub(super) async fn status(admin: &Admin<'_, '_>, kick: u64) -> Result<Status, Failure> {
    match admin.keeper.sessions().kick_status(kick).await {
        Ok(status) => Ok(status.into()),
        Err(error) if error.reason() == "not-found" => Err(Failure::refused(format!("there is no kick {kick}"))
            .remedy("see those that are remembered with `keeperctl session kicks`")),
        Err(error) => Err(error.into()),
    }
}

/// A kick, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) kick: u64,
    /// Whom it is about, as it would be typed.
    whom: String,
    reason: String,
    author: String,
    started_at: String,
    /// None while it is under way.
    finished_at: Option<String>,
    pub(super) closed: u64,
    pub(super) gateways: Vec<Gateway>,
    #[serde(skip)]
    started_at_ms: u64,
}

/// What a kick closed on one gateway.
#[derive(Debug, Serialize)]
pub(super) struct Gateway {
    instance: String,
    incarnation: u64,
    closed: u64,
    confirmation: &'static str,
}

const WAITING: &str = "waiting";
const GONE: &str = "gone";

impl Status {
    /// Whether all is closed, and every gateway has said so or is gone.
    pub(super) fn is_settled(&self) -> bool {
        self.finished_at.is_some() && self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.standing(WAITING)
    }

    fn standing(&self, confirmation: &str) -> usize {
        self.gateways.iter().filter(|gateway| gateway.confirmation == confirmation).count()
    }

    fn state(&self) -> &'static str {
        match (&self.finished_at, self.waiting(), self.standing(GONE)) {
            (None, ..) => "under way",
            (Some(_), 0, 0) if self.closed == 0 => "nothing to close",
            (Some(_), 0, 0) => "confirmed",
            (Some(_), 0, _) => "closed, some gone",
            (Some(_), ..) => "closed, not confirmed",
        }
    }
}

impl From<KickStatus> for Status {
    fn from(status: KickStatus) -> Self {
        let mut gateways: Vec<_> = status.gateways.into_iter().map(Gateway::from).collect();
        gateways.sort_by(|a, b| (&a.instance, a.incarnation).cmp(&(&b.instance, b.incarnation)));
        let whom = match status.target {
            sdk::KickTarget::User { user, slot: None } => Name::from(&user[..]).quoted(),
            sdk::KickTarget::User { user, slot: Some(slot) } => {
                format!("{} --slot {}", Name::from(&user[..]).quoted(), Name::from(&slot[..]).quoted())
            }
            sdk::KickTarget::Matching(selector) => SelectSessions::from(selector).to_string(),
        };
        Self {
            kick: status.kick,
            whom,
            reason: status.reason,
            author: status.author,
            started_at: render::millisecond(status.started_at_ms),
            finished_at: status.finished_at_ms.map(render::millisecond),
            closed: status.closed,
            gateways,
            started_at_ms: status.started_at_ms,
        }
    }
}

impl From<sdk::KickGateway> for Gateway {
    fn from(gateway: sdk::KickGateway) -> Self {
        let confirmation = match gateway.confirmation {
            Confirmation::Waiting => WAITING,
            Confirmation::Confirmed => "confirmed",
            Confirmation::Gone => GONE,
        };
        Self {
            instance: format!("{}/{}", gateway.service, gateway.instance),
            incarnation: gateway.incarnation,
            closed: gateway.closed,
            confirmation,
        }
    }
}

impl Report for Status {
    fn table(&self) -> String {
        let head = render::fields([
            ("kick", self.kick.to_string()),
            ("whom", self.whom.clone()),
            ("reason", self.reason.clone()),
            ("author", self.author.clone()),
            ("started", self.started_at.clone()),
            ("finished", self.finished_at.clone().unwrap_or_default()),
            ("closed", self.closed.to_string()),
            ("state", self.state().to_owned()),
        ]);
        render::sections([head, gateways(&self.gateways)])
    }
}

/// Gateways in columns.
pub(super) fn gateways(gateways: &[Gateway]) -> String {
    let cells = |it: &Gateway| {
        [it.instance.clone(), it.incarnation.to_string(), it.closed.to_string(), it.confirmation.to_owned()]
    };
    render::table(["INSTANCE", "INCARNATION", "CLOSED", "CONFIRMATION"], gateways.iter().map(cells))
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Kicks(Vec<Status>);

impl Report for Kicks {
    fn table(&self) -> String {
        let cells = |it: &Status| {
            [
                it.kick.to_string(),
                render::second(it.started_at_ms),
                it.state().to_owned(),
                it.closed.to_string(),
                it.waiting().to_string(),
                it.whom.clone(),
                it.author.clone(),
                it.reason.clone(),
            ]
        };
        let headings = ["KICK", "STARTED", "STATE", "CLOSED", "WAITING", "WHOM", "BY", "REASON"];
        render::table(headings, self.0.iter().map(cells))
    }
}

#[cfg(test)]
mod tests {
    use sdk::{KickGateway, KickTarget, SessionSelector};

    use super::*;

    fn kick(finished_at_ms: Option<u64>, confirmations: &[Confirmation]) -> Status {
        of_topic(finished_at_ms, confirmations).into()
    }

    fn of_topic(finished_at_ms: Option<u64>, confirmations: &[Confirmation]) -> KickStatus {
        let gateway = |(index, confirmation): (usize, &Confirmation)| KickGateway {
            service: "room".into(),
            instance: format!("r{index}"),
            incarnation: 9,
            closed: 2,
            confirmation: *confirmation,
        };
        KickStatus {
            kick: 61,
            target: KickTarget::Matching(SessionSelector::topic("news")),
            reason: "gone".into(),
            author: "ann@desk".into(),
            started_at_ms: 1_795_361_762_345,
            finished_at_ms,
            closed: 2 * confirmations.len() as u64,
            gateways: confirmations.iter().enumerate().map(gateway).collect(),
        }
    }

    #[test]
    fn a_kick_in_columns() {
        let expected = "\
FIELD     VALUE
kick      61
whom      --topic news
reason    gone
author    ann@desk
started   2026-11-22T15:36:02.345Z
finished  2026-11-22T15:36:03.000Z
closed    4
state     closed, not confirmed

INSTANCE  INCARNATION  CLOSED  CONFIRMATION
room/r0   9            2       confirmed
room/r1   9            2       waiting
";
        let kick = kick(Some(1_795_361_763_000), &[Confirmation::Confirmed, Confirmation::Waiting]);
        assert_eq!(kick.table(), expected);
    }

    #[test]
    fn a_kick_is_settled_when_nobody_is_waited_for() {
        let states: Vec<_> = [
            kick(None, &[]),
            kick(None, &[Confirmation::Confirmed]),
            kick(Some(1), &[Confirmation::Waiting, Confirmation::Gone]),
            kick(Some(1), &[Confirmation::Confirmed, Confirmation::Gone]),
            kick(Some(1), &[Confirmation::Confirmed]),
            kick(Some(1), &[]),
        ]
        .iter()
        .map(|kick| (kick.state(), kick.is_settled()))
        .collect();
        let expected = [
            ("under way", false),
            ("under way", false),
            ("closed, not confirmed", false),
            ("closed, some gone", true),
            ("confirmed", true),
            ("nothing to close", true),
        ];
        assert_eq!(states, expected);
    }

    #[test]
    fn kicks_in_columns() {
        let user = Status { whom: "ann".into(), reason: String::new(), ..kick(Some(1), &[]) };
        let expected = "\
KICK  STARTED               STATE             CLOSED  WAITING  WHOM          BY        REASON
61    2026-11-22T15:36:02Z  under way         2       1        --topic news  ann@desk  gone
61    2026-11-22T15:36:02Z  nothing to close  0       0        ann           ann@desk  -
";
        assert_eq!(Kicks(vec![kick(None, &[Confirmation::Waiting]), user]).table(), expected);
    }

    #[test]
    fn a_kick_of_one_device_names_it() {
        let whom = |slot: Option<&'static [u8]>| {
            let target = KickTarget::User { user: "ann".into(), slot: slot.map(Into::into) };
            Status::from(KickStatus { target, ..of_topic(None, &[]) }).whom
        };
        assert_eq!([whom(None), whom(Some(b"phone")), whom(Some(b""))], ["ann", "ann --slot phone", "ann --slot ''"]);
    }

    #[test]
    fn a_kick_as_json() {
        let expected = concat!(
            r#"{"kick":61,"whom":"--topic news","reason":"gone","author":"ann@desk","#,
            r#""started_at":"2026-11-22T15:36:02.345Z","finished_at":null,"closed":2,"#,
            r#""gateways":[{"instance":"room/r0","incarnation":9,"closed":2,"confirmation":"gone"}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&kick(None, &[Confirmation::Gone])), Ok(expected.to_owned()));
    }
}
