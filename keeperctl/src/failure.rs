//! Why a command did not do what it was asked, and what to type instead.
//!
//! A failure is words for people: one sentence, and remedies as lines of their own. Its kind alone decides the exit
//! code, which `main` gives.

use keeper_client_sdk::{Endpoint, Error};

use crate::{args::DEFAULT_ENDPOINT, console::Console, render};

/// How the transport reports an HTTP answer without gRPC in it.
pub(crate) const NOT_GRPC: &str = "grpc-status header missing";

/// How the servers end what may be forced; how to force it is told in the words of this tool.
const GIVE_A_REASON: &str = "; give a reason to publish it all the same";

/// What a failure means to a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A decision of the cluster, or what was asked for does not exist.
    Refused,
    /// No node did it, and why is still to be found out.
    Unserved,
    /// No node answers.
    Unreachable,
    /// Something answers, and it is not what clients talk to.
    Stranger,
    /// Anything else that went wrong, a wrong argument included.
    Failed,
    /// Whoever read standard output has gone, which is how `head` says that it has enough.
    ReaderGone,
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) remedies: Vec<String>,
}

impl Failure {
    const fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, remedies: Vec::new() }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message.into())
    }

    pub(crate) fn unserved(message: impl Into<String>) -> Self {
        Self::new(Kind::Unserved, message.into())
    }

    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message.into())
    }

    /// Standard output did not take the data.
    pub(crate) fn of_writing(error: &std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe { Kind::ReaderGone } else { Kind::Failed };
        Self::new(kind, format!("cannot write to standard output: {error}"))
    }

    /// A write that failed may have happened: `look` is the command that tells.
    pub(crate) fn of_change(error: Error, look: &str) -> Self {
        let may_have_happened = error.may_have_happened();
        let failure = Self::from(error);
        if !may_have_happened {
            return failure;
        }
        failure.remedy(format!("it may have happened all the same: look with `{look}` before trying again"))
    }

    /// Names whom it asked in vain.
    pub(crate) fn asked(mut self, endpoints: &[Endpoint]) -> Self {
        let asked = render::list(endpoints);
        self.message = match self.kind {
            Kind::Unreachable if is_default(endpoints) => {
                format!("no node answers at {asked}; is it running? `keeper dev` starts one")
            }
            Kind::Unreachable => format!("no node answers at {asked}; is it running?"),
            Kind::Stranger => format!("{asked}: {}", self.message),
            Kind::Refused | Kind::Unserved | Kind::Failed | Kind::ReaderGone => return self,
        };
        self.remedy("name other nodes with `--endpoints` or in KEEPER_ENDPOINTS")
    }

    /// Says all of it to whoever sits there.
    pub(crate) fn tell(&self, console: &mut Console<'_>) {
        if self.kind == Kind::ReaderGone {
            return;
        }
        console.say(format_args!("error: {}", self.message));
        for line in self.remedies.iter().flat_map(|remedy| remedy.lines()) {
            console.say(format_args!("  {line}"));
        }
    }

    /// A command, or a part of one, that differs from what was typed by a name.
    pub(crate) fn did_you_mean(self, command: &str) -> Self {
        self.remedy(format!("did you mean: `{command}`"))
    }

    /// One more thing to try.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }
}

/// Whether nobody said where nodes are: they are looked for on this machine, where one can be started.
fn is_default(endpoints: &[Endpoint]) -> bool {
    Endpoint::parse(DEFAULT_ENDPOINT).is_ok_and(|default| *endpoints == [default])
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = sentence(&error);
        match error {
            Error::Refused { field, .. } if field == "format" => {
                Self::refused(message).remedy("name it with `--format`: toml, yaml, json or ini")
            }
            // The cluster decided nothing: somebody it had to ask does not answer.
            Error::Refused { reason, .. } if reason == "unreachable" => Self::failed(message),
            Error::Refused { details, .. } if details.len() > 1 => Self {
                remedies: each(&message, &details),
                ..Self::refused(format!("{} things speak against it", details.len()))
            },
            Error::Refused { .. } => Self::refused(message.strip_suffix(GIVE_A_REASON).unwrap_or(&message)),
            // A limit was met by a node that is well.
            Error::Unavailable { reason, .. } if reason == "full" => Self::failed(message),
            Error::Unavailable { .. } | Error::Timeout { .. } => Self::unserved(message),
            Error::Broken { reason, .. } if reason == "unimplemented" => Self::new(Kind::Stranger, message),
            Error::Broken { .. }
            | Error::Invalid { .. }
            | Error::Misfit { .. }
            | Error::Kept { .. }
            | Error::Ended { .. } => Self::failed(message),
            _ => Self::failed(message),
        }
    }
}

