//! What judging and computing may cost, and why.

/// Bytes of a schema, its canonical form: what a process may announce, so that what is attached can be announced too.
pub const SCHEMA_BYTES_MAX: usize = keeper_registry::limits::SCHEMA_BYTES_MAX;

/// Schemas inside each other, on the way from a schema to what it is made of, references followed. Reading a schema
/// recurses over them, and so does judging by it, on a stack of two megabytes.
pub const SCHEMA_DEPTH_MAX: usize = 256;

/// Bytes of one compiled pattern: a few thousand characters of a regular expression. It bounds what a character of a
/// text may cost.
pub const PATTERN_BYTES_MAX: usize = 64 << 10;

/// Times that a part of a schema is held against a part of a document, in judging the one by the other: four times
/// for every value of the largest document. To say yes or no takes up to one or two seconds then; to say what is
/// wrong takes longer, and is bounded by [`ERRORS_BYTES_MAX`].
pub const SCHEMA_STEPS_MAX: u32 = 1 << 20;

/// Bytes that the errors of one judgement may take, by an upper bound that is counted before there are any: each holds
/// its way, and within alternatives a copy of the value that it is about. Where the bound is passed only the first
/// error is sought, or none.
pub const ERRORS_BYTES_MAX: u32 = 128 << 20;

/// Bytes of the ways to the fields that one schema marks as secrets in one document.
pub const MARKED_BYTES_MAX: usize = 16 << 20;

/// Violations that are told of one publish: a screen. How many more there are is counted.
pub const VIOLATIONS_TOLD_MAX: usize = 32;

/// Violations of one schema by one value that are looked at; the first ones are as good as any.
pub const VIOLATIONS_FOUND_MAX: usize = 256;

/// Bytes of a value as it is shown in a sentence.
pub const SHOWN_BYTES_MAX: usize = 80;

/// Bytes of a sentence about a violation.
pub const MESSAGE_BYTES_MAX: usize = 400;

/// Paths that one attached schema names.
pub const GLOBS_MAX: usize = 64;

/// Attached schemas. The paths of each are compared with every path that is published.
pub const ATTACHED_MAX: usize = 1_024;

/// Bytes of an effective document: as many as a document may have by itself, for that is what readers reckon with.
pub const EFFECTIVE_BYTES_MAX: usize = keeper_registry::limits::DOCUMENT_BYTES_MAX;

/// Bytes of published documents that a schema which is attached looks through, and notes that are told of them.
pub const NOTED_BYTES_MAX: usize = 8 << 20;
pub const NOTES_MAX: usize = 16;

/// Effective documents that one publish may change, one for every set of layers that some process has. Beyond it the
/// layers follow no plan.
pub const EFFECTIVE_DOCUMENTS_MAX: usize = 4_096;

/// Bytes of all layers that are merged in judging one publish, each as often as it is merged: about a second.
pub const JUDGED_BYTES_MAX: usize = 64 << 20;

/// Compiled schemas that a node keeps: those of a large fleet while versions are mixed.
pub const COMPILED_KEPT: usize = 512;

/// Lines of a text that is merged by lines; a larger one is merged by fields. How long it takes grows with the square.
pub const MERGED_LINES_MAX: usize = 10_000;

/// Places of a text that are tried for a value that is to be replaced.
pub const REWRITES_MAX: usize = 64;

/// Bytes that are read in the tries of one document: half a second. What is not found by then is written anew.
pub const REWRITE_BYTES_MAX: usize = 64 << 20;

/// Secrets of one document: each is put into its text by itself.
pub const SECRETS_MAX: usize = 64;

/// Keys of a key ring: a rotation a month for five years.
pub const SECRET_KEYS_MAX: usize = 64;
