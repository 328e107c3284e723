//! Records of a snapshot.
