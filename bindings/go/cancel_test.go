package us3_test

// Contexts, cancelling, time limits.

import (
	"context"
	"errors"
	"testing"
	"time"

	"libus3/us3"
)

// inTime is how soon a call must return when its context ends; its clean-up needs an answer of the emulator.
const inTime = 10 * time.Second

// sources are one that is sent in parts, for each kind.
func sources(t *testing.T) map[string]us3.Request {
	file := fileOf(t, content(size))
	return map[string]us3.Request{
		"File": {FilePath: file, Mode: us3.ModeMPut}, "Data": {Data: content(size)},
		"PutFile": {FilePath: file, Mode: us3.ModePut}, "PutData": {Data: content(size), Mode: us3.ModePut},
	}
}

// interrupted uploads into a service that does not answer, until the context ends.
func interrupted(t *testing.T, with func(waiting func()) context.Context, want error) {
	client := newClient(t)
	for name, request := range sources(t) {
		t.Run(name, func(t *testing.T) {
			request.Key = keyOf(t)
			call := "part"
			if request.Mode == us3.ModePut {
				call = "put"
			}
			stalls(t, call, request.Key)
			ctx := with(func() { eventually(t, "on its way", func() bool { return requests(t, call, request.Key) > 0 }) })
			begin := time.Now()
			_, err := client.Upload(ctx, request)
			e := failed(t, err, us3.StatusCancelled)
			if !errors.Is(err, want) || e.Timeout() != (want == context.DeadlineExceeded) {
				t.Error(err)
			}
			if time.Since(begin) > inTime+time.Second {
				t.Errorf("it took %v", time.Since(begin))
			}
			if pending(t, request.Key) {
				t.Error("the upload was left behind")
			}
			notStored(t, request.Key)
		})
	}
}

func TestACancelledContextCancelsTheUpload(t *testing.T) {
	interrupted(t, func(waiting func()) context.Context {
		ctx, cancel := context.WithCancel(background)
		go func() {
			waiting()
			cancel()
		}()
		return ctx
	}, context.Canceled)
}

func TestADeadlineCancelsTheUpload(t *testing.T) {
	interrupted(t, func(func()) context.Context {
		ctx, cancel := context.WithTimeout(background, time.Second)
		t.Cleanup(cancel)
		return ctx
	}, context.DeadlineExceeded)
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	client, key := newClient(t), keyOf(t)+"/none"
	ctx, cancel := context.WithCancel(background)
	cancel()
	state := initiated(t, client)
	before := requests(t, "part", state.Key()) + requests(t, "put", key)
	for what, err := range map[string]error{
		"Upload":   second(client.Upload(ctx, us3.Request{Key: key, Data: []byte("x")})),
		"PutFile":  second(client.PutFileWithPolicy(ctx, "config.json", key, "", policyFor(t, "x"))),
		"Initiate": second(client.InitiateMultipartUpload(ctx, key, "")),
		"Part":     second(client.UploadPart(ctx, []byte("x"), state, 0)),
		"Finish":   second(client.FinishMultipartUploadWithPolicy(ctx, state, policyFor(t, "x"))),
		"Abort":    client.AbortMultipartUpload(ctx, state),
		"Head":     second(client.HeadFile(ctx, key)),
		"Delete":   client.DeleteFile(ctx, key),
		"Left":     client.AbortUpload(ctx, key, state.UploadID()),
	} {
		e := failed(t, err, us3.StatusCancelled)
		if !errors.Is(err, context.Canceled) || e.ObjectState != us3.ObjectNotStored {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := requests(t, "part", state.Key()) + requests(t, "put", key); after != before || pending(t, key) {
		t.Error("something was sent")
	}
}

func TestATaskIsCancelled(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	stalls(t, "part", key)
	task, err := client.Start(us3.Request{Key: key, Data: content(size)})
	must(t, err)
	task.Cancel()
	task.Cancel()
	within(t, "cancelled", task.Done())
	task.Cancel()
	for i := 0; i < 2; i++ {
		_, err = task.Wait(background)
		if failed(t, err, us3.StatusCancelled); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestWaitingInVainLeavesTheUploadAlone(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	end := stalls(t, "put", key)
	task, err := client.Start(us3.Request{Key: key, Data: []byte("x")})
	must(t, err)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err = task.Wait(ctx)
	var e *us3.Error
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) {
		t.Error(err)
	}
	end()
	_, err = task.Wait(background)
	must(t, err)
	stored(t, key, []byte("x"))
	// It has ended, so that there is nothing to wait for.
	_, err = task.Wait(ctx)
	must(t, err)
}

func TestTheRequestsTimeout(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	stalls(t, "put", key)
	_, err := client.Upload(background, us3.Request{Key: key, Data: []byte("x"), Timeout: 300 * time.Millisecond})
	e := failed(t, err, us3.StatusTimeout)
	if !e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestACallThatWaitsReturnsWhenItsContextEnds(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	key := state.Key()
	_, err := client.UploadPart(background, []byte("x"), state, 0)
	must(t, err)
	for _, call := range []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"head", func(ctx context.Context) error { return second(client.HeadFile(ctx, key)) }},
		{"delete", func(ctx context.Context) error { return client.DeleteFile(ctx, key) }},
		{"part", func(ctx context.Context) error { return second(client.UploadPart(ctx, []byte("y"), state, 0)) }},
		{"finish", func(ctx context.Context) error { return second(client.FinishMultipartUpload(ctx, state)) }},
		{"abort", func(ctx context.Context) error { return client.AbortUpload(ctx, key, state.UploadID()) }},
	} {
		t.Run(call.name, func(t *testing.T) {
			end := stalls(t, call.name, key)
			defer end()
			before := requests(t, call.name, key)
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			go func() {
				eventually(t, "on its way", func() bool { return requests(t, call.name, key) > before })
				cancel()
			}()
			err := call.run(ctx)
			e := failed(t, err, us3.StatusCancelled)
			if !errors.Is(err, context.Canceled) || e.ObjectState != us3.ObjectUnknown {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestAnInitiateThatNobodyWaitsForIsAborted(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	end := stalls(t, "initiate", key)
	ctx, cancel := context.WithCancel(background)
	go func() {
		eventually(t, "on its way", func() bool { return requests(t, "initiate", key) > 0 })
		cancel()
	}()
	_, err := client.InitiateMultipartUpload(ctx, key, "")
	failed(t, err, us3.StatusCancelled)
	end()
	// Close waits for what goes on in the background.
	must(t, client.Close())
	if pending(t, key) || requests(t, "abort", key) != 1 {
		t.Error("the upload was left behind")
	}
}
