//! `keeperctl session scan --count`: the servers count, and no session travels.

use futures_util::future::try_join_all;
use keeper_client_sdk as sdk;

use crate::{
    admin::Admin, args::ScanSessions, failure::Failure, instance, interrupt::Interrupt,
    session::scan::progress::Progress,
};

pub(super) async fn count(
    admin: &mut Admin<'_, '_>,
    scan: &ScanSessions,
    progress: &mut Progress,
    walks: Vec<(usize, sdk::ScanSessions)>,
) -> Result<(), Failure> {
    let sessions = admin.keeper.sessions();
    let counts = walks.into_iter().map(|(part, walk)| {
        let sessions = sessions.clone();
        async move { sessions.count_scanned(walk).await.map(|matching| (part, matching)) }
    });
    let mut interrupt = Interrupt::listen();
    let counted = tokio::select! {
        counted = try_join_all(counts) => counted,
        () = interrupt.came() => return Err(Failure::failed("stopped before everything was counted")),
    };
    match counted {
        Ok(counts) => {
            for (part, matching) in counts {
                progress.told(part, matching.at_revision, matching.sessions, None);
            }
            admin.console.print(&progress.counted())
        }
        Err(error) => Err(instance::meant(admin, scan.select.instance.as_ref(), error.into()).await),
    }
}
