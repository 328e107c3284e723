//! What the command line takes, and what it says to the rest.

use clap::{CommandFactory as _, Parser as _};
use keeper_proto::v1::initialize_request::InitialMember;

use super::Cli;
use super::member::Member;

fn refusal(arguments: &str) -> String {
    match Cli::try_parse_from(arguments.split(' ')) {
        Ok(cli) => panic!("accepted {cli:?}"),
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn bad_arguments_are_answered_exactly() {
    let form = "write ID=PEER,CLIENT, for example 1=10.0.0.1:7401,10.0.0.1:7400";
    let member = |written: &str, reason: &str| {
        format!("error: invalid value '{written}' for '--member <ID=PEER,CLIENT>': {reason}")
    };
    let cases = [
        ("keeper init --member a", member("a", form)),
        ("keeper init --member 1=a:1", member("1=a:1", form)),
        (
            "keeper init --member 0=a:1,b:2",
            member("0=a:1,b:2", &format!("`0` is not a node number, which begin at 1; {form}")),
        ),
        ("keeper init --member 1=a:1,b", member("1=a:1,b", "`b` is not host:port")),
        ("keeper init --member 1=a:1,b:0", member("1=a:1,b:0", "`b:0` is not host:port")),
        (
            "keeper init --endpoint https://a --member 1=a:1,b:2",
            "error: invalid value 'https://a' for '--endpoint <URL>': `https://a` is not host:port".into(),
        ),
        (
            "keeper dev --port-base 65534",
            "error: invalid value '65534' for '--port-base <PORT>': it must be 0 to 65533: three ports in a row".into(),
        ),
        ("keeper start", "error: the following required arguments were not provided:".into()),
        ("keeper begin", "error: unrecognized subcommand 'begin'".into()),
    ];
    for (arguments, expected) in cases {
        assert_eq!(refusal(arguments), expected);
    }
}

#[test]
fn what_keeperctl_does_is_pointed_to() {
    let told = |line: &str| {
        let mistake = Cli::try_parse_from(line.split(' ')).expect_err(line);
        super::elsewhere::point(mistake).to_string()
    };
    for (line, meant) in [
        ("keeper cluster status", "`keeperctl cluster`"),
        ("keeper status", "`keeperctl cluster status`"),
        ("keeper session get ann", "`keeperctl session`"),
        ("keeper backup x", "`keeperctl cluster backup`"),
    ] {
        let told = told(line);
        assert!(told.contains(&format!("tip: this is the daemon; what is asked of a cluster is {meant}")), "{told}");
        assert!(!told.contains("similar"), "{told}");
    }
    let stop = told("keeper stop");
    assert!(stop.contains("tip: a node stops at SIGTERM: `kill PID`") && !stop.contains("restore"), "{stop}");
    let verify = told("keeper verify x.backup");
    assert!(verify.contains("tip: a backup is checked by `keeper backup-verify FILE`"), "{verify}");
    assert!(told("keeper join").contains("`keeperctl cluster add HOST:PEERPORT`"));
    let near = told("keeper restor");
    assert!(near.contains("similar subcommand") && near.contains("'restore'"), "{near}");
}

#[test]
fn endpoints_may_be_written_as_urls() {
    let member: Result<Member, _> = "2=node2:7401,http://node2:7400/".parse();
    let expected =
        InitialMember { node_id: 2, peer_endpoint: "node2:7401".into(), client_endpoint: "http://node2:7400".into() };
    assert_eq!(member.map(InitialMember::from), Ok(expected));
}
