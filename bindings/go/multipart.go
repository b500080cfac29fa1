package us3

// A multipart upload that the program drives part by part.

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// MultipartState is a multipart upload that the program drives. Any number of goroutines may send its parts at once.
//
// A finish, an abort and Close wait until no other call is in progress on the upload, not even one that goes on in the
// background because its context has ended. A successful finish or abort frees what it holds; otherwise Close does.
type MultipartState struct {
	client   *Client
	key      string
	uploadID string
	partSize int

	// Held for reading while a part is sent; a finish or an abort has the upload to itself, as us3.h demands.
	mu sync.RWMutex
	// nil once it is freed.
	handle *C.us3_multipart
}

// InitiateMultipartUpload begins a multipart upload. Send the parts with UploadPart, then call
// FinishMultipartUploadWithPolicy, or AbortMultipartUpload to give it up. An empty mimeType is detected by the key.
func (c *Client) InitiateMultipartUpload(ctx context.Context, key, mimeType string) (*MultipartState, error) {
	run := func() (*MultipartState, error) { return c.initiate(key, mimeType) }
	// Nobody else knows of it.
	undo := func(state *MultipartState) {
		_, _ = state.abort()
		_ = state.Close()
	}
	return call(ctx, c, fmt.Sprintf("InitiateMultipartUpload %q", key), run, undo)
}

func (c *Client) initiate(key, mimeType string) (*MultipartState, error) {
	var texts cStrings
	defer texts.free()
	name, mime := texts.of("key", key), texts.of("mimeType", mimeType)
	if texts.err != nil {
		return nil, texts.err
	}
	var handle *C.us3_multipart
	result := C.us3_go_result()
	C.us3_initiate_multipart_upload(c.handle, name, mime, &handle, &result)
	if _, err := take(&result); err != nil {
		return nil, err
	}
	state := &MultipartState{
		client:   c,
		key:      key,
		uploadID: C.GoString(C.us3_multipart_upload_id(handle)),
		partSize: int(C.us3_multipart_part_size(handle)),
		handle:   handle,
	}
	// A safety net. No call is in progress, since it would refer to the state; but the last handle of a closed client
	// ends its threads, which is nothing for the goroutine of the finalizers.
	runtime.SetFinalizer(state, func(state *MultipartState) { go C.us3_multipart_free(state.handle) })
	return state, nil
}

// UploadID is the service's name for the upload.
func (s *MultipartState) UploadID() string {
	return s.uploadID
}

// PartSize is the size of each part but the last, which may be smaller: usually 4 MiB.
func (s *MultipartState) PartSize() int {
	return s.partSize
}

// Key is the object's.
func (s *MultipartState) Key() string {
	return s.key
}

// UploadPart sends a part, numbered from 0. Parts may be sent in any order, by any number of goroutines, and again: the
// last one sent under a number counts. The library gets a copy of data. A failure leaves the upload as it was.
func (c *Client) UploadPart(ctx context.Context, data []byte, state *MultipartState, partNumber int) (*Result, error) {
	if partNumber < 0 || uint64(partNumber) > math.MaxUint32 {
		return nil, invalid(fmt.Sprintf("partNumber is %d, which is out of range", partNumber))
	}
	what := fmt.Sprintf("UploadPart %q part %d", state.key, partNumber)
	if err := state.client.beginCall(ctx, what); err != nil {
		return nil, err
	}
	// It may still be in use when ctx has ended and the caller has gone.
	copied, err := copyToC(data)
	if err != nil {
		state.client.endCall()
		return nil, err
	}
	run := func() (*Result, error) {
		defer C.free(copied)
		return state.use(what, func(result *C.us3_result) {
			C.us3_upload_part(state.handle, C.uint32_t(partNumber), copied, C.size_t(len(data)), result)
		})
	}
	return finishCall(ctx, state.client, what, run, nil)
}

// FinishMultipartUploadWithPolicy joins the parts to the object, in the order of their numbers; then the callback
// runs, whose reply is Result.Body. After a failure that left the upload in existence it can be called again, with
// the same or another policy: no part is sent twice.
func (c *Client) FinishMultipartUploadWithPolicy(ctx context.Context, state *MultipartState, policy string) (*Result, error) {
	return state.finish(ctx, &policy)
}

