package us3

// An upload that runs while the program does something else.

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Task is an upload that was started. Any number of goroutines may use it at once. It needs no closing: what it
// holds is freed when the upload has ended, also if nobody waits for it.
type Task struct {
	client *Client
	key    string
	done   chan struct{}

	// Set before done is closed.
	result *Result
	err    error

	mu sync.Mutex
	// nil once the upload has ended.
	handle *C.us3_task
	// nil as well then.
	lent *lent
	// How far it was at its end.
	last Progress
	// Why it was cancelled, if it was.
	cause error
}

// Start begins an upload and returns at once, without waiting for the network, the disk or a Reader. Any number
// of uploads may be started: Config.MaxConcurrentUploads of them run, the others wait for their turn, in order.
// An error means that there is no upload.
//
// It goes on until it has ended, or is cancelled with Task.Cancel or by Close.
func (c *Client) Start(request Request) (*Task, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	task, err := c.start(&request)
	if err != nil {
		c.leave()
		return nil, err
	}
	c.started(task)
	polls.add(task)
	return task, nil
}

func (c *Client) start(request *Request) (*Task, error) {
	var texts cStrings
	defer texts.free()
	wanted, lent, err := request.lend(&texts)
	if err != nil {
		return nil, err
	}
	var handle *C.us3_task
	result := C.us3_go_result()
	C.us3_go_upload_start(c.handle, &wanted, lent.calls, C.uintptr_t(lent.handle), &handle, &result)
	if _, err := take(&result); err != nil {
		lent.giveBack()
		return nil, err
	}
	return &Task{client: c, key: request.Key, done: make(chan struct{}), handle: handle, lent: lent}, nil
}

// Done is closed when the upload has ended.
func (t *Task) Done() <-chan struct{} {
	return t.done
}

// Wait waits for the end of the upload, and tells what became of it, each time again. When ctx ends first, the error
// is ctx's, and the upload goes on.
func (t *Task) Wait(ctx context.Context) (*Result, error) {
	select {
	case <-t.done:
		return t.result, t.err
	default:
	}
	if err := mayWait("Task.Wait"); err != nil {
		return nil, err
	}
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		return nil, fmt.Errorf("us3: the upload of %q goes on: %w", t.key, ctx.Err())
	}
}

// Cancel ends the upload as soon as possible: nothing more is sent within 100 ms, and a multipart upload is aborted,
// unless Request.ResumePath is set. Its end is told as always, with StatusCancelled, or with what became of it
// if it was over already. It does not wait; cancelling again changes nothing.
func (t *Task) Cancel() {
	t.cancel(context.Canceled)
}

func (t *Task) cancel(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.handle == nil {
		return
	}
	if t.cause == nil {
		t.cause = cause
	}
	C.us3_task_cancel(t.handle)
}

// Progress says how far the upload is, or was at its end.
func (t *Task) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.progress()
}

func (t *Task) progress() Progress {
	if t.handle == nil {
		return t.last
	}
	progress := C.us3_go_progress()
	C.us3_task_progress(t.handle, &progress)
	return t.lent.hooks.goProgress(&progress)
}

// hasEnded looks, and does not wait.
func (t *Task) hasEnded() bool {
	return C.us3_task_wait(t.handle, 0, nil) != C.US3_PENDING
}

// conclude tells everybody of the end. Once, by the poller, after the library has told it.
func (t *Task) conclude() {
	result := C.us3_go_result()
	C.us3_task_wait(t.handle, 0, &result)
	t.result, t.err = take(&result)

	t.mu.Lock()
	t.last = t.progress()
	C.us3_task_free(t.handle)
	t.handle = nil
	t.lent.giveBack()
	failure, cause := t.lent.hooks.failure(), t.cause
	t.lent = nil
	t.mu.Unlock()

	if err, failed := t.err.(*Error); failed {
		err.explain(failure, cause)
	}
	close(t.done)
	t.client.ended(t)
}

// explain adds what the library cannot know: why Go ended the upload.
func (e *Error) explain(failure, cancelled error) {
	switch {
	case failure != nil && (e.Status == StatusFileError || e.Status == StatusCancelled):
		e.cause = failure
		if !errors.Is(failure, e.OSError) {
			// It was made up for C.
			e.OSError = 0
		}
	case e.Status == StatusCancelled:
		e.cause = cancelled
	}
}
