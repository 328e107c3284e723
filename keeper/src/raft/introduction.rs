//! What a node says of itself to whoever founds a group with it, or takes it into one.

use bytes::Bytes;

use crate::codec::{DecodeError, Input, Output};

/// What a node says of itself. Whoever asks may not know its number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Its data directory.
    pub disk_id: u64,
    /// It belongs to a group already: it has a log, or has voted.
    pub initialized: bool,
    /// Its number; 0 while it waits for one.
    pub node: u64,
    /// The history its state is of; 0 for none.
    pub state: u64,
    /// It is no longer the node it was, and waits for a number: its log has lost what it acknowledged, or it has no
    /// data and its cluster runs and expects a member in its place.
    pub lost: bool,
    /// Where it says that other nodes reach it.
    pub peer_endpoint: String,
    /// Where it says that clients reach it.
    pub client_endpoint: String,
    /// Of its program; empty where the program is too old to say.
    pub version: String,
}

impl Introduction {
    /// 2 says who it is and where; 1 said only that it is there.
    const VERSION: u8 = 2;

    pub(super) fn encode(&self) -> Bytes {
        let mut output = Output::versioned(Self::VERSION, 128);
        output.u64(self.disk_id);
        output.flag(self.initialized);
        output.u64(self.node);
        output.u64(self.state);
        output.flag(self.lost);
        output.str(&self.peer_endpoint);
        output.str(&self.client_endpoint);
        output.str(&self.version);
        output.finish()
    }

    pub(super) fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (version, mut input) = Input::versioned("an introduction", Self::VERSION, bytes)?;
        let mut introduction = Self {
            disk_id: input.u64()?,
            initialized: input.flag()?,
            node: 0,
            state: 0,
            lost: false,
            peer_endpoint: String::new(),
            client_endpoint: String::new(),
            version: String::new(),
        };
        if version >= 2 {
            introduction.node = input.u64()?;
            introduction.state = input.u64()?;
            introduction.lost = input.flag()?;
            introduction.peer_endpoint = input.str()?;
            introduction.client_endpoint = input.str()?;
            introduction.version = input.str()?;
        }
        input.finish()?;
        Ok(introduction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_is_read_as_it_was_said() {
        let said = Introduction {
            disk_id: 7,
            initialized: true,
            node: 300,
            state: 9,
            lost: true,
            peer_endpoint: "node4:7401".to_owned(),
            client_endpoint: "http://node4:7400".to_owned(),
            version: "0.1.0".to_owned(),
        };
        assert_eq!(Introduction::decode(said.encode()), Ok(said));
    }

    #[test]
    fn the_first_version_is_still_read() {
        let mut output = Output::versioned(1, 16);
        output.u64(7);
        output.flag(false);
        let read = Introduction::decode(output.finish()).expect("version 1");
        assert_eq!((read.disk_id, read.initialized, read.node, read.version.as_str()), (7, false, 0, ""));
    }
}
