//! `keeperctl session scan`: a walk for a broadcast, in parts side by side.
//!
//! Pages are printed as they come, each whole, in no order between parts. However it ends early (Ctrl-C, a failure), it
//! says what to type to go on: then nothing is printed twice, and nothing is left out.

mod count;
mod part;
mod progress;

use futures_util::{StreamExt, stream};
use keeper_client_sdk::Error;

use crate::{
    admin::Admin,
    args::{PartStanding, ScanSessions, Standing},
    failure::Failure,
    instance,
    interrupt::Interrupt,
    session::{
        printer::{Json, Printer},
        row::Row,
        scan::{
            part::{Page, walks},
            progress::{Progress, Typed},
        },
    },
};

pub(super) async fn scan(admin: &mut Admin<'_, '_>, scan: &ScanSessions) -> Result<(), Failure> {
    let standing = scan.resume.clone().unwrap_or_else(|| Standing(vec![PartStanding::New; scan.parts as usize]));
    let walks = walks(scan, &standing, admin.timeout)?;
    let typed =
        Typed { select: scan.select.clone(), rate: scan.rate, since: scan.since.clone(), output: admin.console.output };
    let mut progress = Progress::new(typed, standing);
    if walks.is_empty() {
        admin.console.say("nothing is left to walk: every part was walked to its end");
        return told_of_tail(admin, &progress);
    }
    if scan.count {
        return count::count(admin, scan, &mut progress, walks).await;
    }
    let sessions = admin.keeper.sessions();
    let pages = walks.into_iter().map(|(part, walk)| part::pages(part, sessions.scan(walk)).boxed_local());
    let mut pages = stream::select_all(pages);
    let mut printer = Printer::new(admin.console.output, Json::Lines);
    let mut interrupt = Interrupt::listen();
    loop {
        let page = tokio::select! {
            page = pages.next() => page,
            () = interrupt.came() => return Err(stopped(&progress)),
        };
        match page {
            Some(Ok(page)) => tell(admin, &mut printer, &mut progress, page)?,
            Some(Err(error)) => return Err(failed(admin, scan, &progress, error).await),
            None => break,
        }
    }
    admin.console.say(told(&progress));
    told_of_tail(admin, &progress)
}

fn told_of_tail(admin: &mut Admin<'_, '_>, progress: &Progress) -> Result<(), Failure> {
    if let Some(tail) = progress.tail() {
        admin.console.say(format_args!("those registered since: `{tail}`"));
    }
    Ok(())
}

fn tell(admin: &mut Admin<'_, '_>, printer: &mut Printer, progress: &mut Progress, page: Page) -> Result<(), Failure> {
    let matched = page.sessions.len() as u64;
    let rows: Vec<Row> = page.sessions.into_iter().map(Row::from).collect();
    admin.console.write(printer.page(&rows)?.as_bytes())?;
    progress.told(page.part, page.at_revision, matched, page.next.as_deref());
    Ok(())
}

async fn failed(admin: &Admin<'_, '_>, scan: &ScanSessions, progress: &Progress, error: Error) -> Failure {
    let failure = instance::meant(admin, scan.select.instance.as_ref(), error.into()).await;
    if progress.matched() == 0 { failure } else { failure.remedy(told(progress)).remedy(go_on(progress)) }
}

fn stopped(progress: &Progress) -> Failure {
    Failure::failed(format!("stopped; {}", told(progress))).remedy(go_on(progress))
}

fn told(progress: &Progress) -> String {
    format!("{} sessions were told", progress.matched())
}

fn go_on(progress: &Progress) -> String {
    format!("go on with `{}`", progress.resume())
}
