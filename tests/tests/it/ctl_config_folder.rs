//! A folder is the truth: `keeperctl config export` and `apply` against a real cluster.

use std::path::{Path, PathBuf};

use keeper_client_sdk::{Edit, Format, Publish};
use keeper_tests::InProcess;

use crate::ctl::{Ctl, words};

struct Folder(PathBuf);

impl Folder {
    fn of(ctl: &Ctl) -> Self {
        let inside = ctl.file("beside", "");
        Self(Path::new(&inside).parent().unwrap().join("configs"))
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.0.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_an_export_changes_nothing_and_an_edited_one_is_one_publish() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let publish = Publish::of(Edit::put("push/room.toml", "# why\nmax = 1\n"))
        .and(Edit::put("push/room.toml@zone=eu-1", "max = 2\n"))
        .and(Edit::put("push/room.toml@label.app=x,label.ring=canary", "max = 3\n"))
        .and(Edit::put("push/flags.conf", "on: true\n").format(Format::Yaml))
        .and(Edit::put("gate.yml", "a: [1]\n"))
        .and(Edit::put("odd.toml", "{\"a\": 1}").format(Format::Json));
    keeper.configs().publish(publish).await.unwrap();
    let folder = Folder::of(&ctl);
    let exported = ctl.json(&["config", "export", &folder.name()]).await;
    let files: Vec<_> = exported["files"].as_array().unwrap().iter().map(|row| row["file"].as_str().unwrap()).collect();
    let expected = [
        "gate.yml",
        "odd.toml+.json",
        "push/flags.conf+.yaml",
        "push/room.toml",
        "push/room@label.app=x,label.ring=canary.toml",
        "push/room@zone=eu-1.toml",
    ];
    assert_eq!(files, expected);
    let before = ctl.json(&["config", "list"]).await;
    let same = ctl.run(&["config", "apply", &folder.name(), "--prune"]).await;
    assert!(same.status.success() && words(&same).contains("the documents are what"), "{}", words(&same));
    assert_eq!(ctl.json(&["config", "list"]).await["documents"], before["documents"]);

    folder.write("push/room.toml", "# why\nmax = 10\n");
    folder.write("new/a.ini", "[s]\nk = v\n");
    folder.write(".git/config.toml", "not = 'a document'\n");
    folder.write("README.md", "words\n");
    std::fs::remove_file(folder.0.join("gate.yml")).unwrap();
    let applied = ctl.run(&["config", "apply", &folder.name(), "--message", "from the folder"]).await;
    assert!(applied.status.success(), "{}", words(&applied));
    assert!(words(&applied).contains("passed over, for they are no documents: .git,README.md"), "{}", words(&applied));
    let list = ctl.json(&["config", "list"]).await;
    let list = list["documents"].as_array().unwrap();
    let at = |path: &str| list.iter().find(|row| row["path"] == path).map(|row| row["revision"].clone());
    assert_eq!(at("push/room.toml"), at("new/a.ini"));
    assert!(at("gate.yml").is_some(), "what the folder does not hold stays");
    ctl.json(&["config", "apply", &folder.name(), "--prune"]).await;
    assert_eq!(ctl.run(&["config", "get", "gate.yml"]).await.status.code(), Some(1));
    let pruned = ctl.json(&["config", "export", &folder.name(), "--prune"]).await;
    assert!(pruned["files"].as_array().unwrap().iter().all(|row| row["change"] == "unchanged"), "{pruned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_one_publish_can_hold_are_refused_unless_several_will_do() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let folder = Folder::of(&ctl);
    for n in 0..65 {
        folder.write(&format!("many/{n}.toml"), &format!("n = {n}\n"));
    }
    folder.write("many/7.toml", "n = = 7\n");
    folder.write("many/8.toml", "n = 8\nn = 9\n");
    folder.write("many/a@b.toml", "n = 8\n");
    let unsound = ctl.run(&["config", "apply", &folder.name(), "--in-batches", "--dry-run"]).await;
    let said = words(&unsound);
    assert!(said.contains("error: 3 files cannot be applied, so nothing was"), "every one of them: {said}");
    assert!(said.contains("  many/7.toml: line 1, column 5") && said.contains("  1 | n = = 7"), "{said}");
    assert!(said.contains("  many/8.toml: ") && said.contains("  many/a@b.toml: "), "{said}");
    std::fs::remove_file(folder.0.join("many/a@b.toml")).unwrap();
    folder.write("many/8.toml", "n = 8\n");
    let unsound = ctl.run(&["config", "apply", &folder.name(), "--prefix", "many/7.toml"]).await;
    assert_eq!(unsound.status.code(), Some(1));
    assert!(words(&unsound).contains("error: many/7.toml: line 1, column 5"), "{}", words(&unsound));
    folder.write("many/7.toml", "n = 7\n");
    let refused = ctl.run(&["config", "apply", &folder.name()]).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = words(&refused);
    assert!(said.contains("65 changes are more than one publish can hold: at most 64 documents"), "{said}");
    assert!(said.contains("`--in-batches`"), "{said}");
    assert_eq!(ctl.json(&["config", "list"]).await["documents"].as_array().map(Vec::len), Some(0));
    let applied = ctl.run(&["config", "apply", &folder.name(), "--in-batches"]).await;
    assert!(
        words(&applied).contains("published: 65 documents in 2 publishes, the last at revision"),
        "{}",
        words(&applied)
    );
    assert_eq!(ctl.json(&["config", "list"]).await["documents"].as_array().map(Vec::len), Some(65));
}
