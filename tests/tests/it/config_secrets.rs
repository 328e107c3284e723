//! Secrets lie sealed wherever they lie, and are shown to nobody who was not meant to see them.

use keeper_client_sdk::{Detail, Edit, Keeper, Reader, Rollback, Secrets, Side};
use keeper_tests::InProcess;

const PATH: &str = "push/room.toml";
const TEXT: &str = "# the token of the day\n[push]\ntoken = \"hunter2\" # rotate me\npin = 1234\nname = \"hunter2\"\n";
const MASKED: &str =
    "# the token of the day\n[push]\ntoken = \"••••••\" # rotate me\npin = \"••••••\"\nname = \"hunter2\"\n";
const OLD: &str = "2024:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "2025:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

async fn cluster(nodes: usize, keys: &std::path::Path, reveal: bool) -> InProcess {
    InProcess::start_with(nodes, |settings| {
        settings.secrets.key_file = Some(keys.to_owned());
        settings.secrets.reveal = reveal;
    })
    .await
}

fn put(text: &str) -> Edit {
    Edit::put(PATH, text).secret("push.token").secret("push.pin")
}

/// The text and value that every node has.
async fn kept(cluster: &InProcess) -> String {
    cluster.converge().await;
    let each = (0..cluster.size()).map(|at| {
        cluster.node(at).replica().read(|state| {
            let document = state.config(PATH).expect("it is published");
            format!("{}\n{}", String::from_utf8_lossy(&document.text), String::from_utf8_lossy(&document.value))
        })
    });
    let each: Vec<_> = each.collect();
    assert!(each.windows(2).all(|pair| pair[0] == pair[1]));
    each[0].clone()
}