// FinishMultipartUpload is FinishMultipartUploadWithPolicy without a callback.
func (c *Client) FinishMultipartUpload(ctx context.Context, state *MultipartState) (*Result, error) {
	return state.finish(ctx, nil)
}

func (s *MultipartState) finish(ctx context.Context, policy *string) (*Result, error) {
	what := fmt.Sprintf("FinishMultipartUpload %q", s.key)
	run := func() (*Result, error) {
		var texts cStrings
		defer texts.free()
		json := texts.optional("policy", policy)
		if texts.err != nil {
			return nil, texts.err
		}
		return s.last(what, func(result *C.us3_result) {
			C.us3_finish_multipart_upload_with_policy(s.handle, json, result)
		})
	}
	return call(ctx, s.client, what, run, nil)
}

// AbortMultipartUpload gives an upload up, so that the service forgets its parts. After a finish whose context has ended
// it waits until that is over in the background; if that was successful, there is nothing left to abort, which is
// StatusInvalidArgument.
func (c *Client) AbortMultipartUpload(ctx context.Context, state *MultipartState) error {
	_, err := call(ctx, state.client, fmt.Sprintf("AbortMultipartUpload %q", state.key), state.abort, nil)
	return err
}

func (s *MultipartState) abort() (*Result, error) {
	return s.last(fmt.Sprintf("AbortMultipartUpload %q", s.key), func(result *C.us3_result) {
		C.us3_abort_multipart_upload(s.handle, result)
	})
}

// AbortUpload gives an unfinished multipart upload up by its name, so that the service forgets its parts. It is for an
// upload without a MultipartState: one that a failed call, a ResumePath that nobody will use again, or a killed process
// left behind. Its name is the UploadID of the Result or Error of what left it, or of its MultipartState.
//
// A finish that may still be running, whose ObjectState is ObjectUnknown, may complete all the same: ask HeadFile first. If
// the service knows no such upload, the error's HTTPStatus is 404.
func (c *Client) AbortUpload(ctx context.Context, key, uploadID string) error {
	run := func() (*Result, error) { return c.abortUpload(key, uploadID) }
	_, err := call(ctx, c, fmt.Sprintf("AbortUpload %q", key), run, nil)
	return err
}

func (c *Client) abortUpload(key, uploadID string) (*Result, error) {
	var texts cStrings
	defer texts.free()
	name, id := texts.of("key", key), texts.of("uploadID", uploadID)
	if texts.err != nil {
		return nil, texts.err
	}
	result := C.us3_go_result()
	C.us3_abort_upload(c.handle, name, id, &result)
	return take(&result)
}

// Close frees what the state holds, after the calls in progress on it. An upload that was neither finished nor
// aborted stays with the service, where its parts are charged for. Any goroutine, any number of times, before or
// after the client is closed. Its one error is StatusWouldDeadlock, as Client.Close has it.
func (s *MultipartState) Close() error {
	if err := mayWait("MultipartState.Close"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle != nil {
		s.free()
	}
	return nil
}

// free is for those who have the upload to themselves.
func (s *MultipartState) free() {
	runtime.SetFinalizer(s, nil)
	C.us3_multipart_free(s.handle)
	s.handle = nil
}

// use makes a call that others may overlap.
func (s *MultipartState) use(what string, run func(*C.us3_result)) (*Result, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.run(what, run)
}

// last makes a call that has the upload to itself, and after whose success there is nothing left to do with it.
func (s *MultipartState) last(what string, run func(*C.us3_result)) (*Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.run(what, run)
	if err == nil {
		s.free()
	}
	return result, err
}

// run makes a call on the handle, which the caller's lock keeps.
func (s *MultipartState) run(what string, run func(*C.us3_result)) (*Result, error) {
	if s.handle == nil {
		return nil, invalid(what + ": the upload is finished, aborted or closed; nothing was sent")
	}
	result := C.us3_go_result()
	run(&result)
	return take(&result)
}
