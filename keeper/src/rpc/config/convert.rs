//! A text in another format.

use keeper_proto::v1 as wire;
use keeper_registry::Format;

use super::ConfigService;
use super::draft::{named_format, value};
use crate::config::convert;
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;

impl ConfigService {
    pub(super) async fn converted(&self, request: wire::ConvertRequest) -> Result<wire::ConvertReply, Problem> {
        let (from, to) = (named("from", request.from)?, named("to", request.to)?);
        let text = self.publisher.offload().compute(move || {
            let value = value("text", from, &request.text)?;
            convert(&value, to).map_err(|unsayable| invalid("to", unsayable.to_string()))
        });
        Ok(wire::ConvertReply { text: text.await? })
    }
}

/// There is no path that it could follow from.
fn named(field: &str, number: i32) -> Result<Format, Problem> {
    if number == i32::from(wire::Format::Unspecified) {
        return Err(invalid(field, format!("`{field}` names no format")));
    }
    named_format(number, "")
}
