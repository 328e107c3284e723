//! Documents for admins.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use keeper_proto::v1::{self, configs_client::ConfigsClient, get_config_request};
use tonic::transport::Channel;

use crate::{
    ConfigsWatch, Cursor, Document, Documents, Error, Format, Objection, SecretKey, Secrets,
    config::{from_proto, publish::to_proto},
    connection::{Aim, Nodes, Retry},
    error::Failure,
    limits,
};

/// Documents for admins; see [`Keeper::configs`](crate::Keeper::configs).
#[derive(Debug, Clone)]
pub struct Configs {
    pub(super) nodes: Arc<Nodes>,
}

/// How much of each document an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Without text and value.
    #[default]
    Summary,
    /// With both.
    Full,
}

/// What one node has of a document, whoever else is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDocument {
    /// None: it has none of that name.
    pub document: Option<Document>,
    /// Its state.
    pub revision: u64,
    /// How long ago it last knew that it was up to date; none: it never did since it was started, or does not say.
    pub age: Option<Duration>,
}

/// A text that is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linted {
    /// How it is written.
    pub format: Option<Format>,
    /// Its canonical value: JSON, keys sorted, no white space.
    pub canonical: Bytes,
    /// What would speak against publishing it; none unless it was [judged](Configs::lint_and_judge).
    pub objections: Vec<Objection>,
    /// How many more there are beside those.
    pub objections_more: u32,
}

impl Configs {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// A document as it is now, if there is one. Linearizable.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get(&self, path: impl Into<String>) -> Result<Option<Document>, Error> {
        self.read(path.into(), 0, Secrets::Masked).await
    }

    /// A document as it was at a revision, or now when that is 0, with its sealed fields open.
    ///
    /// # Errors
    /// [`Error::Refused`] unless the node is set to allow it; otherwise as [`Error`] says.
    pub async fn reveal(&self, path: impl Into<String>, revision: u64) -> Result<Option<Document>, Error> {
        self.read(path.into(), revision, Secrets::Revealed).await
    }

    /// A document as some node has it now, without asking the others: for a cluster that has lost its majority.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get_local(&self, path: impl Into<String>) -> Result<LocalDocument, Error> {
        let reply = self.ask(path.into(), 0, get_config_request::Consistency::Local, Secrets::Masked).await?;
        let age = reply.age_ms.filter(|ms| *ms != u32::MAX).map(|ms| Duration::from_millis(ms.into()));
        Ok(LocalDocument { document: reply.document.map(from_proto::document), revision: reply.revision, age })
    }

    /// A document as it was at a revision, if the history still holds it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get_at(&self, path: impl Into<String>, revision: u64) -> Result<Option<Document>, Error> {
        self.read(path.into(), revision, Secrets::Masked).await
    }

    /// Every document below a prefix, without text and value; all when it is empty.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list(&self, prefix: impl Into<String>) -> Result<Documents, Error> {
        let reply = self.listed(v1::ListConfigsRequest { prefix: prefix.into(), keys: false }).await?;
        Ok(documents(reply.revision, reply.documents))
    }

    /// The keys that seal what is published and what is kept of the past below a prefix, by their ids.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn secret_keys(&self, prefix: impl Into<String>) -> Result<Vec<SecretKey>, Error> {
        let reply = self.listed(v1::ListConfigsRequest { prefix: prefix.into(), keys: true }).await?;
        let key = |it: v1::list_configs_reply::Key| SecretKey {
            id: it.id,
            fields: it.fields,
            past_versions: it.past_versions,
        };
        Ok(reply.keys.into_iter().map(key).collect())
    }

    async fn listed(&self, request: v1::ListConfigsRequest) -> Result<v1::ListConfigsReply, Error> {
        let method = |channel, request| async move { client(channel).list(request).await };
        self.nodes.call("config list", Aim::Any, Retry::Safe, request, method).await
    }

    /// What a document was, newest first; at most `limit`, at most 100, 20 when it is 0.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn history(&self, path: impl Into<String>, limit: u32, detail: Detail) -> Result<Documents, Error> {
        let request = v1::HistoryRequest { path: path.into(), limit, full: detail == Detail::Full };
        let method = |channel, request| async move { client(channel).history(request).await };
        let reply = self.nodes.call("config history", Aim::Any, Retry::Safe, request, method).await?;
        Ok(documents(reply.revision, reply.documents))
    }

    /// Parses without publishing; the format follows from the path's ending unless given.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column when the text is unsound; otherwise as [`Error`] says.
    pub async fn lint(
        &self,
        path: impl Into<String>,
        format: Option<Format>,
        text: impl Into<String>,
    ) -> Result<Linted, Error> {
        let format = to_proto(format).into();
        self.send_lint(v1::LintRequest { path: path.into(), format, text: text.into(), judge: false }).await
    }

    /// As [`lint`](Self::lint), and says what the schemas and the processes that read the document have against it.
    ///
    /// # Errors
    /// As [`lint`](Self::lint).
    pub async fn lint_and_judge(
        &self,
        path: impl Into<String>,
        format: Option<Format>,
        text: impl Into<String>,
    ) -> Result<Linted, Error> {
        let format = to_proto(format).into();
        self.send_lint(v1::LintRequest { path: path.into(), format, text: text.into(), judge: true }).await
    }

    async fn send_lint(&self, request: v1::LintRequest) -> Result<Linted, Error> {
        let method = |channel, request| async move { client(channel).lint(request).await };
        let mut reply = self.nodes.call("config lint", Aim::Any, Retry::Safe, request, method).await?;
        if let Some(problem) = reply.problem.take() {
            return Err(Failure::from_problem(problem).error);
        }
        Ok(Linted {
            format: from_proto::format(reply.format()),
            canonical: reply.value,
            objections: reply.objections.into_iter().map(from_proto::objection).collect(),
            objections_more: reply.objections_more,
        })
    }

    /// The documents that `selectors` name, then each change. A selector is a path, or a prefix that ends in `/`, or
    /// empty for everything; at most [`limits::SELECTORS_MAX`].
    #[must_use]
    pub fn watch(&self, selectors: impl IntoIterator<Item = impl Into<String>>) -> ConfigsWatch {
        self.watch_from(selectors, Cursor::default())
    }

    /// As [`watch`](Self::watch), but only what changed since a cursor.
    #[must_use]
    pub fn watch_from(&self, selectors: impl IntoIterator<Item = impl Into<String>>, cursor: Cursor) -> ConfigsWatch {
        ConfigsWatch::new(self.nodes.clone(), selectors.into_iter().map(Into::into).collect(), cursor)
    }

    async fn read(&self, path: String, revision: u64, secrets: Secrets) -> Result<Option<Document>, Error> {
        let reply = self.ask(path, revision, get_config_request::Consistency::Linearizable, secrets).await?;
        Ok(reply.document.map(from_proto::document))
    }

    async fn ask(
        &self,
        path: String,
        revision: u64,
        consistency: get_config_request::Consistency,
        secrets: Secrets,
    ) -> Result<v1::GetConfigReply, Error> {
        let reveal = secrets == Secrets::Revealed;
        let request = v1::GetConfigRequest { path, revision, consistency: consistency.into(), reveal };
        let method = |channel, request| async move { client(channel).get(request).await };
        self.nodes.call("config get", Aim::Any, Retry::Safe, request, method).await
    }
}

fn documents(revision: u64, documents: Vec<v1::Document>) -> Documents {
    Documents { revision, documents: documents.into_iter().map(from_proto::document).collect() }
}

pub(crate) fn client(channel: Channel) -> ConfigsClient<Channel> {
    ConfigsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
