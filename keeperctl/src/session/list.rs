//! `keeperctl session list`: a walk over live sessions, printed page by page.

use keeper_client_sdk::{self as sdk, Part};

use crate::{
    admin::Admin,
    args::ListSessions,
    failure::Failure,
    instance, limits,
    name::hex,
    session::{
        printer::{Json, Printer},
        row::Row,
    },
};

pub(super) async fn list(admin: &mut Admin<'_, '_>, list: &ListSessions) -> Result<(), Failure> {
    let mut printer = Printer::new(admin.console.output, Json::Array);
    let mut left = if list.all { u64::MAX } else { u64::from(list.limit) };
    let mut request = request(list)?;
    let next = loop {
        request.limit = u32::try_from(left).unwrap_or(u32::MAX).min(limits::PAGE_SESSIONS_MAX);
        let page = match admin.keeper.sessions().list(request.clone()).await {
            Ok(page) => page,
            Err(error) => return Err(instance::meant(admin, list.select.instance.as_ref(), error.into()).await),
        };
        left = left.saturating_sub(page.sessions.len() as u64);
        let rows: Vec<Row> = page.sessions.into_iter().map(Row::from).collect();
        admin.console.write(printer.page(&rows)?.as_bytes())?;
        match page.next {
            Some(next) if left > 0 => request.token = next,
            next => break next,
        }
    };
    admin.console.write(printer.end().as_bytes())?;
    if let Some(next) = next {
        let (next, output) = (hex(&next), admin.console.output.typed());
        admin.console.say(format_args!("there may be more: `--after {next}{output}` goes on, `--all` shows all"));
    }
    if printer.printed == 0 {
        admin.console.say("no session is like that");
    }
    Ok(())
}

fn request(list: &ListSessions) -> Result<sdk::ListSessions, Failure> {
    Ok(sdk::ListSessions {
        token: list.after.as_ref().map(|token| token.bytes().to_vec()).unwrap_or_default().into(),
        limit: 0,
        selector: list.select.selector(),
        part: list.part.map_or(Ok(Part::WHOLE), |part| Part::new(part.index, part.of))?,
        since_revision: list.since,
    })
}
