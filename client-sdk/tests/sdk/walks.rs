//! Walks meet everybody once, wherever they go on.

use std::{collections::BTreeSet, time::Duration};

use keeper_client_sdk::{
    Confirmation, Keeper, KickEnd, KickMatching, KickTarget, Part, Scan, ScanSessions, SessionSelector,
};

use crate::fake::Fake;

async fn with_users(nodes: usize, users: u64) -> anyhow::Result<(Fake, Keeper)> {
    let fake = Fake::start(nodes).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    fake.state.change(|book| {
        book.users = (0..users).map(|number| (format!("user-{number:03}"), number + 1)).collect();
    });
    Ok((fake, keeper))
}

async fn names(scan: &mut Scan) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    while let Some(session) = scan.next().await.transpose()? {
        names.push(session.key.to_string());
    }
    Ok(names)
}

#[tokio::test]
async fn a_walk_goes_on_elsewhere_and_meets_everybody_once() -> anyhow::Result<()> {
    let (mut fake, keeper) = with_users(3, 50).await?;
    fake.state.change(|book| book.break_walks = 4);
    let mut scan = keeper.sessions().scan(ScanSessions::default());
    let mut met = Vec::new();
    while let Some(page) = scan.page().await.transpose()? {
        met.extend(page.into_iter().map(|it| it.key.to_string()));
        if met.len() == 20 {
            let home = fake.state.read(|book| book.walks.last().map(|it| it.0)).unwrap_or_default();
            fake.kill(home).await?;
        }
    }
    let all: Vec<_> = fake.state.read(|book| book.users.keys().cloned().collect());
    assert_eq!((met, scan.at_revision(), scan.token()), (all, Some(100), None));
    let nodes: BTreeSet<_> = fake.state.read(|book| book.walks.iter().map(|it| it.0).collect());
    assert!(nodes.len() > 1, "the walk stayed on {nodes:?}");
    Ok(())
}

#[tokio::test]
async fn a_walk_that_lost_its_place_goes_on_by_itself() -> anyhow::Result<()> {
    let (fake, keeper) = with_users(1, 20).await?;
    fake.state.change(|book| book.idle_walks = 2);
    let mut scan = keeper.sessions().scan(ScanSessions::default());
    let all: Vec<_> = fake.state.read(|book| book.users.keys().cloned().collect());
    assert_eq!(names(&mut scan).await?, all);
    let begun: Vec<_> = fake.state.read(|book| book.walks.iter().map(|it| it.1.token.is_empty()).collect());
    assert_eq!(begun, [true, false, false]);
    Ok(())
}

#[tokio::test]
async fn a_walk_that_cannot_begin_says_why_within_its_patience() -> anyhow::Result<()> {
    let (fake, keeper) = with_users(1, 20).await?;
    fake.state.change(|book| book.walks_full = true);
    let walk = ScanSessions { patience: Some(Duration::from_millis(300)), ..ScanSessions::default() };
    let refused = keeper.sessions().count_scanned(walk.clone()).await.expect_err("there is no place");
    assert_eq!((refused.reason(), refused.is_retryable()), ("full", true));
    let mut scan = keeper.sessions().scan(walk.clone());
    assert!(matches!(scan.next().await, Some(Err(error)) if error.reason() == "full"));
    assert!(scan.next().await.is_none(), "an error is the last item");
    // One that has begun tries for ever.
    fake.state.change(|book| {
        (book.walks_full, book.walks_refused) = (false, 0);
        (book.break_walks, book.broken_walks_fill) = (1, true);
    });
    let mut scan = keeper.sessions().scan(walk);
    scan.page().await.transpose()?;
    let room = async {
        fake.state.until("it has tried again and again", |book| book.walks_refused > 4).await?;
        fake.state.change(|book| book.walks_full = false);
        anyhow::Ok(())
    };
    let (rest, _) = tokio::try_join!(names(&mut scan), room)?;
    assert_eq!(rest.len(), 16);
    Ok(())
}

#[tokio::test]
async fn another_process_goes_on_from_a_token() -> anyhow::Result<()> {
    let (_fake, keeper) = with_users(2, 10).await?;
    let mut scan = keeper.sessions().scan(ScanSessions::default());
    assert_eq!(scan.token().map(|it| it.is_empty()), Some(true));
    let mut met = Vec::new();
    for _ in 0..6 {
        met.extend(scan.next().await.transpose()?.map(|it| it.key.to_string()));
    }
    // Two of the second page were taken, and come again.
    let token = scan.token().cloned().unwrap_or_default();
    let mut rest = keeper.sessions().scan(ScanSessions { token, ..ScanSessions::default() });
    let rest = names(&mut rest).await?;
    assert_eq!((met.len(), rest.len(), &rest[..2]), (6, 6, &met[4..]));
    assert!(scan.tail().is_err(), "the end was not reached");
    Ok(())
}

#[tokio::test]
async fn the_tail_is_what_came_since() -> anyhow::Result<()> {
    let (fake, keeper) = with_users(2, 10).await?;
    let mut scan = keeper.sessions().scan(ScanSessions::default());
    let mut met = vec![scan.next().await.transpose()?.map(|it| it.key.to_string()).unwrap_or_default()];
    fake.state.change(|book| {
        book.revision = 102;
        book.users.insert("user-000-late".into(), 101);
        book.users.insert("zoe".into(), 102);
    });
    met.extend(names(&mut scan).await?);
    assert_eq!(met.len(), 10);
    let mut tail = scan.tail()?;
    assert_eq!(names(&mut tail).await?, ["user-000-late", "zoe"]);
    assert_eq!(tail.at_revision(), Some(102));
    assert_eq!(names(&mut tail.tail()?).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn parts_together_are_the_whole() -> anyhow::Result<()> {
    let (_fake, keeper) = with_users(1, 30).await?;
    let mut met = Vec::new();
    for part in Part::split(4)? {
        let mut scan = keeper.sessions().scan(ScanSessions { part, ..ScanSessions::default() });
        met.extend(names(&mut scan).await?);
    }
    let once: BTreeSet<_> = met.iter().collect();
    assert_eq!((met.len(), once.len()), (30, 30));
    Ok(())
}

#[tokio::test]
async fn a_dry_run_counts_and_the_kick_is_waited_for() -> anyhow::Result<()> {
    let (fake, keeper) = with_users(2, 30).await?;
    let sessions = keeper.sessions();
    let selector = SessionSelector::user_prefix("user-01");
    let matching = sessions.count_matching(selector.clone()).await?;
    assert_eq!((matching.sessions, matching.at_revision), (10, 100));
    assert!(fake.state.read(|book| book.walks.iter().all(|it| it.1.count_only)));
    let refused = sessions.kick_matching(KickMatching::default()).await;
    assert_eq!(refused.err().map(|it| it.reason().to_owned()), Some("invalid".into()));
    let kick = KickMatching { selector: selector.clone(), reason: "maintenance".into(), ..KickMatching::default() };
    let started = sessions.kick_matching(kick).await?;
    let finished = sessions.kick_reached(started.kick, KickEnd::Finished).await?;
    assert_eq!((&finished.target, finished.is_confirmed()), (&KickTarget::Matching(selector), false));
    let confirmed = sessions.kick_reached(started.kick, KickEnd::Confirmed).await?;
    assert_eq!((confirmed.closed, confirmed.gateways[0].confirmation), (3, Confirmation::Confirmed));
    assert_eq!(confirmed.took().map(|it| it.as_millis()), Some(250));
    assert_eq!(sessions.kick_status(9).await.err().map(|it| it.reason().to_owned()), Some("no-such-kick".into()));
    Ok(())
}