async fn shown(keeper: &Keeper) -> String {
    keeper.configs().get(PATH).await.unwrap().unwrap().text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sealed_where_it_stands_and_shown_masked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let cluster = cluster(3, &keys, false).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let first = configs.publish(put(TEXT)).await.unwrap();
    let sealed = kept(&cluster).await;
    assert!(sealed.contains("token = \"keeper-secret:v1:2024:") && sealed.contains("# rotate me"), "{sealed}");
    assert!(
        !sealed.contains("1234") && sealed.matches("hunter2").count() == 2,
        "only the name is in the open: {sealed}"
    );

    let misspelt = Edit::put("other.toml", "password = \"hunter3\"\n").secret("passwrod");
    let refused = configs.publish(misspelt).await.expect_err("it would be published in the clear");
    assert!(refused.to_string().contains("there is no field `passwrod` that could be sealed"), "{refused}");

    let document = configs.get(PATH).await.unwrap().unwrap();
    assert_eq!(
        (document.text.as_str(), &document.secrets[..]),
        (MASKED, &["push.pin".to_owned(), "push.token".to_owned()][..])
    );
    let value = document.value().unwrap();
    assert_eq!(value, serde_json::json!({"push": {"token": "••••••", "pin": "••••••", "name": "hunter2"}}));
    let effective = configs.effective(PATH, &Reader::nobody(), Secrets::Masked).await.unwrap();
    let told = String::from_utf8_lossy(&effective.document.unwrap().canonical).into_owned();
    assert!(!told.contains("1234") && told.contains("••••••"), "{told}");
    for refused in [
        configs.reveal(PATH, 0).await.map(|_| ()).unwrap_err(),
        configs.effective(PATH, &Reader::nobody(), Secrets::Revealed).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("its setting secrets.reveal is not true"), "{refused}");
    }

    // Edited as it is shown: the secrets stay what they are, and the same again is no change.
    let same = configs.publish(Edit::put(PATH, MASKED)).await.unwrap();
    assert_eq!((same.changed, same.revision), (false, first.revision));
    assert!(!configs.publish(put(TEXT)).await.unwrap().changed);
    let edited = configs.publish(Edit::put(PATH, MASKED.replace("\"hunter2\"", "\"n\""))).await.unwrap();
    assert_eq!(edited.documents[0].fields.len(), 1, "{edited:?}");
    assert!(kept(&cluster).await.contains("keeper-secret:v1:2024:"));
    // One that was a secret stays one, whoever forgets to say so.
    let changed = configs.publish(Edit::put(PATH, TEXT.replace("hunter2", "other"))).await.unwrap();
    let told: Vec<_> = changed.documents[0].fields.iter().map(|it| (it.path.clone(), it.new.clone())).collect();
    let expected = [("push.name".to_owned(), Some("other".into())), ("push.token".to_owned(), Some("••••••".into()))];
    assert_eq!(told, expected);
    assert!(!kept(&cluster).await.contains("token = \"other\""));

    let history = configs.history(PATH, 10, Detail::Full).await.unwrap().documents;
    assert!(history.iter().all(|it| !it.text.contains("keeper-secret") && !it.text.contains("1234")), "{history:?}");
    let compared = configs.diff(Side::at(PATH, first.revision), Side::present(PATH)).await.unwrap();
    assert!(!format!("{compared:?}").contains("keeper-secret"), "{compared:?}");
    // Nor does it become readable over a deletion.
    configs.publish(Edit::delete(PATH)).await.unwrap();
    configs.publish(Edit::put(PATH, TEXT.replace("1234", "4711"))).await.unwrap();
    let again = kept(&cluster).await;
    assert!(!again.contains("4711") && again.matches("hunter2").count() == 2, "{again}");
    let mut watch = configs.watch(["push/"]);
    let told = watch.next().await.unwrap().unwrap();
    assert!(!told.documents[0].text.contains("keeper-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_shows_them_and_a_new_key_seals_anew() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let mut cluster = cluster(1, &keys, true).await;
    let keeper = cluster.keeper().await;
    let first = keeper.configs().publish(put(TEXT)).await.unwrap();
    assert_eq!(keeper.configs().reveal(PATH, 0).await.unwrap().unwrap().text, TEXT);

    std::fs::write(&keys, format!("{OLD}\n{NEW}\n")).unwrap();
    cluster.stop(0).await;
    cluster.restart(0).await;
    cluster.leader().await;
    let keeper = cluster.keeper().await;
    assert_eq!(keeper.configs().reveal(PATH, 0).await.unwrap().unwrap().text, TEXT, "the old key opens");
    assert!(keeper.configs().publish(Edit::put(PATH, MASKED)).await.unwrap().changed);
    assert!(kept(&cluster).await.contains("keeper-secret:v1:2025:") && !kept(&cluster).await.contains(":2024:"));
    assert_eq!(shown(&keeper).await, MASKED);

    std::fs::write(&keys, NEW).unwrap();
    cluster.stop(0).await;
    cluster.restart(0).await;
    cluster.leader().await;
    let keeper = cluster.keeper().await;
    assert_eq!(keeper.configs().reveal(PATH, 0).await.unwrap().unwrap().text, TEXT);
    let refused = keeper.configs().rollback(Rollback::to(PATH, first.revision)).await.unwrap_err().to_string();
    let keys = keeper.configs().secret_keys("push/").await.unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (&*key.id, key.fields, key.past_versions)).collect();
    assert_eq!(keys, [("2024", 0, 1), ("2025", 2, 0)], "the history needs the old one");
    assert!(refused.contains("push.pin is sealed with key 2024, which this node does not have"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_says_what_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let cluster = cluster(1, &keys, false).await;
    let keeper = cluster.keeper().await;
    let schema = r#"{"paths": ["push/*"], "schema": {"properties": {"push": {"properties": {
        "token": {"type": "string", "maxLength": 7, "x-keeper-secret": true}}}}}}"#;
    keeper.configs().publish(Edit::put("push/late.yaml", "push:\n  token: hunter3\n")).await.unwrap();
    let attached = keeper.configs().publish(Edit::put("keeper/schemas/push.json", schema)).await.unwrap();
    assert!(attached.notes[0].starts_with("push/late.yaml is published with push.token in the clear"), "{attached:?}");
    keeper.configs().publish(Edit::put("push/a.yaml", "push:\n  token: hunter2 # t\n")).await.unwrap();
    let document = keeper.configs().get("push/a.yaml").await.unwrap().unwrap();
    assert_eq!(
        (document.text.as_str(), &document.secrets[..]),
        ("push:\n  token: •••••• # t\n", &["push.token".to_owned()][..])
    );
    // It is judged as it is read, and nothing of it is told.
    let refused = keeper.configs().publish(Edit::put("push/a.yaml", "push:\n  token: hunter234\n")).await.unwrap_err();
    assert!(refused.to_string().contains("push.token") && !refused.to_string().contains("hunter234"), "{refused}");
    let refused = keeper.configs().publish(Edit::put("push/b.yaml", "push:\n  token: [a]\n")).await.unwrap_err();
    assert!(
        refused.to_string().contains("push.token is a secret and has to be a text, a number or a boolean"),
        "{refused}"
    );
    let refused = keeper.configs().publish(Edit::put("push/b.yaml", "push:\n  token: ••••••\n")).await.unwrap_err();
    assert!(refused.to_string().contains("push.token stands masked, and nothing is sealed there"), "{refused}");
}

