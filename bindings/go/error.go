package us3

// What became of a call.

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"syscall"
)

// Status is how a call failed. More may be added: treat one that you do not know as a failure.
type Status int32

// The statuses, as us3.h describes them.
const (
	StatusOK              Status = C.US3_OK               // Done.
	StatusInvalidArgument Status = C.US3_INVALID_ARGUMENT // A mistake in the calling program; nothing was sent.
	StatusInvalidConfig   Status = C.US3_INVALID_CONFIG   // A member of the configuration is missing or wrong.
	StatusInvalidPolicy   Status = C.US3_INVALID_POLICY   // US3 would not accept the put policy; nothing was sent.
	StatusFileError       Status = C.US3_FILE_ERROR       // The source cannot be opened or read.
	StatusFileChanged     Status = C.US3_FILE_CHANGED     // The file changed during the upload; nothing is stored.
	StatusNetworkError    Status = C.US3_NETWORK_ERROR    // The service cannot be reached, or the connection broke.
	StatusTimeout         Status = C.US3_TIMEOUT          // A limit of Config or Request.Timeout passed.
	StatusCancelled       Status = C.US3_CANCELLED        // A context, Task.Cancel or Close ended it.
	StatusServiceError    Status = C.US3_SERVICE_ERROR    // US3 refused: see HTTPStatus and RetCode.
	StatusCallbackFailed  Status = C.US3_CALLBACK_FAILED  // The object is stored, but its upload callback failed.
	StatusIntegrityError  Status = C.US3_INTEGRITY_ERROR  // Other bytes are stored than were sent.
	StatusProtocolError   Status = C.US3_PROTOCOL_ERROR   // The answer makes no sense: is it US3 that answers?
	StatusPending         Status = C.US3_PENDING          // Not finished yet.
	StatusWouldDeadlock   Status = C.US3_WOULD_DEADLOCK   // A call that waits was made in a callback of the library.
	StatusForked          Status = C.US3_FORKED           // The client belongs to the process that this one was forked from.
	StatusInternalError   Status = C.US3_INTERNAL_ERROR   // A mistake in the library: please report it.
)

// String is the name that us3.h gives it, such as "US3_CALLBACK_FAILED".
func (s Status) String() string {
	return C.GoString(C.us3_status_name(C.int32_t(s)))
}

// ObjectState says whether a call left the object in the bucket.
type ObjectState int32

// The states of an object.
const (
	ObjectNotStored ObjectState = C.US3_OBJECT_NOT_STORED // This call did not store it; an older one may be there.
	ObjectStored    ObjectState = C.US3_OBJECT_STORED     // It is stored.
	ObjectUnknown   ObjectState = C.US3_OBJECT_UNKNOWN    // HeadFile may tell later.
)

// String is such as "not stored".
func (s ObjectState) String() string {
	switch s {
	case ObjectNotStored:
		return "not stored"
	case ObjectStored:
		return "stored"
	}
	return "unknown"
}

// CallbackState says whether the upload callback ran.
type CallbackState int32

// The states of a callback.
const (
	CallbackNotRequested CallbackState = C.US3_CALLBACK_NOT_REQUESTED // The call carried no policy.
	CallbackDelivered    CallbackState = C.US3_CALLBACK_DELIVERED     // The callback service answered: see Result.Body.
	CallbackNotDelivered CallbackState = C.US3_CALLBACK_NOT_DELIVERED // It did not run.
	CallbackUnknown      CallbackState = C.US3_CALLBACK_UNKNOWN       // It may have run: ask the callback service.
	CallbackReplyRefused CallbackState = C.US3_CALLBACK_REPLY_REFUSED // It ran, and US3 refused its reply, which was no JSON.
)

// String is such as "not delivered".
func (s CallbackState) String() string {
	switch s {
	case CallbackNotRequested:
		return "not requested"
	case CallbackDelivered:
		return "delivered"
	case CallbackNotDelivered:
		return "not delivered"
	case CallbackReplyRefused:
		return "reply refused"
	}
	return "unknown"
}

// Result is what is known of a call, whether it succeeded or failed.
type Result struct {
	HTTPStatus    int           // of the service's last answer; 0 if there was none
	RetCode       int           // of the service's last answer; 0 if there was none
	ObjectState   ObjectState   // whether the object is in the bucket
	CallbackState CallbackState // whether the callback ran
	Attempts      int           // 1 + the requests that were sent again; 0 if nothing was sent
	BytesSent     int64         // content that left, what was sent again included
	PartsResumed  int           // parts that an earlier run with the same ResumePath had sent
	SessionID     string        // of the service's last answer, to quote to support
	ETag          string        // of the object, or of the part; "" if unknown
	// UploadID names the multipart upload. After a failure, it names one that still exists with the service.
	UploadID string
	// Body is the service's last answer. On the success of a call with a policy, it is the reply of the
	// callback service.
	Body []byte
	// Note is what else is worth knowing, such as why a resumable upload started afresh.
	Note string
}

// Describe says what became of a successful call, in one line for a person.
func (r *Result) Describe() string {
	return describe(StatusOK, "", 0, r)
}

