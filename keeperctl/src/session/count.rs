//! `keeperctl session count`: how many sessions live, by instance.

use keeper_client_sdk::Counts;
use serde::Serialize;

use crate::{
    admin::Admin,
    args::CountSessions,
    failure::Failure,
    render::{self, Report},
};

pub(crate) async fn count(admin: &mut Admin<'_, '_>, count: &CountSessions) -> Result<(), Failure> {
    let topic = count.topic.as_ref().map(|topic| topic.bytes().to_vec().into());
    let counts = admin.keeper.sessions().count(topic).await?;
    admin.console.print(&Counted::from(counts))
}

#[derive(Debug, Serialize)]
struct Counted {
    revision: u64,
    total: u64,
    instances: Vec<OfInstance>,
}

#[derive(Debug, Serialize)]
struct OfInstance {
    instance: String,
    incarnation: u64,
    sessions: u64,
}

impl From<Counts> for Counted {
    fn from(counts: Counts) -> Self {
        let of_instance = |it: keeper_client_sdk::InstanceCount| OfInstance {
            instance: format!("{}/{}", it.service, it.instance),
            incarnation: it.incarnation,
            sessions: it.sessions,
        };
        let mut instances: Vec<_> = counts.instances.into_iter().map(of_instance).collect();
        instances.sort_by(|a, b| (&a.instance, a.incarnation).cmp(&(&b.instance, b.incarnation)));
        Self { revision: counts.revision, total: counts.total, instances }
    }
}

impl Report for Counted {
    fn table(&self) -> String {
        let of_instance = |it: &OfInstance| [it.instance.clone(), it.incarnation.to_string(), it.sessions.to_string()];
        let total = ["TOTAL".to_owned(), String::new(), self.total.to_string()];
        render::table(["INSTANCE", "INCARNATION", "SESSIONS"], self.instances.iter().map(of_instance).chain([total]))
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::InstanceCount;

    use super::*;

    fn counted(counts: &[(&str, u64)]) -> Counted {
        let instance = |(id, sessions): &(&str, u64)| InstanceCount {
            service: "room".into(),
            instance: (*id).into(),
            incarnation: 9,
            sessions: *sessions,
        };
        let total = counts.iter().map(|(_, sessions)| sessions).sum();
        Counts { revision: 12, total, instances: counts.iter().map(instance).collect() }.into()
    }

    #[test]
    fn instances_are_sorted_and_summed_up() {
        let expected = "\
INSTANCE  INCARNATION  SESSIONS
room/a    9            2
room/b    9            1000
TOTAL     -            1002
";
        assert_eq!(counted(&[("b", 1_000), ("a", 2)]).table(), expected);
        assert_eq!(counted(&[]).table(), "INSTANCE  INCARNATION  SESSIONS\nTOTAL     -            0\n");
    }

    #[test]
    fn counts_as_json() {
        let expected = concat!(
            r#"{"revision":12,"total":2,"instances":[{"instance":"room/a","incarnation":9,"sessions":2}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&counted(&[("a", 2)])), Ok(expected.to_owned()));
    }
}