/// Each thing that speaks against a publish on a line of its own: the sentence of all of them says for each which
/// document it is about, before what is wrong with it.
fn each(all: &str, details: &[String]) -> Vec<String> {
    let mut rest = all;
    let line = |detail: &String| {
        let Some(at) = rest.find(detail.as_str()) else { return render::printable(detail) };
        let (line, behind) = rest.split_at(at + detail.len());
        rest = behind;
        render::printable(line.trim_start_matches("; "))
    };
    details.iter().map(line).collect()
}

/// What an error says to people. A server that does not know the call is known by the transport's words alone: one that
/// speaks no gRPC at all, or one of the nodes' own.
pub(crate) fn sentence(error: &Error) -> String {
    let Error::Broken { reason, message, .. } = error else { return error.to_string() };
    if reason != "unimplemented" {
        return error.to_string();
    }
    let guess = if message.contains(NOT_GRPC) {
        "its HTTP port answers there?"
    } else {
        "its peer port answers there, or a node older than this keeperctl?"
    };
    format!("this is no client port of a keeper node ({guess}); the default is 7400")
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::Happened;

    use super::*;

    fn unimplemented(message: &str) -> Error {
        Error::Broken { reason: "unimplemented".into(), message: message.into(), happened: Happened::No }
    }

    fn told(error: Error) -> Failure {
        Failure::from(error).asked(&[Endpoint::parse("a:7402").expect("host and port")])
    }

    #[test]
    fn a_port_of_another_kind_is_told_from_silence() {
        let http = told(unimplemented("grpc-status header missing, mapped from HTTP status code 404"));
        let expected = "a:7402: this is no client port of a keeper node (its HTTP port answers there?); \
                        the default is 7400";
        assert_eq!((http.kind, http.message.as_str()), (Kind::Stranger, expected));
        let peer = told(unimplemented("Unimplemented")).message;
        assert!(peer.contains("its peer port answers there, or a node older than this keeperctl?"), "{peer}");
    }

    fn refused(message: &str, details: &[&str]) -> Failure {
        let details = details.iter().map(ToString::to_string).collect();
        let (reason, message) = ("objected".into(), message.into());
        Failure::from(Error::Refused { reason, message, field: String::new(), details, holder: None })
    }

    #[test]
    fn each_thing_that_speaks_against_a_publish_has_its_line() {
        let one = refused("a.toml: a is too large; give a reason to publish it all the same", &["a is too large"]);
        assert_eq!((one.message.as_str(), one.remedies.len()), ("a.toml: a is too large", 0));
        let said = "a.toml: a is large; at most 3; b.toml with zone=eu-1: b is no text";
        let two = refused(&format!("{said}{GIVE_A_REASON}"), &["a is large; at most 3", "b is no text"]);
        assert_eq!(two.message, "2 things speak against it");
        assert_eq!(two.remedies, ["a.toml: a is large; at most 3", "b.toml with zone=eu-1: b is no text"]);
    }

    #[test]
    fn silence_is_told_with_what_to_do() {
        let endpoint = Endpoint::parse("a:7402").expect("host and port");
        let silence = Failure::unreachable("no node answers").asked(&[endpoint]);
        assert_eq!(silence.message, "no node answers at a:7402; is it running?");
        let nobody_said = Endpoint::parse(DEFAULT_ENDPOINT).expect("host and port");
        let silence = Failure::unreachable("no node answers").asked(&[nobody_said]);
        assert_eq!(silence.message, "no node answers at 127.0.0.1:7400; is it running? `keeper dev` starts one");
        let silence = Failure::unreachable("no node answers").asked(&[Endpoint::parse("a:1").expect("host and port")]);
        assert_eq!(silence.remedies, ["name other nodes with `--endpoints` or in KEEPER_ENDPOINTS"]);
    }
}
