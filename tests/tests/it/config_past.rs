//! What was, and publishing it again.

use keeper_client_sdk::{Detail, Edit, Publish, Rollback, Side};
use keeper_tests::InProcess;

const PATH: &str = "push/room.toml";

fn text(max: u32) -> String {
    format!("# as it was at {max}\n[push]\nmax_inflight = {max}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_a_new_revision_with_the_text_that_was() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let first = configs.publish(Edit::put(PATH, text(1))).await.unwrap();
    let second = configs.publish(Edit::put(PATH, text(2))).await.unwrap();
    let deleted = configs.publish(Edit::delete(PATH)).await.unwrap();

    let stale = configs.rollback(Rollback::to(PATH, first.revision).expecting(first.revision)).await.unwrap_err();
    assert_eq!(stale.reason(), "revision-mismatch");
    let tried = configs.dry_run_rollback(Rollback::to(PATH, first.revision)).await.unwrap();
    assert_eq!(tried.documents[0].fields.len(), 1);
    let back = configs.rollback(Rollback::to(PATH, first.revision).author("ann")).await.unwrap();
    assert!(back.revision > deleted.revision);
    let document = configs.get(PATH).await.unwrap().unwrap();
    assert_eq!((document.text, document.version, document.author.as_str()), (text(1), 4, "ann"));
    assert_eq!(document.message, format!("rollback to revision {}", first.revision));
    // Any revision at which the version was in force names it.
    configs.rollback(Rollback::to(PATH, deleted.revision - 1)).await.unwrap();
    assert_eq!(configs.get(PATH).await.unwrap().unwrap().text, text(2));
    configs.rollback(Rollback::to(PATH, deleted.revision)).await.unwrap();
    assert!(configs.get(PATH).await.unwrap().is_none());
    let never = configs.rollback(Rollback::to("never.json", second.revision)).await.unwrap_err();
    assert!(never.to_string().contains("`never.json` had not been published yet at revision"), "{never}");
}

/// A rollback is judged as any publish: what those who read it now cannot read is not published because it once was.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_judged() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let first = keeper.configs().publish(Edit::put(PATH, text(500))).await.unwrap();
    keeper.configs().publish(Edit::put(PATH, text(1))).await.unwrap();
    crate::config_judge::attach(&keeper).await;
    let refused = keeper.configs().rollback(Rollback::to(PATH, first.revision)).await.unwrap_err();
    assert!(refused.to_string().contains("500 is greater than the maximum of 100"), "{refused}");
    keeper.configs().rollback(Rollback::to(PATH, first.revision).forced("known to work")).await.unwrap();
    let history = keeper.configs().history(PATH, 1, Detail::Full).await.unwrap().documents;
    assert_eq!((history[0].text.as_str(), history[0].forced.as_deref()), (&text(500)[..], Some("known to work")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_no_longer_kept_is_refused_with_the_oldest_that_is() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let policy =
        Edit::put("keeper/history", "[prefixes.\"push/\"]\nversions_max = 2\n").format(keeper_client_sdk::Format::Toml);
    configs.publish(policy).await.unwrap();
    let mut revisions = Vec::new();
    for max in 0..5 {
        revisions.push(configs.publish(Edit::put(PATH, text(max))).await.unwrap().revision);
    }
    let history = configs.history(PATH, 10, Detail::Summary).await.unwrap().documents;
    assert_eq!(history.iter().map(|it| it.revision).collect::<Vec<_>>(), [revisions[4], revisions[3], revisions[2]]);
    let refused = configs.rollback(Rollback::to(PATH, revisions[1])).await.unwrap_err().to_string();
    let said = format!(
        "the history of `push/room.toml` does not reach back to revision {}: the oldest version that is kept is that of \
         revision {}",
        revisions[1], revisions[2]
    );
    assert!(refused.contains(&said), "{refused}");
    let refused = configs.diff(Side::at(PATH, revisions[0]), Side::present(PATH)).await.unwrap_err().to_string();
    assert!(refused.contains("does not reach back"), "{refused}");
    configs.rollback(Rollback::to(PATH, revisions[2])).await.unwrap();

    let wrong = Publish::of(Edit::put("keeper/history", "versions = 3\n").format(keeper_client_sdk::Format::Toml));
    let refused = configs.publish(wrong).await.unwrap_err().to_string();
    assert!(refused.contains("line 1, column 1: unknown key `versions`: did you mean `versions_max`?"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_by_fields_and_by_lines() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let first = configs.publish(Edit::put(PATH, text(1))).await.unwrap();
    configs.publish(Edit::put(PATH, text(2))).await.unwrap();
    let compared = configs.diff(Side::at(PATH, first.revision), Side::present(PATH)).await.unwrap();
    let fields: Vec<_> = compared.fields.iter().map(|it| (&it.path[..], it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("push.max_inflight", Some(1.into()), Some(2.into()))]);
    let lines: Vec<_> = compared.text.lines().skip(2).collect();
    let expected = [
        "@@ -1,3 +1,3 @@",
        "-# as it was at 1",
        "+# as it was at 2",
        " [push]",
        "-max_inflight = 1",
        "+max_inflight = 2",
    ];
    assert_eq!(lines, expected, "{}", compared.text);
    let typed =
        configs.diff(Side::present(PATH), Side::text("x.json", "{\"push\":{\"max_inflight\":2}}")).await.unwrap();
    assert!(typed.fields.is_empty() && !typed.text.is_empty());
}
