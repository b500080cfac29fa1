//! Whether a rule can be carried out at all.

use super::{Fault, Place, Rule, Shape};
use crate::target::Call;

impl Rule {
    /// Says why it cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.call {
            Some(Call::Connection) => self.check_connection()?,
            Some(Call::Callback) => self.check_callback()?,
            _ => {}
        }
        if self.nth == Some(0) {
            return Err("nth counts from 1".into());
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("a probability is between 0 and 1".into());
        }
        self.check_detached()?;
        match &self.fault {
            Fault::Gateway(gateway) => check_status(gateway.status),
            fault => fault.shape().map_or(Ok(()), Shape::check),
        }
    }

    fn check_connection(&self) -> Result<(), String> {
        match self.fault {
            Fault::Answer(_) | Fault::Alter(_) | Fault::Gateway(_) => {
                Err("a connection can be reset, closed, dropped or stalled".into())
            }
            _ => Ok(()),
        }
    }

    fn check_callback(&self) -> Result<(), String> {
        match self.fault {
            Fault::Alter(_) => Err("a callback's answer cannot be altered, only replaced".into()),
            Fault::Gateway(_) => Err(
                "a gateway is in front of US3, not of a callback service: use \"answer\"".into(),
            ),
            _ if !matches!(self.at, Place::BeforeBody | Place::AfterExecuting) => {
                Err("a callback has the places before_body and after_executing".into())
            }
            _ => Ok(()),
        }
    }

    fn check_detached(&self) -> Result<(), String> {
        if self.detached.is_none() {
            return Ok(());
        }
        match (&self.fault, self.call, self.at) {
            (_, Some(Call::Connection | Call::Callback), _) => {
                Err("only a request can be detached, not a connection or a callback".into())
            }
            (Fault::Stall(_), ..) => {
                Err("a stall cannot be detached: \"persist\" makes it outlast its client".into())
            }
            (Fault::Alter(_), ..) => {
                Err("\"alter\" cannot be detached: it changes the answer of a request that has run".into())
            }
            (.., Place::BeforeBody | Place::Body(_)) => Err(
                "\"detached\" needs \"at\":\"after_body\": without its whole body a request cannot go on"
                    .into(),
            ),
            (.., Place::AfterExecuting) => Err(
                "\"detached\" needs \"at\":\"after_body\": after_executing the request has run already".into(),
            ),
            (.., Place::AfterBody) => Ok(()),
        }
    }
}

fn check_status(status: u16) -> Result<(), String> {
    if (200..1000).contains(&status) {
        return Ok(());
    }
    Err(format!(
        "a gateway's status is from 200 to 999, not {status}"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rules::Shape;

    #[test]
    fn impossible_rules_are_named() {
        let after_body = |fault| {
            Rule::any(fault)
                .at(Place::AfterBody)
                .detached(Duration::ZERO)
        };
        for (rule, why) in [
            (
                Rule::on(Call::Connection, Fault::status(500)),
                "reset, closed, dropped or stalled",
            ),
            (
                Rule::on(Call::Connection, Fault::gateway(502)),
                "reset, closed, dropped or stalled",
            ),
            (
                Rule::on(Call::Callback, Fault::alter(Shape::default())),
                "only replaced",
            ),
            (
                Rule::on(Call::Callback, Fault::gateway(502)),
                "not of a callback service",
            ),
            (
                Rule::on(Call::Callback, Fault::Reset).at(Place::AfterBody),
                "before_body and after_executing",
            ),
            (Rule::any(Fault::Reset).nth(0), "counts from 1"),
            (
                Rule::any(Fault::Reset).probability(1.5, 0),
                "between 0 and 1",
            ),
            (Rule::any(Fault::gateway(100)), "from 200 to 999"),
            (
                Rule::any(Fault::Reset).detached(Duration::ZERO),
                "without its whole body",
            ),
            (
                after_body(Fault::Reset).at(Place::Body(9)),
                "without its whole body",
            ),
            (
                after_body(Fault::Reset).at(Place::AfterExecuting),
                "has run already",
            ),
            (after_body(Fault::stall()), "persist"),
            (after_body(Fault::alter(Shape::default())), "alter"),
            (
                Rule::on(Call::Callback, Fault::Reset).detached(Duration::ZERO),
                "only a request",
            ),
            (
                Rule::on(Call::Connection, Fault::Reset).detached(Duration::ZERO),
                "only a request",
            ),
        ] {
            let said = rule.check().unwrap_err();
            assert!(said.contains(why), "{rule:?}: {said}");
        }
        for fault in [
            Fault::Reset,
            Fault::Close,
            Fault::Drop,
            Fault::status(502),
            Fault::gateway(502),
        ] {
            assert_eq!(after_body(fault).check(), Ok(()));
        }
    }
}
