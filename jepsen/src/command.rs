//! Programs of the system, called with care: one call, one sentence when it fails.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Runs a program to its end and returns what it wrote.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    with_input(program, arguments, "")
}

/// The same, with something to read.
pub(crate) fn with_input(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{program} does not run"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing closes its end; how it ended says enough.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
