//! Asks the service whether a PutFile or finish in doubt has run. `protocol::settle` chooses the questions
//! and interprets the answers.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::engine::Run;
use crate::error::Error;
use crate::protocol::etag::{ContentDigest, EtagMatch};
use crate::protocol::settle::{
    Doubt, Head, Object, Outcome, Settling, Step, UploadListing, Why, object,
};
use crate::service::{Failure, Reply};

/// The first pause between two questions; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A moment by two clocks, because each can be wrong: the monotonic clock stops while the machine sleeps,
/// the wall clock may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(Instant, SystemTime);

impl Moment {
    pub(super) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// The longest time that can have passed since then.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// When the request in doubt began: an older object is not its object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begun {
    /// In this process.
    Here(Moment),
    /// In an earlier process, by the service's Date, in seconds since 1970; None if unknown.
    Date(Option<u64>),
}

impl Begun {
    pub(super) fn now() -> Self {
        Self::Here(Moment::now())
    }

    /// How long before the service's Date `date` that was.
    fn ago(self, date: Option<u64>) -> Option<Duration> {
        match self {
            Self::Here(begun) => Some(begun.elapsed()),
            Self::Date(begun) => Some(Duration::from_secs(date?.saturating_sub(begun?))),
        }
    }
}

/// The request in doubt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) key: &'a str,
    /// The upload id, if the request was a finish.
    pub(super) upload_id: Option<&'a str>,
    /// Status and RetCode of an answer in US3's form; None when the answer is lost.
    pub(super) answered: Option<(u16, i32)>,
    /// That answer had a session id, as all answers of the service have. Then an error of HEAD without one
    /// comes from a gateway.
    pub(super) session: bool,
    pub(super) begun: Begun,
    /// Ask only once, because running the request twice does no harm.
    pub(super) one_look: bool,
}

/// The result of the questions.
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    /// The upload of a finish may still exist.
    pub(super) upload_may_exist: bool,
    /// HEAD's answer, if there was one.
    pub(super) head: Option<Reply>,
}

/// Asks until the answers decide, or the time has passed.
pub(super) async fn run(
    run: &Run,
    question: Question<'_>,
    digest: Option<&ContentDigest>,
) -> Settled {
    let mut asking = Asking {
        run,
        question,
        digest,
        settling: Settling::new(Doubt {
            finish: question.upload_id.is_some(),
            answered: question.answered,
        }),
        head: None,
    };
    let time = run.config().settle_timeout;
    let outcome = run.operation.settle(time, asking.until_settled(time)).await;
    let outcome = outcome.unwrap_or(Outcome::Unknown(Why::NoAnswer));
    Settled {
        outcome,
        upload_may_exist: asking.settling.upload_may_exist(outcome),
        head: asking.head,
    }
}

struct Asking<'a> {
    run: &'a Run,
    question: Question<'a>,
    digest: Option<&'a ContentDigest>,
    settling: Settling,
    head: Option<Reply>,
}

