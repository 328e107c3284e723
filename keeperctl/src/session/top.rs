//! `keeperctl session top`: where sessions are many.

use keeper_client_sdk::{self as sdk, InstanceCount, TopicCount};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::TopSessions,
    failure::Failure,
    name::Name,
    render::{self, Report},
};

pub(super) async fn top(admin: &mut Admin<'_, '_>, top: &TopSessions) -> Result<(), Failure> {
    let top = Top::from(admin.keeper.sessions().top(top.limit).await?);
    if top.total == 0 {
        admin.console.say("no session is live");
    }
    admin.console.print(&top)
}

#[derive(Debug, Serialize)]
struct Top {
    revision: u64,
    total: u64,
    topics: Vec<OfTopic>,
    instances: Vec<OfInstance>,
}

#[derive(Debug, Serialize)]
struct OfTopic {
    topic: Name,
    sessions: u64,
    instances: u32,
}

#[derive(Debug, Serialize)]
struct OfInstance {
    instance: String,
    incarnation: u64,
    sessions: u64,
}

impl From<sdk::Top> for Top {
    fn from(top: sdk::Top) -> Self {
        let of_topic = |it: TopicCount| OfTopic {
            topic: Name::from(&it.topic[..]),
            sessions: it.sessions,
            instances: it.instances,
        };
        let of_instance = |it: InstanceCount| OfInstance {
            instance: format!("{}/{}", it.service, it.instance),
            incarnation: it.incarnation,
            sessions: it.sessions,
        };
        Self {
            revision: top.revision,
            total: top.total,
            topics: top.topics.into_iter().map(of_topic).collect(),
            instances: top.instances.into_iter().map(of_instance).collect(),
        }
    }
}

impl Report for Top {
    fn table(&self) -> String {
        let of_topic = |it: &OfTopic| [it.topic.to_string(), it.sessions.to_string(), it.instances.to_string()];
        let topics = render::table(["TOPIC", "SESSIONS", "INSTANCES"], self.topics.iter().map(of_topic));
        let of_instance = |it: &OfInstance| [it.instance.clone(), it.sessions.to_string(), it.incarnation.to_string()];
        let instances = render::table(["INSTANCE", "SESSIONS", "INCARNATION"], self.instances.iter().map(of_instance));
        render::sections([topics, instances])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top() -> sdk::Top {
        sdk::Top {
            revision: 52,
            total: 5,
            topics: vec![TopicCount { topic: "news".into(), sessions: 4, instances: 2 }],
            instances: vec![
                InstanceCount { service: "room".into(), instance: "b".into(), incarnation: 9, sessions: 3 },
                InstanceCount { service: "room".into(), instance: "a".into(), incarnation: 7, sessions: 2 },
            ],
        }
    }

    #[test]
    fn topics_and_instances_keep_their_order() {
        let expected = "\
TOPIC  SESSIONS  INSTANCES
news   4         2

INSTANCE  SESSIONS  INCARNATION
room/b    3         9
room/a    2         7
";
        assert_eq!(Top::from(top()).table(), expected);
        assert_eq!(Top::from(sdk::Top { topics: Vec::new(), ..top() }).table().lines().count(), 3);
    }

    #[test]
    fn the_top_as_json() {
        let one = sdk::Top { instances: Vec::new(), ..top() };
        let expected = concat!(
            r#"{"revision":52,"total":5,"topics":[{"topic":"news","sessions":4,"instances":2}],"instances":[]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&Top::from(one)), Ok(expected.to_owned()));
    }
}