// Error is why a call failed, with all that is known.
type Error struct {
	Status  Status
	Message string // what failed, on what, why, and what to do
	// OSError is what the operating system said, 0 if nothing. errors.Is finds it too.
	OSError syscall.Errno
	Result

	// What Go had to do with it: the context's error, the Reader's, a *PanicError.
	cause error
}

// Error is Message, with the error that it came from, if that is one of the program's own.
func (e *Error) Error() string {
	if e.cause == nil {
		return "us3: " + e.Message
	}
	return "us3: " + e.Message + ": " + e.cause.Error()
}

// Unwrap gives the error of the context or the Reader that ended the call, or a *PanicError; nil otherwise.
func (e *Error) Unwrap() error {
	return e.cause
}

// Is lets errors.Is find what the operating system said, as syscall.ENOENT or as fs.ErrNotExist.
func (e *Error) Is(target error) bool {
	return e.OSError != 0 && errors.Is(e.OSError, target)
}

// Timeout says whether a time limit passed: one of Config, Request.Timeout, or a context's deadline.
func (e *Error) Timeout() bool {
	var caused interface{ Timeout() bool }
	return e.Status == StatusTimeout || errors.As(e.cause, &caused) && caused.Timeout()
}

// Describe says in one line for a person all that is known, and what to do.
func (e *Error) Describe() string {
	message := e.Message
	if e.cause != nil {
		message += ": " + e.cause.Error()
	}
	return describe(e.Status, message, e.OSError, &e.Result)
}

// PanicError is what a Reader or a progress function panicked with.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // where
}

// Error says that a function panicked, and with what.
func (e *PanicError) Error() string {
	return fmt.Sprintf("a function that libus3 called panicked: %v", e.Value)
}

// Unwrap gives what was given to panic, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// invalid is a mistake that was found before the library was asked.
func invalid(message string) *Error {
	return &Error{Status: StatusInvalidArgument, Message: message}
}

// ended is a call that the caller's context ended.
func ended(message string, cause error) *Error {
	return &Error{Status: StatusCancelled, Message: message, cause: cause}
}

// mayWait refuses to wait on a thread of the library, as the library itself does.
func mayWait(what string) error {
	if C.us3_go_in_callback() == 0 {
		return nil
	}
	return &Error{
		Status:  StatusWouldDeadlock,
		Message: what + " was called in a function that libus3 called; use Start, or call it on a goroutine that the function does not wait for",
	}
}

// ---- from and to C ----------------------------------------------------------------------------

// take makes Go values of what a call reported, and frees what it held.
func take(result *C.us3_result) (*Result, error) {
	defer C.us3_result_clear(result)
	taken := Result{
		HTTPStatus:    int(result.http_status),
		RetCode:       int(result.ret_code),
		ObjectState:   ObjectState(result.object_state),
		CallbackState: CallbackState(result.callback_state),
		Attempts:      int(result.attempts),
		BytesSent:     int64(result.bytes_sent),
		PartsResumed:  int(result.parts_resumed),
		SessionID:     C.GoString(result.session_id),
		ETag:          C.GoString(result.etag),
		UploadID:      C.GoString(result.upload_id),
		Body:          goBytes(result.body, result.body_len),
		Note:          C.GoString(result.note),
	}
	if result.status == C.US3_OK {
		return &taken, nil
	}
	return nil, &Error{
		Status:  Status(result.status),
		Message: C.GoString(result.err_msg),
		OSError: syscall.Errno(result.os_error),
		Result:  taken,
	}
}

// describe asks the library to put it in words.
func describe(status Status, message string, osError syscall.Errno, result *Result) string {
	var texts cStrings
	defer texts.free()
	filled := C.us3_go_result()
	filled.status = C.int32_t(status)
	filled.http_status = C.int32_t(result.HTTPStatus)
	filled.ret_code = C.int32_t(result.RetCode)
	filled.os_error = C.int32_t(osError)
	filled.object_state = C.int32_t(result.ObjectState)
	filled.callback_state = C.int32_t(result.CallbackState)
	filled.attempts = C.uint32_t(result.Attempts)
	filled.bytes_sent = C.uint64_t(result.BytesSent)
	filled.parts_resumed = C.uint32_t(result.PartsResumed)
	filled.err_msg = texts.known("Message", message)
	filled.session_id = texts.known("SessionID", result.SessionID)
	filled.etag = texts.known("ETag", result.ETag)
	filled.upload_id = texts.known("UploadID", result.UploadID)
	filled.note = texts.known("Note", result.Note)
	body := string(result.Body)
	filled.body = texts.known("Body", body)
	if filled.body != nil {
		filled.body_len = C.size_t(len(body))
	}
	text := C.us3_result_describe(&filled)
	defer C.us3_string_free(text)
	return C.GoString(text)
}

// known is NULL for "", which is what the library says of what it does not know. A text that is none for C, as
// only Body can be, is left out.
func (s *cStrings) known(name, value string) *C.char {
	if value == "" {
		return nil
	}
	return s.of(name, value)
}