impl Asking<'_> {
    async fn until_settled(&mut self, time: Duration) -> Outcome {
        let until = Instant::now() + time;
        let mut pause = FIRST_PAUSE;
        let mut time_left = !self.question.one_look;
        loop {
            time_left &= Instant::now() + pause < until;
            match self.settling.next(time_left) {
                Step::AskObject => self.ask_object().await,
                Step::AskLikewise => self.ask_likewise().await,
                Step::AskUpload => self.ask_upload().await,
                Step::Pause if self.run.operation.rest(pause).await => {
                    self.settling.ask_again();
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Step::Pause => time_left = false,
                Step::End(outcome) => return outcome,
            }
        }
    }

    async fn ask_object(&mut self) {
        let (service, key) = (self.run.service(), self.question.key);
        let seen = match service.head_once(key, &self.run.operation).await {
            Ok(reply) => {
                let seen = seen(&reply, self.question.begun, self.digest);
                self.head = Some(reply);
                seen
            }
            Err(failure)
                if self.question.session && failure.error.report().session_id.is_none() =>
            {
                Object::NoAnswer
            }
            Err(failure) => refused(&failure),
        };
        self.settling.saw_object(seen);
    }

    async fn ask_likewise(&mut self) {
        let Question { key, upload_id, .. } = self.question;
        let service = self.run.service();
        let failure = match upload_id {
            Some(upload_id) => service
                .upload_exists(upload_id, &self.run.operation)
                .await
                .err(),
            None => service.any_upload(key, &self.run.operation).await.err(),
        };
        let refusal = failure.and_then(|failure| failure.refusal());
        self.settling.saw_likewise(refusal);
    }

    async fn ask_upload(&mut self) {
        let upload_id = self.question.upload_id.unwrap_or_default();
        let asked = self
            .run
            .service()
            .upload_exists(upload_id, &self.run.operation)
            .await;
        self.settling.saw_upload(match asked {
            Ok(()) => UploadListing::Listed,
            Err(failure) if failure.upload_is_gone() => UploadListing::Gone,
            Err(_) => UploadListing::Unsaid,
        });
    }
}

/// What a 2xx answer of HEAD says about a request with this beginning and digest.
pub(super) fn seen(reply: &Reply, begun: Begun, digest: Option<&ContentDigest>) -> Object {
    let etag = reply.etag();
    let compared = etag.as_deref().zip(digest);
    let date = reply.date("date");
    let ago = begun.ago(date);
    let head = Head {
        status: reply.status,
        page: reply.is_page(),
        etag: compared.map_or(EtagMatch::Incomparable, |(etag, digest)| {
            digest.compare_object(etag)
        }),
        last_modified: reply.date("last-modified"),
        date: date.filter(|_| ago.is_some()),
    };
    object(head, ago.unwrap_or_default())
}

/// What a failed HEAD says.
pub(super) fn refused(failure: &Failure) -> Object {
    let Some(answer) = failure.answer else {
        return Object::NoAnswer;
    };
    let head = Head {
        status: answer.status,
        page: failure.page,
        etag: EtagMatch::Incomparable,
        last_modified: None,
        date: None,
    };
    // A failure with status 2xx is an answer that broke off.
    match answer.status {
        200..300 => Object::NoAnswer,
        _ => object(head, Duration::ZERO),
    }
}

/// Adds the result of the questions to an error, and what to do.
pub(super) fn explain(error: &mut Error, outcome: Outcome, policy: bool) {
    let callback = |with: &'static str, without: &'static str| if policy { with } else { without };
    match outcome {
        Outcome::NotRun => {}
        Outcome::Stored => error.add(callback(
            "the object is stored, but whether its callback succeeded is unknown; ask the callback service",
            "the object is stored",
        )),
        Outcome::Unknown(why) => error.add(format_args!(
            "{}; ask with HeadFile later, and upload again only if the object is not there{}",
            reason(why),
            callback(
                " and the callback service was not told of it either",
                ""
            )
        )),
    }
}

