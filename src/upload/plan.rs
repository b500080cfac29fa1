//! The plan: a request after its only check. Every strategy works with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::request::{Mode, UploadRequest};
use crate::content::Source;
use crate::error::{Error, Result};
use crate::protocol::policy::PutPolicy;
use crate::protocol::{headers, keys};

/// The upper limit of `jobs`.
pub const MAX_JOBS: i32 = 256;

/// A checked request: every default is filled in.
pub(crate) struct Plan {
    /// A file's path is absolute: the host may change its working directory.
    pub(super) source: Source,
    pub(super) key: String,
    pub(super) mode: Mode,
    /// None: the type is detected.
    pub(super) mime_type: Option<String>,
    /// Storage class and metadata.
    pub(super) headers: Vec<(String, String)>,
    pub(super) policy: Option<PutPolicy>,
    /// Parts in flight.
    pub(super) jobs: usize,
    /// Absolute.
    pub(super) resume_path: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
}

impl UploadRequest {
    /// Refuses what cannot succeed, and makes paths absolute. Uses neither disk nor network.
    ///
    /// # Errors
    /// `InvalidArgument` names the member that is wrong.
    pub(crate) fn plan(self) -> Result<Plan> {
        let requested = self.policy.is_some();
        self.checked().map_err(|mut error| {
            error.report_mut().callback_did_not_run(requested);
            error
        })
    }

    fn checked(self) -> Result<Plan> {
        keys::check_key(&self.key)?;
        check_mode(&self)?;
        Ok(Plan {
            source: match self.source {
                Source::File(path) => Source::File(absolute(path)),
                source => source,
            },
            key: self.key,
            mode: self.mode,
            mime_type: given_type(self.mime_type)?,
            headers: headers::of(self.storage_class.as_deref(), &self.metadata)?,
            policy: self.policy,
            jobs: self.jobs.clamp(1, MAX_JOBS) as usize,
            resume_path: self.resume_path.map(absolute),
            timeout: self.timeout,
        })
    }
}

/// Checks the caller's content type. An empty one counts as none.
pub(super) fn given_type(mime_type: Option<String>) -> Result<Option<String>> {
    let given = mime_type.filter(|given| !given.is_empty());
    if let Some(given) = &given {
        headers::check_mime_type(given)?;
    }
    Ok(given)
}

/// Refuses a stream where the length must be known, or the source must be read twice.
fn check_mode(request: &UploadRequest) -> Result<()> {
    let stream = matches!(request.source, Source::Reader(_));
    match (request.mode, request.resume_path.is_some()) {
        (Mode::Put, true) => Err(Error::argument(
            "resume_path goes with a multipart upload: one PutFile cannot be resumed",
        )),
        (Mode::Put, _) if stream => Err(Error::argument(
            "a stream cannot be sent as one PutFile: its length would have to be known first; leave mode at its default, which sends a short stream as one PutFile",
        )),
        (_, true) if stream => Err(Error::argument(
            "resume_path needs a file_path: a stream cannot be read again by a later run",
        )),
        _ => Ok(()),
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(Path::new(&path)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::content::Reader;
    use crate::error::{CallbackState, Status};

    fn memory() -> UploadRequest {
        UploadRequest::new(Source::Memory(Bytes::new()), "key")
    }

    fn refused(request: UploadRequest) -> Error {
        let error = request.plan().err().expect("it is refused");
        assert_eq!(error.status(), Status::InvalidArgument);
        error
    }

    #[test]
    fn jobs_are_honoured_from_1_to_256() {
        for (asked, planned) in [
            (i32::MIN, 1),
            (0, 1),
            (1, 1),
            (37, 37),
            (256, 256),
            (257, 256),
        ] {
            let request = UploadRequest {
                jobs: asked,
                ..memory()
            };
            assert_eq!(request.plan().expect("a plan").jobs, planned, "{asked}");
        }
    }

    #[test]
    fn an_empty_type_is_detected_and_a_wrong_one_refused() {
        for (given, planned) in [(None, None), (Some(""), None), (Some("a/b"), Some("a/b"))] {
            let mime_type = given.map(str::to_owned);
            let plan = UploadRequest {
                mime_type,
                ..memory()
            }
            .plan()
            .expect("a plan");
            assert_eq!(plan.mime_type.as_deref(), planned);
        }
        let mime_type = Some("a/b\r\nX: y".to_owned());
        assert!(
            refused(UploadRequest {
                mime_type,
                ..memory()
            })
            .message()
            .starts_with("mime_type")
        );
    }

    #[test]
    fn paths_are_absolute() {
        let mut request = UploadRequest::new(Source::File("file".into()), "key");
        request.resume_path = Some("checkpoint".into());
        let plan = request.plan().expect("a plan");
        assert!(matches!(plan.source, Source::File(path) if path.is_absolute()));
        assert!(plan.resume_path.expect("a path").is_absolute());
    }

    #[test]
    fn what_must_be_read_twice_or_measured_first_is_no_stream() {
        let stream = || UploadRequest::new(Source::Reader(Reader::new(std::io::empty())), "key");
        let resume_path = Some(PathBuf::from("checkpoint"));
        for (request, why) in [
            (
                UploadRequest {
                    mode: Mode::Put,
                    ..stream()
                },
                "a stream cannot be sent",
            ),
            (
                UploadRequest {
                    resume_path: resume_path.clone(),
                    ..stream()
                },
                "resume_path needs",
            ),
            (
                UploadRequest {
                    mode: Mode::Put,
                    resume_path,
                    ..memory()
                },
                "resume_path goes with",
            ),
        ] {
            assert!(refused(request).message().starts_with(why), "{why}");
        }
    }

    #[test]
    fn a_refused_request_with_a_policy_called_nobody() {
        let policy = PutPolicy::build("http://127.0.0.1:1/", "a=b", None, &[]).ok();
        let request = UploadRequest {
            policy,
            key: String::new(),
            ..memory()
        };
        assert_eq!(
            refused(request).report().callback,
            CallbackState::NotDelivered
        );
    }
}
