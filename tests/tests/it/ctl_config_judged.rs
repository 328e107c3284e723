//! Changes of configs as admins make them: judged, forced, taken back, compared, edited and sealed.

use keeper_tests::InProcess;
use serde_json::{Value, json};

use crate::ctl::{Ctl, words};

const PATH: &str = "push/room.toml";
const SCHEMA: &str = r#"{"paths": ["push/*.toml"], "schema": {"type": "object", "properties": {
    "max_inflight": {"type": "integer", "maximum": 65535}}}}"#;

fn data(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_against_a_change_is_told_and_may_be_overruled_with_a_reason() {
    let cluster = InProcess::start(3).await;
    let ctl = Ctl::of(&cluster);
    ctl.json(&["config", "put", "keeper/schemas/push", &ctl.file("schema.json", SCHEMA), "--format", "json"]).await;
    let sound = ctl.file("sound.toml", "# why\nmax_inflight = 64\n");
    let large = ctl.file("large.toml", "# why\nmax_inflight = 70000\n");
    let first = ctl.json(&["config", "put", PATH, &sound]).await;

    let dry = ctl.run(&["config", "put", PATH, &large, "--dry-run"]).await;
    assert_eq!(dry.status.code(), Some(1), "{}", words(&dry));
    assert_eq!(data(&dry), "push/room.toml changed: nobody runs with it\n  ~ max_inflight: 64 -> 70000\n");
    assert!(words(&dry).contains("70000 is greater than the maximum of 65535"), "{}", words(&dry));
    assert!(words(&dry).contains("1 thing speaks against it: it would be refused"), "{}", words(&dry));
    let linted = ctl.run(&["config", "lint", &large, "--as", PATH]).await;
    assert_eq!(linted.status.code(), Some(1), "{}", words(&linted));
    assert!(words(&linted).contains("70000 is greater than the maximum of 65535"), "{}", words(&linted));
    assert!(ctl.run(&["config", "lint", &large]).await.status.success(), "alone it is sound");
    let refused = ctl.run(&["config", "put", PATH, &large]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("70000 is greater than the maximum of 65535"), "{}", words(&refused));
    assert!(words(&refused).contains("publish it all the same with `--force REASON`"), "{}", words(&refused));
    assert_eq!(ctl.json(&["config", "get", PATH]).await["revision"], first["revision"], "the running value stays");

    let forced = ctl.run(&["config", "put", PATH, &large, "--force", "tested by hand"]).await;
    assert!(forced.status.success() && words(&forced).contains("overruled: "), "{}", words(&forced));
    let history = ctl.run(&["config", "history", PATH]).await;
    assert!(
        data(&history).contains("FORCED BECAUSE\n") && data(&history).contains("tested by hand"),
        "{}",
        data(&history)
    );
    let rolled = ctl.run(&["config", "rollback", PATH, &first["revision"].to_string(), "--dry-run"]).await;
    assert_eq!(data(&rolled), "push/room.toml changed: nobody runs with it\n  ~ max_inflight: 70000 -> 64\n");
    ctl.json(&["config", "rollback", PATH, &first["revision"].to_string()]).await;
    let newest = ctl.json(&["config", "history", PATH, "--limit", "1"]).await;
    let message = newest["documents"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, format!("rollback to revision {}", first["revision"]));
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), "# why\nmax_inflight = 64\n");
    let gone = ctl.run(&["config", "rollback", PATH, "1"]).await;
    assert_eq!(gone.status.code(), Some(1), "{}", words(&gone));
    assert!(words(&gone).contains("keeperctl config history push/room.toml"), "{}", words(&gone));
}

/// A refused promotion named no way out.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_is_spoken_against_is_promoted_with_a_reason() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let large = ctl.file("large.toml", "max_inflight = 70000\n");
    ctl.json(&["config", "rollout", "start", PATH, &large, "--stage", "100%"]).await;
    ctl.json(&["config", "put", "keeper/schemas/push", &ctl.file("schema.json", SCHEMA), "--format", "json"]).await;
    let refused = ctl.run(&["config", "rollout", "promote", PATH]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("70000 is greater than the maximum of 65535\n"), "{}", words(&refused));
    assert!(words(&refused).contains("promote it all the same with `--force REASON`"), "{}", words(&refused));
    let promoted = ctl.run(&["config", "rollout", "promote", PATH, "--force", "tested by hand"]).await;
    assert!(promoted.status.success(), "{}", words(&promoted));
}

