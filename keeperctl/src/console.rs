//! Where data and words go: data to standard output, in the form that was asked for, words to standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

use clap::ValueEnum;

use crate::{failure::Failure, paint, render, render::Report};

/// The form of data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Table,
    /// For programs: one object or array a command; one object a line from watches and scans
    Json,
}

impl Output {
    /// What ends a command to be pasted, so that it goes on in the same form.
    pub(crate) const fn typed(self) -> &'static str {
        match self {
            Self::Table => "",
            Self::Json => " -o json",
        }
    }
}

/// The two streams of a command.
pub(crate) struct Console<'a> {
    pub(crate) output: Output,
    data: &'a mut dyn Write,
    words: &'a mut dyn Write,
    colour: Colour,
}

/// Whether differences are coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Colour {
    #[default]
    Plain,
    Coloured,
}

impl<'a> Console<'a> {
    pub(crate) fn new(output: Output, data: &'a mut dyn Write, words: &'a mut dyn Write) -> Self {
        Self { output, data, words, colour: Colour::Plain }
    }

    /// The same for a terminal that shows colours.
    pub(crate) fn coloured(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Prints differences: lines that begin with a mark.
    pub(crate) fn print_diff(&mut self, report: &impl Report) -> Result<(), Failure> {
        match (self.output, self.colour) {
            (Output::Table, Colour::Coloured) => {
                let painted = paint::diff(&report.table());
                self.write(painted.as_bytes())
            }
            (Output::Table, Colour::Plain) | (Output::Json, _) => self.print(report),
        }
    }

    /// Prints the data of a command.
    pub(crate) fn print(&mut self, report: &impl Report) -> Result<(), Failure> {
        let text = match self.output {
            Output::Table => report.table(),
            Output::Json => render::json_line(report)?,
        };
        self.write(text.as_bytes())
    }

    /// Prints data as it is.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        let mut write = || -> io::Result<()> {
            self.data.write_all(data)?;
            // Whoever reads a watch through a pipe reads each change as it lands.
            self.data.flush()
        };
        write().map_err(|error| Failure::of_writing(&error))
    }

    /// Says something to whoever sits there. If nobody listens, nothing is lost.
    pub(crate) fn say(&mut self, words: impl Display) {
        let _ = writeln!(self.words, "{words}");
    }

    /// Asks something, to be answered on the same line.
    pub(crate) fn ask(&mut self, question: impl Display) {
        let _ = write!(self.words, "{question} ").and_then(|()| self.words.flush());
    }
}