fn reason(why: Why) -> String {
    match why {
        Why::NotThere => {
            "the object is not there yet, but the service may still be at work".to_owned()
        }
        Why::StillTheOlder => {
            "the object that is there is from before, and the service may still be at work".to_owned()
        }
        Why::Another => {
            "an object is there that is new, but not provably this one: its ETag is another or cannot be compared".to_owned()
        }
        Why::NoAge => {
            "an object with the right ETag is there, but how old it is, the service does not say".to_owned()
        }
        Why::Refused(status) => format!(
            "whether the object is stored could not be found out: HEAD was refused with {status}, the token may lack READ"
        ),
        Why::NoAnswer => {
            "whether the object is stored could not be found out: HEAD was not answered".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ObjectState;
    use crate::upload::tests::{Answer, FakeService, memory, policy, usual};
    use crate::upload::{Mode, UploadRequest};

    #[tokio::test(start_paused = true)]
    async fn head_is_asked_less_and_less_often_until_the_time_is_up() {
        let service = FakeService::new(|asked| match asked.operation {
            "PutFile" => Answer::Lost,
            _ => usual(asked, 4),
        });
        let error = service.upload(with_policy()).await.unwrap_err();
        let times = [0, 50, 150, 350, 750, 1550, 2550, 3550, 4550];
        assert_eq!(service.times("HeadFile"), times, "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_look_that_decides_is_the_last() {
        let service = FakeService::new(|asked| match (asked.operation, asked.before) {
            ("PutFile", _) => Answer::Lost,
            ("HeadFile", 2) => Answer::object(b"content", 0),
            _ => usual(asked, 4),
        });
        let error = service.upload(with_policy()).await.unwrap_err();
        assert_eq!(error.report().object, ObjectState::Stored);
        assert_eq!(service.times("HeadFile"), [0, 50, 150]);
    }

    #[tokio::test(start_paused = true)]
    async fn settle_timeout_bounds_the_looks() {
        for (ms, looks) in [(1, 1), (50, 1), (51, 2), (1000, 5)] {
            let settle_timeout = Duration::from_millis(ms);
            let service = FakeService::with(
                |config| config.settle_timeout = settle_timeout,
                |asked| match asked.operation {
                    "PutFile" => Answer::Lost,
                    _ => usual(asked, 4),
                },
            );
            service.upload(with_policy()).await.unwrap_err();
            assert_eq!(service.count("HeadFile"), looks, "{ms} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_never_answered_ends_with_the_time() {
        let service = FakeService::new(|asked| match asked.operation {
            "PutFile" => Answer::Lost,
            "HeadFile" => Answer::object(b"content", 0).after(u64::from(u32::MAX)),
            _ => usual(asked, 4),
        });
        let error = service.upload(with_policy()).await.unwrap_err();
        assert_eq!(error.report().object, ObjectState::Unknown);
        assert_eq!(service.elapsed(), Duration::from_secs(15), "{error}");
    }

    /// HEAD has no body to read a RetCode from.
    #[tokio::test(start_paused = true)]
    async fn where_head_is_refused_a_get_tells_whether_the_request_was() {
        for (likewise, object) in [
            ((403, -5), ObjectState::NotStored),
            ((403, -6), ObjectState::Unknown),
            ((200, 0), ObjectState::Unknown),
        ] {
            let service = FakeService::new(move |asked| match asked.operation {
                "PutFile" => Answer::refused(403, -5),
                "HeadFile" => Answer::new(403, ""),
                "GetMultiUploadId" => Answer::refused(likewise.0, likewise.1),
                _ => usual(asked, 4),
            });
            let error = service.upload(with_policy()).await.unwrap_err();
            assert_eq!(error.report().object, object, "{likewise:?}: {error}");
            let asked = ["PutFile", "HeadFile", "GetMultiUploadId"];
            assert_eq!(service.asked(), asked, "{likewise:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_lost_finish_the_upload_is_asked_for_as_well() {
        let service = FakeService::new(|asked| match (asked.operation, asked.before) {
            ("FinishMultipartUpload", _) => Answer::Lost,
            ("ListParts", 1) => Answer::refused(404, -1),
            _ => usual(asked, 4),
        });
        let mut request = with_policy();
        request.mode = Mode::Multipart;
        let error = service.upload(request).await.unwrap_err();
        assert_eq!(
            &service.asked()[4..8],
            ["HeadFile", "ListParts", "HeadFile", "ListParts"]
        );
        assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    }

    fn with_policy() -> UploadRequest {
        let mut request = memory("content");
        request.policy = Some(policy());
        request
    }

    #[test]
    fn a_machine_that_slept_does_not_make_its_own_object_an_older_one() {
        let hour = Duration::from_secs(3600);
        let slept = Moment(Instant::now(), SystemTime::now() - hour);
        assert!(slept.elapsed() >= hour);
        let set_back = Moment(Instant::now(), SystemTime::now() + hour);
        assert!(set_back.elapsed() < hour);
    }
}