/// A deletion is a version like any other: it is taken back, made again, and refused by its name where it is so.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_to_a_deletion_says_so() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let first = ctl.json(&["config", "put", PATH, &ctl.file("room.toml", "max_inflight = 64\n")]).await;
    let deleted = ctl.json(&["config", "delete", PATH]).await["revision"].to_string();
    for options in [&[][..], &["--dry-run"]] {
        let refused = ctl.run(&[&["config", "rollback", PATH, &deleted][..], options].concat()).await;
        assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
        let said = format!("push/room.toml was deleted at revision {deleted} by ");
        assert!(words(&refused).contains(&said), "{}", words(&refused));
    }
    ctl.json(&["config", "rollback", PATH, &first["revision"].to_string()]).await;
    let again = ctl.run(&["config", "rollback", PATH, &deleted]).await;
    assert!(again.status.success(), "{}", words(&again));
    let said = format!("push/room.toml was deleted at revision {deleted}, and is deleted again");
    assert!(words(&again).contains(&said), "{}", words(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_compared_by_the_servers() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    let mut revisions = Vec::new();
    for text in ["a = 1\n# same\n", "a = 2\n# same\n", "a = 2\n# other\n"] {
        let put = ctl.json(&["config", "put", "a.toml", &ctl.file("a.toml", text)]).await;
        revisions.push(put["revision"].as_u64().unwrap());
    }
    let diff = async |more: &[&str]| ctl.run(&[&["config", "diff", "a.toml"], more].concat()).await;
    let last = diff(&[]).await;
    assert!(
        data(&last).is_empty() && words(&last).contains("written differently: `--text` shows how"),
        "{}",
        words(&last)
    );
    let text = data(&diff(&["--text"]).await);
    assert!(text.ends_with("@@ -1,2 +1,2 @@\n a = 2\n-# same\n+# other\n"), "{text}");
    let since = data(&diff(&["--from", &revisions[0].to_string()]).await);
    let expected = format!("a.toml: revision {} -> revision {}\n  ~ a: 1 -> 2\n", revisions[0], revisions[2]);
    assert_eq!(since, expected);
    let first = data(&diff(&["--to", &revisions[0].to_string()]).await);
    assert_eq!(first, format!("a.toml: nothing -> revision {}\n  + a: 1\n", revisions[0]));
    let file = ctl.file("b.toml", "a = 2\nb = [1]\n");
    assert!(data(&diff(&["--file", &file]).await).ends_with("\n  + b: [1]\n"));
    let broken = diff(&["--file", &ctl.file("c.toml", "a = = 2\n")]).await;
    assert_eq!(broken.status.code(), Some(1));
    assert!(words(&broken).contains("1 | a = = 2"), "{}", words(&broken));
    ctl.json(&["config", "delete", "a.toml"]).await;
    let gone = data(&diff(&[]).await);
    assert!(gone.contains("(deleted)") && gone.ends_with("\n  - a: 2\n"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_an_effective_document_has_its_layer() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let _room = keeper.instance("room", "r1").zone("eu-1").label("ring", "canary").open().await.unwrap();
    for (path, file, text) in [
        (PATH, "base.toml", "max_inflight = 64\nports = [1, 2]\n[tls]\non = true\nold = 1\n"),
        ("push/room.toml@zone=eu-1", "zone.yaml", "ports: [3]\ntls: {old: null}\n"),
        ("push/room.toml@label.ring=canary", "ring.toml", "max_inflight = 65\n"),
    ] {
        let format = file.rsplit('.').next().unwrap();
        ctl.json(&["config", "put", path, &ctl.file(file, text), "--format", format]).await;
    }
    let explained = ctl.json(&["config", "effective", PATH, "--for", "room/r1", "--explain"]).await;
    assert_eq!(explained["value"], json!({"max_inflight": 65, "ports": [3], "tls": {"on": true}}));
    let from: Vec<_> = explained["fields"].as_array().unwrap().iter().map(|it| (&it["path"], &it["layer"])).collect();
    let expected =
        [("max_inflight", "push/room.toml@label.ring=canary"), ("ports", "push/room.toml@zone=eu-1"), ("tls.on", PATH)];
    assert_eq!(
        from,
        expected
            .map(|(path, layer)| (path.into(), layer.into()))
            .iter()
            .map(|(a, b)| (a, b))
            .collect::<Vec<(&Value, &Value)>>()
    );
    let shown = ctl.run(&["config", "effective", PATH, "--for", "room", "--zone", "us-1"]).await;
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["ports"], json!([1, 2]));
    let nobody = ctl.run(&["config", "effective", PATH, "--for", "room/r2"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{}", words(&nobody));
    let nothing = ctl.run(&["config", "effective", "no/such.toml"]).await;
    assert_eq!(nothing.status.code(), Some(1), "{}", words(&nothing));

    let converted = ctl.run(&["config", "convert", &ctl.file("c.toml", "# gone\na = [1, 2]\n"), "--to", "json"]).await;
    assert_eq!(serde_json::from_slice::<Value>(&converted.stdout).unwrap(), json!({"a": [1, 2]}));
    let unsayable = ctl.run(&["config", "convert", &ctl.file("n.json", "{\"a\": null}"), "--to", "toml"]).await;
    assert_eq!(unsayable.status.code(), Some(1), "{}", words(&unsayable));
}

/// An editor that does its work by a script, and sees to it that somebody else is faster.
async fn edit(ctl: &Ctl, script: &str, more: &[&str]) -> std::process::Output {
    let editor = ctl.file("editor.sh", &format!("#!/bin/sh\n{script}\n"));
    let mut edit = ctl.command(&[&["config", "edit", PATH], more].concat());
    edit.env("VISUAL", format!("sh {editor}")).env_remove("EDITOR");
    edit.env("CTL", keeper_tests::binary("keeperctl"));
    tokio::task::spawn_blocking(move || edit.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_comes_too_late_is_merged_or_kept() {
    let cluster = InProcess::start(3).await;
    let ctl = Ctl::of(&cluster);
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", "# why\na = 1\n\n# how\nb = 1\n")]).await;
    let theirs = ctl.file("theirs.toml", "# why\na = 1\n\n# how\nb = 2\n");
    let endpoints = cluster.endpoint(0);
    let other = format!("\"$CTL\" --endpoints {endpoints} config put {PATH} {theirs} -m theirs >/dev/null");
    let merged = edit(&ctl, &format!("sed -i 's/a = 1/a = 7/' \"$1\"\n{other}"), &["--yes"]).await;
    assert!(merged.status.success(), "{}", words(&merged));
    assert!(words(&merged).contains("merged: the two changes do not touch each other"), "{}", words(&merged));
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), "# why\na = 7\n\n# how\nb = 2\n");

    // Both changed the same field: nobody can be asked here, so the text is kept, and theirs stands.
    let theirs = ctl.file("theirs.toml", "# why\na = 8\n\n# how\nb = 2\n");
    let other = format!("\"$CTL\" --endpoints {endpoints} config put {PATH} {theirs} -m theirs >/dev/null");
    let kept = edit(&ctl, &format!("sed -i 's/a = 7/a = 9/' \"$1\"\n{other}"), &["--yes"]).await;
    assert_eq!(kept.status.code(), Some(1), "{}", words(&kept));
    let said = words(&kept);
    assert!(said.contains("a: was 7, theirs is 8; yours stands: 9"), "{said}");
    let file = said.split("the edited text is kept in ").nth(1).unwrap().trim().to_owned();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# why\na = 9\n\n# how\nb = 2\n");
    std::fs::remove_file(file).unwrap();
    assert_eq!(ctl.json(&["config", "get", PATH]).await["value"]["a"], 8);

    // A merge that costs comments is none where nobody can look at it.
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", "t = { a = 1, b = 2 } # ours\n")]).await;
    let theirs = ctl.file("theirs.toml", "t = { a = 1, b = 2, c = 3 } # theirs\n");
    let other = format!("\"$CTL\" --endpoints {endpoints} config put {PATH} {theirs} -m theirs >/dev/null");
    let lossy = edit(&ctl, &format!("sed -i 's/a = 1/a = 7/' \"$1\"\n{other}"), &["--yes"]).await;
    assert_eq!(lossy.status.code(), Some(1), "{}", words(&lossy));
    let said = words(&lossy);
    assert!(said.contains("a text of both would lose comments"), "{said}");
    let file = said.split("the edited text is kept in ").nth(1).unwrap().trim().to_owned();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "t = { a = 7, b = 2 } # ours\n");
    std::fs::remove_file(file).unwrap();
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), "t = { a = 1, b = 2, c = 3 } # theirs\n");

    ctl.json(&["config", "put", "keeper/schemas/push", &ctl.file("s.json", SCHEMA), "--format", "json"]).await;
    let objected = edit(&ctl, "echo 'max_inflight = 70000' >> \"$1\"", &[]).await;
    assert_eq!(objected.status.code(), Some(1), "{}", words(&objected));
    let said = words(&objected);
    assert!(said.contains("+ max_inflight: 70000") && said.contains("greater than the maximum of 65535"), "{said}");
    let file = said.split("the edited text is kept in ").nth(1).unwrap().trim().to_owned();
    std::fs::remove_file(file).unwrap();
    let forced = edit(&ctl, "echo 'max_inflight = 70000' >> \"$1\"", &["--force", "by hand"]).await;
    assert!(forced.status.success(), "{}", words(&forced));
}

const OLD: &str = "2024:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "2025:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_listed_masked_revealed_where_allowed_and_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, OLD).unwrap();
    let mut cluster = InProcess::start_with(1, |settings| settings.secrets.key_file = Some(keys.clone())).await;
    let ctl = Ctl::of(&cluster);
    let text = "[db]\nuser = \"push\"\npassword = \"hunter2\"\n";
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", text), "--secret", "db.password"]).await;
    let masked = data(&ctl.run(&["config", "get", PATH]).await);
    assert_eq!(masked, "[db]\nuser = \"push\"\npassword = \"••••••\"\n");
    let refused = ctl.run(&["config", "get", PATH, "--reveal"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    let listed = ctl.json(&["config", "secrets", "list"]).await;
    assert_eq!(listed["documents"][0]["secrets"], json!(["db.password"]));
    let shown = ctl.run(&["config", "diff", PATH]).await;
    assert!(!data(&shown).contains("hunter2"), "{}", data(&shown));

    // Masked it goes through an editor and a folder, and stays what it is.
    let edited = edit(&ctl, "sed -i 's/user = .*/user = \"room\"/' \"$1\"", &[]).await;
    assert!(edited.status.success(), "{}", words(&edited));
    let configs = folder.path().join("configs").display().to_string();
    ctl.json(&["config", "export", &configs]).await;
    let applied = ctl.run(&["config", "apply", &configs]).await;
    assert!(applied.status.success() && words(&applied).contains("the documents are what"), "{}", words(&applied));

    cluster.stop(0).await;
    std::fs::write(&keys, format!("{OLD}\n{NEW}\n")).unwrap();
    cluster.change(0, |settings| settings.secrets.reveal = true);
    cluster.restart(0).await;
    let sealed = |cluster: &InProcess| {
        cluster.node(0).replica().read(|state| String::from_utf8_lossy(&state.config(PATH).unwrap().text).into_owned())
    };
    cluster.leader().await;
    let before = ctl.json(&["config", "secrets", "list"]).await["documents"][0]["revision"].clone();
    let rotated = ctl.json(&["config", "secrets", "rotate"]).await;
    assert_ne!(rotated["documents"][0]["revision"], before);
    assert!(sealed(&cluster).contains("keeper-secret:v1:2025:"), "{}", sealed(&cluster));
    let again = ctl.json(&["config", "secrets", "rotate"]).await;
    assert_eq!(again["documents"][0]["revision"], rotated["documents"][0]["revision"], "it is sealed so already");
    let revealed = data(&ctl.run(&["config", "get", PATH, "--reveal"]).await);
    assert_eq!(revealed, "[db]\nuser = \"room\"\npassword = \"hunter2\"\n");
}

/// On a terminal, which `script` pretends to be: what is refused opens again with the reason on top.
#[tokio::test(flavor = "multi_thread")]
async fn an_unsound_text_opens_again_with_the_reason_on_top() {
    let cluster = InProcess::start(1).await;
    let ctl = Ctl::of(&cluster);
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", "# why\na = 1\n")]).await;
    let seen = ctl.file("seen", "");
    let script = format!(
        "cat \"$1\" >> {seen}\nif grep -q keeperctl: \"$1\"; then sed -i 's/a = = 2/a = 2/' \"$1\"; \
         else sed -i 's/a = 1/a = = 2/' \"$1\"; fi"
    );
    let editor = ctl.file("editor.sh", &format!("#!/bin/sh\n{script}\n"));
    let inner = ctl.command(&["config", "edit", PATH]);
    let words_of: Vec<_> = std::iter::once(inner.get_program()).chain(inner.get_args()).collect();
    let line: Vec<_> = words_of.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-qefc", &line.join(" "), "/dev/null"]).env("VISUAL", format!("sh {editor}"));
    terminal.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let shown = tokio::task::spawn_blocking(move || {
        let mut child = terminal.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, b"y\ny\n").unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        output
    })
    .await
    .unwrap();
    let said = data(&shown);
    assert!(shown.status.success(), "{said}");
    assert!(said.contains("edit it again?") && said.contains("publish it?"), "{said}");
    assert!(said.contains("~ a: 1 -> 2"), "{said}");
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("# keeperctl: ") && seen.contains("line 2, column 5"), "{seen}");
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), "# why\na = 2\n");
}
