//! The command line as people type it.

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::*;

fn typed(line: &str) -> Result<Typed, clap::Error> {
    Typed::try_parse_from(std::iter::once("keeperctl").chain(line.split_whitespace()))
}

fn refusal(line: &str) -> String {
    let error = typed(line).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn the_command_line_is_sound() {
    Typed::command().debug_assert();
}

#[test]
fn every_command_of_the_manual_parses() {
    let manual = include_str!("../../../docs/keeperctl.md");
    let lines = manual.lines().filter_map(|line| line.strip_prefix("$ keeperctl "));
    let mut parsed = 0;
    for line in lines {
        let line = line.split(['|', '>', '<', '#']).next().unwrap_or_default();
        let words = shell_words(line);
        let result = Typed::try_parse_from(std::iter::once("keeperctl".to_owned()).chain(words));
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{line}: {error}");
        }
        parsed += 1;
    }
    assert!(parsed > 20, "the manual shows {parsed} commands");
}

/// Words of a line, quoted ones in one piece.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.last_mut().expect("begins with one").push_str(part);
            continue;
        }
        for (index, piece) in part.split(' ').enumerate() {
            if index > 0 {
                words.push(String::new());
            }
            words.last_mut().expect("begins with one").push_str(piece);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn options_stand_anywhere() {
    for line in ["--output json --timeout 500ms cluster status", "cluster status --timeout 500ms -o json"] {
        let options = typed(line).expect(line).options;
        assert_eq!(options.output, Output::Json);
        assert_eq!(options.timeout, Duration::from_millis(500));
        assert_eq!(options.endpoints.iter().map(Endpoint::as_str).collect::<Vec<_>>(), ["127.0.0.1:7400"]);
    }
}

#[test]
fn endpoints_are_a_list() {
    let options = typed("cluster status --endpoints http://a:1,b:2").expect("two nodes").options;
    assert_eq!(options.endpoints.iter().map(Endpoint::as_str).collect::<Vec<_>>(), ["a:1", "b:2"]);
    let refusal = refusal("cluster status --endpoints a:1,https://b:2");
    assert!(refusal.contains("a node is named http://HOST:PORT or HOST:PORT"), "{refusal}");
}

#[test]
fn users_are_text_or_hex() {
    let Noun::Session { verb: SessionVerb::Get(get) } = typed("session get 0x6162 --slot p").expect("a user").noun
    else {
        panic!("not `session get`");
    };
    assert_eq!(get.whose.user.bytes(), b"ab");
    assert_eq!(get.whose.slot.map(|slot| slot.to_string()), Some("p".into()));
    let refusal = refusal("session get 0xabc");
    assert!(refusal.contains("0x begins hex; for the text \"0xabc\" itself type 0x3078616263"), "{refusal}");
}

#[test]
fn wrong_usage_says_what_to_type() {
    for (line, words) in [
        ("cluster add bogus", "without a scheme: node4.example:7401"),
        ("cluster add http://node4.example:7401", "without a scheme: node4.example:7401"),
        ("cluster replace 2 3", "without a scheme: node4.example:7401"),
        (
            "cluster transfer-leader node2",
            "a node is named by its number, as column NODE of `keeperctl cluster status`",
        ),
        ("cluster remove 0", "a node is named by its number"),
        ("cluster backup --from node2 x.backup", "a node is named by its number"),
        ("cluster status --json -o table", "cannot be used with"),
        ("config get a.toml --local --revision 4", "cannot be used with"),
        ("instance show room-1", "an instance is named SERVICE/ID, as `keeperctl instance list` prints it"),
        ("session list --all --limit 5", "cannot be used with"),
        ("session list --limit 0", "0 is not in 1.."),
        ("session list --part 5/4", "there is no part 5 of 4"),
        ("session scan --parts 65", "65 is not in 1..=64"),
        ("session scan --parts 2 --resume 0x01", "cannot be used with"),
        ("session scan --resume ann", "type the token that the stopped scan printed"),
        ("session watch --topic a --instance b/c", "cannot be used with"),
        ("session kick", "<USER|--topic <TOPIC>|"),
        ("session kick --dry-run", "<USER|--topic <TOPIC>|"),
        ("session kick --all-users", "--slot <SLOT>"),
        ("session kick --all-users --slot phone --topic news", "cannot be used with"),
        ("session kick --slot phone", "required arguments were not provided"),
        ("session kick ann --topic news", "cannot be used with"),
        ("session kick ann --dry-run --wait", "cannot be used with"),
        ("session give-up", "<SERVICE/ID|--all>"),
        ("session give-up --all room/r1", "cannot be used with"),
        ("control send room/ drain", "name a service, or an instance as SERVICE/ID"),
        ("config history a.toml --limit 101", "101 is not in 1..=100"),
        ("config diff a.toml --to 3 --file b.toml", "cannot be used with"),
        ("config lint -", "--format <FORMAT>"),
        ("config put a.toml", "<FILE>"),
        ("config put a.toml b.toml --wait 99", "is no share: type a percentage above 0 and up to 100"),
        ("config put a.toml b.toml --wait 99% --dry-run", "cannot be used with"),
        ("config get a.toml --local --reveal", "cannot be used with"),
        ("config convert - --to json", "--from <FROM>"),
        ("config effective a.toml --label ring", "a label is typed NAME=VALUE"),
        ("config import etcd a.json --rename b", "type the name in the source, `=`, and the path"),
        ("config sync a.toml", "type a document, `=`, and a file"),
        ("config sync a.toml@zone=b=c.toml", "names a layer"),
        ("config sync", "<PATH=FILE>"),
        ("config import consul a.json", "[possible values: etcd, nacos, apollo, folder]"),
        ("config rollout start a.toml b.toml", "--stage <STAGE>"),
        ("config rollout start a.toml b.toml --stage 10m", "names no share"),
        ("config rollout start a.toml b.toml --stage 5% --also c.toml", "2 values required"),
        ("--timeout 10 cluster status", "type a number and a unit: 500ms, 10s, 1m"),
        ("--timeout 0s cluster status", "no answer comes in no time"),
        ("--timeout 900us cluster status", "no answer comes in no time"),
        ("sesion get ann", "'session'"),
        ("config putt a b", "'put'"),
    ] {
        let refusal = refusal(line);
        assert!(refusal.contains(words), "{line}: {refusal}");
    }
}

#[test]
fn an_empty_name_is_not_everybody() {
    for verb in ["kick", "kick --dry-run", "kick --instance room/r1", "list", "scan", "count", "watch"] {
        for flag in ["--topic", "--user-prefix"].into_iter().filter(|flag| (verb, *flag) != ("count", "--user-prefix"))
        {
            let line = format!("keeperctl session {verb} {flag}");
            let refused = Typed::try_parse_from(line.split(' ').chain([""])).expect_err(&line);
            assert_eq!(refused.exit_code(), 2, "{line}");
            assert!(refused.to_string().contains("an empty name selects nobody"), "{line}: {refused}");
        }
    }
    typed("session kick --all-users --slot phone").expect("everybody, said aloud");
}

#[test]
fn asking_for_help_is_no_mistake() {
    for line in ["--help", "session --help", "config diff -h", "--version"] {
        assert_eq!(typed(line).expect_err(line).exit_code(), 0, "{line}");
    }
}

#[test]
fn what_the_daemon_does_and_a_verb_without_its_noun_are_pointed_to() {
    let told = |line: &str| as_told(line);
    for (line, meant) in [
        ("cluster restore x.backup", "tip: `keeper restore` does that, the daemon's binary, on the machine of a node"),
        ("restore x.backup", "tip: `keeper restore` does that"),
        ("cluster forget 3", "tip: `keeper forget` does that"),
        ("cluster init", "tip: `keeper init` does that"),
        ("cluster backup-verify x.backup", "tip: `keeper backup-verify` does that"),
        ("status", "tip: did you mean: `keeperctl config status` or `keeperctl control status`"),
        ("cluster kick ann", "tip: did you mean: `keeperctl session kick`"),
    ] {
        let told = told(line);
        assert!(told.contains(meant) && !told.contains("similar"), "{line}: {told}");
    }
    assert!(told("cluster statis").contains("similar subcommand exists: 'status'"));
}

/// A mistake, as it is told.
fn as_told(line: &str) -> String {
    let words: Vec<_> = std::iter::once("keeperctl").chain(line.split_whitespace()).map(Into::into).collect();
    super::typed(&words).expect_err(line).to_string()
}

#[test]
fn what_other_tools_call_it_is_pointed_to() {
    for (line, meant) in [
        ("cluster health", "tip: that is `keeperctl cluster status`"),
        ("cluster members", "tip: that is `keeperctl cluster status`"),
        ("members", "tip: that is `keeperctl cluster status`"),
        ("cluster join node4:7401", "tip: that is `keeperctl cluster add HOST:PEERPORT`"),
        ("cluster verify prod.backup", "tip: that is `keeper backup-verify FILE`"),
        ("config show a.toml", "tip: that is `keeperctl config get PATH`"),
        ("config cat a.toml", "tip: that is `keeperctl config get PATH`"),
        ("session show ann", "tip: did you mean: `keeperctl instance show`"),
        ("instance show", "the following required arguments were not provided"),
    ] {
        let told = as_told(line);
        assert!(told.contains(meant), "{line}: {told}");
    }
}

/// The noun became the value of the option, and the verb was looked for among the nouns.
#[test]
fn an_option_that_lacks_its_value_is_named() {
    let told = as_told("--endpoints cluster status");
    assert!(told.contains("tip: `--endpoints` lacks its value: `cluster` was taken for it"), "{told}");
    let told = as_told("--author config list");
    assert!(told.contains("tip: `--author` lacks its value: `config` was taken for it"), "{told}");
}

/// An unset variable of a shell forced nothing, and the refusal asked for a reason.
#[test]
fn a_reason_to_force_is_not_empty() {
    for line in ["put a b", "apply d", "edit a", "delete a", "rollback a 1", "rollout promote a"] {
        let words = ["keeperctl", "config"].into_iter().chain(line.split(' ')).chain(["--force", ""]);
        let error = Typed::try_parse_from(words).expect_err(line).to_string();
        assert!(error.contains("for '--force <REASON>': the reason is empty"), "{line}: {error}");
    }
}
