//! The rules of src/protocol, and single old rules that take their place.

use std::time::Duration;

use us3::error::CallbackState;
use us3::protocol::etag::EtagMatch;
use us3::protocol::settle::{self, Head};
use us3::protocol::verdict::{Answer, End, Evidence, Form, Known, Verdict, judge};

/// Old rules. The default is none of them: the functions of src/protocol, unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub absence_after_a_lost_answer_is_proof: bool,
    pub rerun_finishes_at_once: bool,
    pub html_599_is_stored: bool,
    pub an_error_in_the_form_is_the_services: bool,
    pub html_200_is_success: bool,
    pub size_is_enough: bool,
    pub age_is_ignored: bool,
    pub each_20003_is_not_delivered: bool,
    pub each_20008_is_not_delivered: bool,
    pub bytes_are_counted_before_the_stop: bool,
    pub a_try_answered_in_the_form_is_forgotten: bool,
}

impl Rules {
    pub fn judge(&self, evidence: &Evidence) -> Verdict {
        let stored = |callback| Verdict {
            known: Known::Stored(callback),
            transient: false,
        };
        let End::Answered(Answer { status, form, .. }) = evidence.end else {
            return judge(evidence);
        };
        match (status, form) {
            (599, Form::Other) if self.html_599_is_stored => stored(CallbackState::Unknown),
            (599, Form::Service { ret_code, .. })
                if (ret_code == 20_003 && self.each_20003_is_not_delivered)
                    || (ret_code == 20_008 && self.each_20008_is_not_delivered) =>
            {
                stored(CallbackState::NotDelivered)
            }
            (400..=503, Form::Service { .. }) if self.an_error_in_the_form_is_the_services => {
                Verdict {
                    known: Known::NotRun,
                    ..judge(evidence)
                }
            }
            (200, Form::Other) if self.html_200_is_success => Verdict {
                known: Known::Done,
                transient: false,
            },
            _ => judge(evidence),
        }
    }

    pub fn object(&self, mut head: Head, since: Duration) -> settle::Object {
        if self.age_is_ignored || self.size_is_enough {
            head.last_modified = head.last_modified.and(head.date);
        }
        if self.size_is_enough && head.etag == EtagMatch::Incomparable {
            head.etag = EtagMatch::Same;
        }
        settle::object(head, since)
    }
}
