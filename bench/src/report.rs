//! Lines: one JSON object each, or a table.
//!
//! The table is made from the JSON lines, so that it cannot say anything else. Data goes to stdout, words go to stderr.

use std::{
    fmt,
    io::{self, Write},
};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::{cluster::Cluster, meter::Cost};

/// The fields of one workload.
pub(crate) trait Figures: Serialize {
    /// Its name.
    const WORKLOAD: &'static str;
}

/// One measurement: what every line has, and then the fields of its workload.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a, F> {
    system: &'static str,
    version: &'a str,
    workload: &'static str,
    nodes: usize,
    seconds: f64,
    errors: u64,
    server_cpu_s: Option<f64>,
    client_cpu_s: f64,
    rss_bytes: Option<u64>,
    fsync: bool,
    #[serde(flatten)]
    figures: F,
}

impl<'a, F: Figures> Row<'a, F> {
    /// Of a cluster.
    pub(crate) fn new(cluster: &'a Cluster, cost: &Cost, errors: u64, figures: F) -> Self {
        Self::of(cluster.version(), cluster.size(), cost, errors, figures)
    }

    /// Of anything.
    pub(crate) fn of(version: &'a str, nodes: usize, cost: &Cost, errors: u64, figures: F) -> Self {
        Self {
            system: "keeper",
            version,
            workload: F::WORKLOAD,
            nodes,
            seconds: rounded(cost.seconds),
            errors,
            server_cpu_s: cost.server_cpu_s.map(rounded),
            client_cpu_s: rounded(cost.client_cpu_s),
            rss_bytes: cost.rss_bytes,
            fsync: true,
            figures,
        }
    }
}

/// Three digits after the point: what follows them was not measured.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Where lines go.
pub(crate) struct Report {
    form: Form,
}

enum Form {
    Json,
    /// The lines so far, of one workload.
    Table(Vec<Cells>),
}

impl Report {
    /// For machines.
    pub(crate) const fn json() -> Self {
        Self { form: Form::Json }
    }

    /// For people.
    pub(crate) const fn table() -> Self {
        Self { form: Form::Table(Vec::new()) }
    }

    /// Takes a line. JSON is printed at once, a table when its workload is done.
    pub(crate) fn row<F: Figures>(&mut self, row: &Row<'_, F>) -> Result<()> {
        let line = serde_json::to_string(row).context("writing a line")?;
        match &mut self.form {
            Form::Json => print(&line),
            Form::Table(lines) => {
                lines.push(serde_json::from_str(&line).context("reading a line back")?);
                Ok(())
            }
        }
    }

    /// The workload is done.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match &mut self.form {
            Form::Table(lines) if !lines.is_empty() => print(&table(&std::mem::take(lines))),
            Form::Json | Form::Table(_) => Ok(()),
        }
    }

    /// Says what is going on.
    #[expect(clippy::unused_self, reason = "whoever reports speaks through it")]
    pub(crate) fn say(&self, words: &str) {
        // A run whose stderr is gone goes on.
        let _ = writeln!(io::stderr(), "{words}");
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("printing")
}

/// The fields of a line, in their order.
#[derive(Debug)]
struct Cells(Vec<(String, Value)>);

/// What every table would repeat in each line.
const UNTOLD: [&str; 5] = ["system", "version", "workload", "nodes", "fsync"];

/// What stands on the right, after the workload's own fields.
const LAST: [&str; 5] = ["seconds", "errors", "server_cpu_s", "client_cpu_s", "rss_bytes"];

fn table(lines: &[Cells]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let columns = lines.first().map(Cells::columns).unwrap_or_default();
    table.set_header(columns.iter().map(|name| name.replace('_', " ")));
    for line in lines {
        table.add_row(columns.iter().map(|name| line.get(name).map(shown).unwrap_or_default()));
    }
    for (name, column) in columns.iter().zip(table.column_iter_mut()) {
        let is_text = lines.iter().any(|line| line.get(name).is_some_and(Value::is_string));
        column.set_cell_alignment(if is_text { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.to_string()
}

/// As a person reads it: thousands apart, nothing for null.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => grouped(whole),
            (None, Some(real)) if real.abs() >= 1_000.0 => grouped(real.round() as u64),
            (None, Some(real)) => real.to_string(),
            (None, None) => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Cells {
    fn columns(&self) -> Vec<String> {
        let names = self.0.iter().map(|(name, _)| name.clone());
        let own = names.filter(|name| !UNTOLD.contains(&name.as_str()) && !LAST.contains(&name.as_str()));
        own.chain(LAST.map(ToOwned::to_owned)).collect()
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Cells;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
                let mut cells = Vec::new();
                while let Some(cell) = map.next_entry()? {
                    cells.push(cell);
                }
                Ok(Cells(cells))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests;
