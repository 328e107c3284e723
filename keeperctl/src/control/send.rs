//! `keeperctl control send`: addresses an action to live instances, and waits for their answers if asked to.

use keeper_client_sdk as sdk;
use serde::Serialize;
use tokio::time;

use crate::{
    admin::Admin,
    args::SendControl,
    control::status::{self, Status},
    failure::Failure,
    instance, limits,
    render::{self, Report},
};

pub(super) async fn send(admin: &mut Admin<'_, '_>, send: &SendControl) -> Result<(), Failure> {
    let request = sdk::SendControl {
        service: send.target.service.clone(),
        id: send.target.id.clone().unwrap_or_default(),
        action: send.action.clone(),
        argument: send.argument.bytes().to_vec().into(),
        deadline: Some(send.deadline),
        author: admin.author.clone(),
    };
    let sent = match admin.keeper.controls().send(request).await {
        Ok(sent) => sent,
        Err(error) if error.reason() == "not-found" => {
            return Err(instance::nobody(admin, &send.target).await?);
        }
        Err(error) => {
            return Err(Failure::of_change(error, &format!("keeperctl instance list {}", send.target.service)));
        }
    };
    if !send.wait {
        admin.console.print(&Addressed::new(send, sent))?;
        admin.console.say(format_args!("see the answers with `keeperctl control status {}`", sent.control));
        return Ok(());
    }
    let status = answers(admin, send, sent).await?;
    admin.console.print(&status)?;
    status.verdict()
}

/// The answers, once all are there or it is too late for more.
async fn answers(admin: &mut Admin<'_, '_>, send: &SendControl, sent: sdk::Sent) -> Result<Status, Failure> {
    let number = sent.control;
    admin
        .console
        .say(format_args!("waiting for the answers to control {number}; Ctrl-C ends the waiting, not the control"));
    let admin = &*admin;
    let answered = async {
        loop {
            let status = status::status(admin, number).await?;
            if status.waiting() == 0 {
                return Ok(status);
            }
            time::sleep(limits::LOOK_INTERVAL).await;
        }
    };
    match time::timeout(send.deadline, answered).await {
        Ok(status) => status,
        Err(_) => status::status(admin, number).await,
    }
}

#[derive(Debug, Serialize)]
struct Addressed {
    control: u64,
    action: String,
    target: String,
    instances: u32,
}

impl Addressed {
    fn new(send: &SendControl, sent: sdk::Sent) -> Self {
        Self {
            control: sent.control,
            action: send.action.clone(),
            target: send.target.to_string(),
            instances: sent.instances,
        }
    }
}

impl Report for Addressed {
    fn table(&self) -> String {
        let row = [self.control.to_string(), self.action.clone(), self.target.clone(), self.instances.to_string()];
        render::table(["CONTROL", "ACTION", "TARGET", "INSTANCES"], [row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_addressed_is_printed() {
        let addressed = Addressed { control: 61, action: "drain".into(), target: "room".into(), instances: 3 };
        assert_eq!(addressed.table(), "CONTROL  ACTION  TARGET  INSTANCES\n61       drain   room    3\n");
        let expected = r#"{"control":61,"action":"drain","target":"room","instances":3}"#;
        assert_eq!(render::json_line(&addressed), Ok(format!("{expected}\n")));
    }
}