/// The next entry used to be given the secret of the one that was removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_list_goes_with_its_entry() {
    const USERS: &str = "[[push.users]]\nname = \"a\"\npw = \"one\"\n[[push.users]]\nname = \"b\"\npw = \"two\"\n";
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let cluster = cluster(1, &keys, true).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let put = Edit::put(PATH, USERS).secret("push.users[0].pw").secret("push.users[1].pw");
    configs.publish(put).await.unwrap();
    let masked = shown(&keeper).await;
    let (_, second) = masked.split_at(masked.len() / 2);
    let renamed = configs.publish(Edit::put(PATH, second.replace("\"b\"", "\"c\""))).await.unwrap_err().to_string();
    assert!(renamed.contains("push.users[0].pw stands masked, and its list has changed"), "{renamed}");
    configs.publish(Edit::put(PATH, second)).await.unwrap();
    let (_, b) = USERS.split_at(USERS.len() / 2);
    assert_eq!(configs.reveal(PATH, 0).await.unwrap().unwrap().text, b);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_secret_is_refused() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let refused = keeper.configs().publish(put(TEXT)).await.unwrap_err().to_string();
    assert!(refused.contains("push.pin is a secret, and this node has no key to seal it with"), "{refused}");
    assert!(refused.contains("secrets.key_file"), "{refused}");
    let refused = keeper.configs().publish(Edit::put(PATH, TEXT).secret("push..x")).await.unwrap_err().to_string();
    assert!(refused.contains("`push..x` is no field"), "{refused}");
    assert!(keeper.configs().get(PATH).await.unwrap().is_none());
}

/// The same secret is sealed otherwise each time. A publish that is asked again is the same all the same, whatever was
/// published since.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_published_again_by_the_same_request_gets_its_first_answer() {
    use keeper_proto::v1 as wire;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let cluster = cluster(3, &keys, false).await;
    let keeper = cluster.keeper().await;
    let leader = crate::follow_raw::Raw::leader(&cluster).await;
    let put = wire::publish_request::Put { text: TEXT.to_owned(), secrets: vec!["push.token".to_owned()], format: 0 };
    let action = Some(wire::publish_request::change::Action::Put(put));
    let change = wire::publish_request::Change { path: PATH.to_owned(), action, expected_revision: None };
    let request = wire::PublishRequest { changes: vec![change], request_id: vec![7; 16].into(), ..Default::default() };
    let first = leader.configs().publish(request.clone()).await.unwrap().into_inner();
    let between = keeper.configs().publish(Edit::put(PATH, TEXT.replace("hunter2", "other"))).await.unwrap();
    assert!(between.changed && between.revision > first.revision);
    let again = leader.configs().publish(request.clone()).await.unwrap().into_inner();
    assert_eq!((again.revision, again.changed), (first.revision, true));
    // Even if nobody would publish it by now.
    let schema = r#"{"paths": ["push/*"], "schema": {"type": "string"}}"#;
    keeper.configs().publish(Edit::put("keeper/schemas/push.json", schema)).await.unwrap();
    let again = leader.configs().publish(request).await.unwrap().into_inner();
    assert_eq!((again.revision, again.changed), (first.revision, true));
    assert!(!shown(&keeper).await.contains("hunter2"));
}
