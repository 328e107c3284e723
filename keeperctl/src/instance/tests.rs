//! Instances as they are printed.

use std::time::Duration;

use super::*;

fn row(id: &str) -> Row {
    let info = InstanceInfo {
        service: "room".into(),
        id: id.into(),
        incarnation: 17,
        endpoints: vec!["10.0.0.1:9000".into()],
        zone: "eu-1".into(),
        weight: 100,
        labels: BTreeMap::from([("rack".into(), "r7".into())]),
        version: "0.1.0".into(),
        ttl: Duration::from_secs(10),
        opened_revision: 5,
        opened_at_ms: 1_795_361_762_345,
        sessions: 1_000,
    };
    info.into()
}

#[test]
fn instances_in_columns() {
    let bare = Row { endpoints: Vec::new(), zone: String::new(), version: String::new(), ..row("room-22") };
    let expected = "\
INSTANCE      INCARNATION  ENDPOINTS      ZONE  VERSION  SESSIONS  OPENED
room/room-1   17           10.0.0.1:9000  eu-1  0.1.0    1000      2026-11-22T15:36:02Z
room/room-22  17           -              -     -        1000      2026-11-22T15:36:02Z
";
    assert_eq!(Rows(vec![row("room-1"), bare]).table(), expected);
}

#[test]
fn one_instance_in_full() {
    let expected = "\
FIELD        VALUE
instance     room/room-1
incarnation  17
endpoints    10.0.0.1:9000
zone         eu-1
weight       100
labels       rack=r7
version      0.1.0
ttl          10000 ms
opened       2026-11-22T15:36:02.345Z at revision 5
sessions     1000
";
    assert_eq!(row("room-1").table(), expected);
}

#[test]
fn instances_as_json() {
    let expected = concat!(
        r#"[{"instance":"room/room-1","incarnation":17,"endpoints":["10.0.0.1:9000"],"zone":"eu-1","weight":100,"#,
        r#""labels":{"rack":"r7"},"version":"0.1.0","ttl_ms":10000,"opened_revision":5,"#,
        r#""opened_at":"2026-11-22T15:36:02.345Z","sessions":1000}]"#,
        "\n"
    );
    assert_eq!(render::json_line(&Rows(vec![row("room-1")])), Ok(expected.to_owned()));
    assert_eq!(render::json_line(&Rows(Vec::new())), Ok("[]\n".to_owned()));
}

#[test]
fn an_unknown_name_is_answered_with_those_meant() {
    let failure = instead(Failure::refused("no"), vec!["room/room-1".into()], SHOW);
    assert_eq!(failure.remedies, ["did you mean: `keeperctl instance show room/room-1`"]);
    let failure = instead(Failure::refused("no"), vec!["room/room-1".into()], FLAG);
    assert_eq!(failure.remedies, ["did you mean: `--instance room/room-1`"]);
    let failure = instead(Failure::refused("no"), Vec::new(), SHOW);
    assert_eq!(failure.remedies, ["see all with `keeperctl instance list`"]);
}
