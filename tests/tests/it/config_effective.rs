//! What an instance runs with, and which layer gave each field.

use keeper_client_sdk::{Edit, Publish, Reader, Secrets};
use keeper_tests::InProcess;

const PATH: &str = "push/room.toml";

#[tokio::test(flavor = "multi_thread")]
async fn each_field_names_the_layer_that_gave_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let configs = keeper.configs();
    let layers = Publish::of(Edit::put(PATH, "greeting = \"hi\"\nrings = [1, 2]\n[push]\nmax = 1\nmin = 0\n"))
        .and(Edit::put("push/room.toml@zone=eu-1", "rings = [3]\n[push]\nmax = 2\n"))
        .and(
            Edit::put("push/room.toml@service=room", "{\"push\": {\"min\": null}}")
                .format(keeper_client_sdk::Format::Json),
        )
        .and(Edit::put("push/room.toml@label.ring=canary", "[push]\nmax = 3\n"));
    let published = configs.publish(layers).await.unwrap();
    let room = keeper.instance("room", "a").zone("eu-1").label("ring", "canary").open().await.unwrap();
    let open = Reader::instance("room", "a");
    let described = Reader::service("room").zone("eu-1").label("ring", "canary").label("app", "x");
    for reader in [open, described] {
        let effective = configs.effective(PATH, &reader, Secrets::Masked).await.unwrap();
        let document = effective.document.expect("there is one");
        assert_eq!(document.revision, published.revision);
        assert_eq!(&document.canonical[..], br#"{"greeting":"hi","push":{"max":3},"rings":[3]}"#);
        let fields: Vec<_> = effective.fields.iter().map(|it| (it.path.as_str(), it.key.as_str())).collect();
        let expected = [
            ("greeting", "push/room.toml"),
            ("push.max", "push/room.toml@label.ring=canary"),
            ("rings", "push/room.toml@zone=eu-1"),
        ];
        assert_eq!(fields, expected);
        let keys: Vec<_> = effective.layers.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
        assert_eq!((keys[0], keys[3]), ("push/room.toml", "push/room.toml@label.ring=canary"));
    }
    let nobody = configs.effective(PATH, &Reader::nobody(), Secrets::Masked).await.unwrap();
    assert_eq!(nobody.layers.len(), 1);
    assert!(configs.effective("none.toml", &Reader::nobody(), Secrets::Masked).await.unwrap().document.is_none());

    room.close().await.unwrap();
    let refused = configs.effective(PATH, &Reader::instance("room", "a"), Secrets::Masked).await.unwrap_err();
    assert!(refused.to_string().contains("no instance room/a is open"), "{refused}");
    let refused = configs.effective("push/room.toml@zone=x", &Reader::nobody(), Secrets::Masked).await.unwrap_err();
    assert!(refused.to_string().contains("an instance reads `push/room.toml`"), "{refused}");
}
