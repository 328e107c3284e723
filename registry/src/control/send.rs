//! Sending a control, and answering one.

use std::sync::Arc;

use bytes::Bytes;

use super::{AnswerState, Control, ControlAnswer, Controls};
use crate::{
    AcknowledgeControl, Event, LogTime, Rejection, Reply, SendControl, State, check, limits, session::OwnerId,
};

impl State {
    pub(crate) fn send_control(&mut self, send: &SendControl, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        check_send(send)?;
        let targets = self.targets(send);
        if targets.is_empty() {
            return Err(Rejection::NotFound { what: "instance" });
        }
        check::size("instances", targets.len(), limits::CONTROL_INSTANCES_MAX)?;
        self.controls.make_room(self.clock.time)?;
        let number = self.clock.revision.0.max(self.controls.last.saturating_add(1));
        self.controls.last = number;
        let instances = targets.len() as u32;
        for (owner, answer) in &targets {
            if let Some(owner) = self.instances.owner_mut(*owner) {
                if owner.controls.len() >= limits::CONTROLS_KEPT {
                    owner.controls.retain(|number| self.controls.by_number.contains_key(number));
                }
                owner.controls.push(number);
            }
            events.push(Event::Control(answer.incarnation));
        }
        self.controls.insert(Arc::new(Control {
            number,
            service: send.service.as_str().into(),
            action: send.action.as_str().into(),
            argument: Bytes::copy_from_slice(&send.argument),
            author: send.author.as_str().into(),
            sent_at: self.clock.time,
            deadline_at: LogTime(self.clock.time.0.saturating_add(u64::from(send.deadline_ms))),
            answers: targets.into_iter().map(|(_, answer)| answer).collect(),
        }));
        Ok(Reply::ControlSent { control: number, instances })
    }

    /// Sorted by instance; one more than the limit is enough to refuse.
    fn targets(&self, send: &SendControl) -> Vec<(OwnerId, ControlAnswer)> {
        self.instances
            .of_service(&send.service)
            .filter(|(_, owner)| send.id.is_empty() || *owner.instance.id == *send.id)
            .take(limits::CONTROL_INSTANCES_MAX + 1)
            .map(|(id, owner)| {
                let (instance, incarnation) = (Arc::clone(&owner.instance.id), owner.instance.incarnation);
                (id, ControlAnswer { instance, incarnation, state: AnswerState::Waiting })
            })
            .collect()
    }

    /// The first answer counts; a repeated one is acknowledged and changes nothing.
    pub(crate) fn acknowledge_control(&mut self, answer: &AcknowledgeControl) -> Result<Reply, Rejection> {
        check::size("message", answer.message.len(), limits::ANSWER_BYTES_MAX)?;
        let owner = self.open_id(answer.incarnation)?;
        self.controls.answer(answer)?;
        if let Some(owner) = self.instances.owner_mut(owner) {
            owner.controls.retain(|number| *number != answer.control);
        }
        Ok(Reply::Acknowledged)
    }
}

impl Controls {
    /// A new control may take the place of one whose deadline has passed.
    fn make_room(&mut self, now: LogTime) -> Result<(), Rejection> {
        if self.by_number.len() < limits::CONTROLS_KEPT {
            return Ok(());
        }
        match self.by_deadline.first() {
            Some((deadline, number)) if *deadline <= now => {
                self.remove(*number);
                Ok(())
            }
            _ => Err(Rejection::Full { what: "controls", limit: limits::CONTROLS_KEPT as u64 }),
        }
    }

    fn answer(&mut self, answer: &AcknowledgeControl) -> Result<(), Rejection> {
        let control = self.by_number.get_mut(&answer.control).ok_or(Rejection::NotFound { what: "control" })?;
        let place = control.answers.iter().position(|one| one.incarnation == answer.incarnation);
        let place = place.ok_or(Rejection::NotFound { what: "instance" })?;
        if control.answers[place].state != AnswerState::Waiting {
            return Ok(());
        }
        let message: Arc<str> = answer.message.as_str().into();
        let control = Arc::make_mut(control);
        self.sum.subtract(control.answer_digest(&control.answers[place]));
        control.answers[place].state =
            if answer.done { AnswerState::Done { message } } else { AnswerState::Refused { message } };
        self.sum.add(control.answer_digest(&control.answers[place]));
        Ok(())
    }
}

fn check_send(send: &SendControl) -> Result<(), Rejection> {
    check::name("service", &send.service)?;
    if !send.id.is_empty() {
        check::name("id", &send.id)?;
    }
    check::name("action", &send.action)?;
    check::size("argument", send.argument.len(), limits::ARGUMENT_BYTES_MAX)?;
    check::size("deadline_ms", send.deadline_ms as usize, limits::CONTROL_DEADLINE_MS_MAX as usize)?;
    check::author(&send.author)
}
