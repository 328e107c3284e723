//! `--member 1=PEER,CLIENT`.

use std::str::FromStr;

use keeper_proto::v1::initialize_request::InitialMember;

/// One node of the cluster to be founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) node_id: u64,
    /// `host:port`.
    pub(super) peer: String,
    /// `host:port`.
    pub(super) client: String,
}

impl Member {
    /// A node whose endpoints are known to be `host:port`.
    pub(super) const fn new(node_id: u64, peer: String, client: String) -> Self {
        Self { node_id, peer, client }
    }
}

impl FromStr for Member {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let form = "write ID=PEER,CLIENT, for example 1=10.0.0.1:7401,10.0.0.1:7400";
        let (id, endpoints) = written.split_once('=').ok_or(form)?;
        let (peer, client) = endpoints.split_once(',').ok_or(form)?;
        match id.parse() {
            Ok(node_id) if node_id > 0 => {
                Ok(Self { node_id, peer: host_and_port(peer)?, client: host_and_port(client)? })
            }
            _ => Err(format!("`{id}` is not a node number, which begin at 1; {form}")),
        }
    }
}

impl From<Member> for InitialMember {
    fn from(member: Member) -> Self {
        Self { node_id: member.node_id, peer_endpoint: member.peer, client_endpoint: url(&member.client) }
    }
}

/// The URL of a client listener.
pub(super) fn url(host_and_port: &str) -> String {
    format!("http://{host_and_port}")
}

/// Takes `host:port`, and the same as a URL.
pub(super) fn host_and_port(written: &str) -> Result<String, String> {
    let plain = written.strip_prefix("http://").unwrap_or(written).trim_end_matches('/');
    let sound = plain.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if sound { Ok(plain.to_owned()) } else { Err(format!("`{written}` is not host:port")) }
}
