//! The wire of Keeper: generated code, and what reads the few messages that are worth more than it.
//!
//! [`v1`] is what clients speak, [`peer`] what nodes speak to each other. `bytes` fields are [`bytes::Bytes`]: they
//! share the buffer the frame arrived in. [`fields`] reads a message where it lies.

pub mod fields;

/// `keeper.v1`: clients.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic)]
    tonic::include_proto!("keeper.v1");
}

/// `keeper.peer.v1`: node to node.
pub mod peer {
    #![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic)]
    tonic::include_proto!("keeper.peer.v1");
}

/// What clients can call, as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("keeper_descriptor");
