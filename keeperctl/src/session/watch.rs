//! `keeperctl session watch`: who comes online, who leaves, who moves.
//!
//! Words on standard error say when the watch has begun, what was missed, and at its end how to go on without a gap. In
//! JSON the last fact of each message carries the token: whoever has dealt with that line may go on from it.

use keeper_client_sdk::{Error, Presence, PresenceFrame, Subscription};
use serde::Serialize;
use tokio::time;

use crate::{
    admin::Admin,
    args::{SelectSessions, WatchSessions},
    console::Output,
    failure::Failure,
    instance,
    interrupt::Interrupt,
    name::hex,
    render::Report,
    session::fact::Fact,
};

pub(super) async fn watch(admin: &mut Admin<'_, '_>, watch: &WatchSessions) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let mut presence = admin.keeper.presence(subscription(watch));
    // A watch tries for ever, which is right once it has begun and would be silence before.
    let first = tokio::select! {
        first = time::timeout(admin.timeout, next(&mut presence)) => first,
        () = interrupt.came() => return Err(Failure::failed("stopped before it had begun")),
    };
    let first = first.map_err(|_| Failure::unserved(format!("no node told its facts within {:?}", admin.timeout)))?;
    let mut frame = match first {
        Ok(frame) => frame,
        Err(error) => return Err(instance::meant(admin, watch.instance.as_ref(), error.into()).await),
    };
    admin.console.say(format_args!("watching; revision {}", frame.revision));
    let mut told = Told { token: watch.token.as_ref().map(|it| it.bytes().to_vec()).unwrap_or_default(), facts: 0 };
    loop {
        told.tell(admin, watch, frame)?;
        if watch.limit.is_some_and(|limit| told.facts >= limit) {
            break;
        }
        frame = tokio::select! {
            frame = next(&mut presence) => {
                let output = admin.console.output;
                frame.map_err(|error| Failure::from(error).remedy(go_on(watch, &told.token, output)))?
            }
            () = interrupt.came() => break,
        };
    }
    admin.console.say(go_on(watch, &told.token, admin.console.output));
    Ok(())
}

async fn next(presence: &mut Presence) -> Result<PresenceFrame, Error> {
    let ended = Error::Ended { what: "the watch", happened: keeper_client_sdk::Happened::No };
    presence.frame().await.unwrap_or(Err(ended))
}

fn subscription(watch: &WatchSessions) -> Subscription {
    let subscription = match (&watch.topic, &watch.instance, &watch.user_prefix) {
        (Some(topic), ..) => Subscription::topic(topic.bytes().to_vec()),
        (None, Some(instance), _) => Subscription::instance(instance.to_string()),
        (None, None, Some(prefix)) => Subscription::user_prefix(prefix.bytes().to_vec()),
        (None, None, None) => Subscription::all(),
    };
    // Who stops after a number of facts goes on behind the last of them.
    let subscription = if watch.limit.is_some() { subscription.one_by_one() } else { subscription };
    let subscription = if watch.reconnects { subscription.with_reconnects() } else { subscription };
    match &watch.token {
        Some(token) => subscription.after(token.bytes().to_vec()),
        None => subscription,
    }
}

/// What was told, and from where to go on.
struct Told {
    token: Vec<u8>,
    facts: u64,
}

impl Told {
    fn tell(&mut self, admin: &mut Admin<'_, '_>, watch: &WatchSessions, frame: PresenceFrame) -> Result<(), Failure> {
        let token = frame.token.to_vec();
        if frame.reset {
            admin.console.say(format_args!(
                "reset: facts before revision {} are gone; see who is there with `{}{}`, the watch goes on",
                frame.revision,
                line("keeperctl session scan", watch),
                admin.console.output.typed()
            ));
            if admin.console.output == Output::Json {
                admin.console.print(&Reset { reset: true, revision: frame.revision, token: hex(&token) })?;
            }
        }
        let mut left = frame.facts.len();
        for fact in frame.facts {
            if watch.limit.is_some_and(|limit| self.facts >= limit) {
                return Ok(());
            }
            left -= 1;
            let token = (left == 0).then(|| hex(&token));
            admin.console.print(&Line { fact: fact.into(), token })?;
            self.facts += 1;
        }
        self.token = token;
        Ok(())
    }
}

fn go_on(watch: &WatchSessions, token: &[u8], output: Output) -> String {
    let reconnects = if watch.reconnects { " --reconnects" } else { "" };
    let (line, output) = (line("keeperctl session watch", watch), output.typed());
    format!("go on with `{line}{reconnects} --token {}{output}`", hex(token))
}

fn line(command: &str, watch: &WatchSessions) -> String {
    let WatchSessions { topic, instance, user_prefix, .. } = watch;
    let select = SelectSessions {
        topic: topic.clone(),
        instance: instance.clone(),
        user_prefix: user_prefix.clone(),
        slot: None,
    };
    format!("{command} {select}").trim_end().to_owned()
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    fact: Fact,
    /// Go on from here when this line was dealt with; only with the last fact of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Report for Line {
    fn table(&self) -> String {
        self.fact.line() + "\n"
    }
}

/// Said in words for people.
#[derive(Debug, Serialize)]
struct Reset {
    reset: bool,
    revision: u64,
    token: String,
}

impl Report for Reset {
    fn table(&self) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Noun, SessionVerb, Typed};

    #[test]
    fn a_watch_goes_on_in_the_form_it_had() {
        for line in ["keeperctl session watch", "keeperctl session watch --topic news --reconnects"] {
            for output in [Output::Table, Output::Json] {
                let typed = Typed::try_parse_from(line.split(' ')).expect(line);
                let Noun::Session { verb: SessionVerb::Watch(watch) } = typed.noun else { panic!("no watch") };
                let expected = format!("go on with `{line} --token 0x01ff{}`", output.typed());
                assert_eq!(go_on(&watch, &[1, 0xff], output), expected);
            }
        }
    }
}
