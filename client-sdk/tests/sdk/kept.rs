//! A process that starts while no node answers begins with what it kept on disk.

use std::{fs, path::Path, time::Duration};

use keeper_client_sdk::{Edit, Error, Keeper, KeptProblem, LastKnownGood, Origin};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::fake::Fake;

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Room {
    max: u8,
}

fn room(max: u32) -> String {
    json!({"max": max}).to_string()
}

fn client(endpoints: &[String]) -> Result<Keeper, Error> {
    Keeper::builder().endpoints(endpoints).build()
}

fn good(folder: &Path) -> LastKnownGood {
    LastKnownGood::in_folder(folder).after(Duration::from_millis(300))
}

/// Runs with a value once, so that it is kept.
async fn keep(folder: &Path, max: u32) -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = client(&fake.endpoints)?;
    keeper.configs().publish(Edit::put("push/room.json", room(1))).await?;
    let room_1 = keeper.instance("room", "room-1");
    let mut config = room_1.config::<Room>("push/room.json").last_known_good(good(folder)).await?;
    assert_eq!(config.origin(), Origin::Cluster);
    keeper.configs().publish(Edit::put("push/room.json", room(max))).await?;
    config.changed().await?;
    // What does not fit is not kept.
    keeper.configs().publish(Edit::put("push/room.json", room(300))).await?;
    config.changed().await.expect_err("300 is no u8");
    kept_is(folder, max).await
}

/// Waits until the file holds a value.
async fn kept_is(folder: &Path, max: u32) -> anyhow::Result<()> {
    let wanted = room(max);
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..2_000 {
        pause.tick().await;
        let text = fs::read_to_string(folder.join("push+room.json.kept")).unwrap_or_default();
        if text.lines().last() == Some(&wanted) {
            return Ok(());
        }
    }
    anyhow::bail!("{wanted} is not kept")
}

#[tokio::test]
async fn it_is_used_when_no_node_answers_and_replaced_when_one_does() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    keep(folder.path(), 2).await?;
    let mut fake = Fake::start(1).await?;
    let address = fake.endpoints[0].clone();
    fake.kill(0).await?;
    let keeper = client(std::slice::from_ref(&address))?;
    let room_1 = keeper.instance("room", "room-1");
    let mut config = room_1.config::<Room>("push/room.json").last_known_good(good(folder.path())).await?;
    let Origin::LastKnownGood { age } = config.origin() else { anyhow::bail!("nobody else could have said it") };
    assert!(config.borrow().max == 2 && age < Duration::from_secs(60), "{age:?}");

    fake.state.change(|book| book.revision = 500);
    fake.restart(0).await?;
    client(std::slice::from_ref(&address))?.configs().publish(Edit::put("push/room.json", room(7))).await?;
    let change = config.changed().await?;
    let fields: Vec<_> = change.fields.iter().map(|it| (it.path.as_str(), it.old.clone(), it.new.clone())).collect();
    assert_eq!(fields, [("max", Some(json!(2)), Some(json!(7)))]);
    assert_eq!((config.borrow().max, config.origin()), (7, Origin::Cluster));
    kept_is(folder.path(), 7).await
}

#[tokio::test]
async fn it_is_used_when_what_is_published_does_not_fit() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    keep(folder.path(), 2).await?;
    let fake = Fake::start(1).await?;
    let keeper = client(&fake.endpoints)?;
    keeper.configs().publish(Edit::put("push/room.json", room(300))).await?;
    let room_1 = keeper.instance("room", "room-1");
    let mut config = room_1.config::<Room>("push/room.json").last_known_good(good(folder.path())).await?;
    assert_eq!(config.borrow().max, 2);
    assert_eq!(config.changed().await.expect_err("it is told").reason(), "misfit");
    keeper.configs().publish(Edit::put("push/room.json", room(3))).await?;
    assert_eq!(config.changed().await?.value.max, 3);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name_and_what_is_not_there_is_no_excuse() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut fake = Fake::start(1).await?;
    fake.kill(0).await?;
    let keeper = client(&fake.endpoints)?;
    let room_1 = keeper.instance("room", "room-1");
    let open = |options: LastKnownGood| room_1.config::<Room>("push/room.json").last_known_good(options).open();
    let error = open(good(folder.path())).await.expect_err("nothing is kept");
    assert_eq!(error.reason(), "unreachable", "{error}");

    keep(folder.path(), 2).await?;
    let file = folder.path().join("push+room.json.kept");
    let told = |error: Error| {
        let Error::Kept { file: named, problem, .. } = &error else { panic!("not refused by name: {error}") };
        assert_eq!(*named, file);
        *problem
    };
    let asked = good(folder.path()).refuse_if(|kept| Err(format!("revision {} is not wanted", kept.revision)));
    assert_eq!(told(open(asked).await.expect_err("not wanted")), KeptProblem::Refused);
    // It waits for a node for longer than that.
    let old = good(folder.path()).refuse_older_than(Duration::from_millis(100));
    assert_eq!(told(open(old).await.expect_err("too old")), KeptProblem::TooOld);

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only that it does not fit counts")]
    struct Other {
        zone: String,
    }
    let other = room_1.config_of_any::<Other>("push/room.json").last_known_good(good(folder.path())).await;
    let error = other.expect_err("another type");
    assert!(error.to_string().ends_with("is not used: missing field `zone`"), "{error}");
    assert_eq!(told(error), KeptProblem::Misfit);

    fs::write(&file, "keeper")?;
    assert_eq!(told(open(good(folder.path())).await.expect_err("damaged")), KeptProblem::Damaged);
    Ok(())
}
