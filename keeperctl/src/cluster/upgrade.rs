//! `keeperctl cluster upgrade`: the step of an upgrade that has no way back.

use keeper_client_sdk::{NodeStatus, Role, Upgraded};
use serde::Serialize;

use crate::{
    admin::Admin,
    failure::Failure,
    render::{self, Report},
};

pub(crate) async fn upgrade(admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
    let upgraded = admin.keeper.cluster().upgrade(admin.author.clone()).await;
    let raised = Raised::from(upgraded.map_err(|error| Failure::of_change(error, "keeperctl cluster status"))?);
    admin.console.print(&raised)?;
    admin.console.say(raised.words());
    Ok(())
}

/// What is to be said when every node reads more than the cluster writes.
pub(super) fn due<'a>(answers: impl Iterator<Item = &'a NodeStatus> + Clone) -> Option<String> {
    let members = answers.filter(|status| status.role != Role::Uninitialized);
    let level = members.clone().map(|status| status.level).max()?;
    let all = members.map(|status| status.level_max).min()?;
    let hint = || format!("every node that answered reads feature level {all}: `keeperctl cluster upgrade` raises it");
    (all > level).then(hint)
}

/// A level that was raised, or was as high as it can be.
#[derive(Debug, Serialize)]
struct Raised {
    from: u32,
    to: u32,
    needs: String,
}

impl From<Upgraded> for Raised {
    fn from(Upgraded { from, to, needs }: Upgraded) -> Self {
        Self { from, to, needs }
    }
}

impl Raised {
    fn words(&self) -> String {
        let Self { from, to, needs } = self;
        if from == to {
            return format!("the cluster is at feature level {to} already, the newest that every member reads");
        }
        format!("the cluster is at feature level {to} now: releases before keeper {needs} can no longer join it")
    }
}

impl Report for Raised {
    fn table(&self) -> String {
        let row = [self.from.to_string(), self.to.to_string(), self.needs.clone()];
        render::table(["FROM", "TO", "NEEDS"], [row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::report::tests::status;

    #[test]
    fn an_upgrade_is_due_when_every_node_reads_more() {
        let at = |node, level, level_max| NodeStatus { level, level_max, ..status(node, Role::Follower) };
        assert_eq!(due([at(1, 1, 2), at(2, 1, 1)].iter()), None);
        assert_eq!(due([at(1, 2, 2), at(2, 2, 2)].iter()), None);
        let expected = "every node that answered reads feature level 2: `keeperctl cluster upgrade` raises it";
        assert_eq!(due([at(1, 1, 2), at(2, 1, 3)].iter()), Some(expected.to_owned()));
    }

    #[test]
    fn what_it_says_tells_whether_anything_changed() {
        let raised = |from| Raised { from, to: 2, needs: "0.2.0".to_owned() };
        assert_eq!(raised(1).table(), "FROM  TO  NEEDS\n1     2   0.2.0\n");
        let words = "the cluster is at feature level 2 now: releases before keeper 0.2.0 can no longer join it";
        assert_eq!(raised(1).words(), words);
        let words = "the cluster is at feature level 2 already, the newest that every member reads";
        assert_eq!(raised(2).words(), words);
    }
}
