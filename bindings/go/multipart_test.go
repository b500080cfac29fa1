package us3_test

// Multipart uploads by hand.

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"libus3/us3"
)

func initiated(t *testing.T, client *us3.Client) *us3.MultipartState {
	t.Helper()
	state, err := client.InitiateMultipartUpload(background, keyOf(t), "")
	must(t, err)
	t.Cleanup(func() { must(t, state.Close()) })
	return state
}

func TestPartsInAnyOrderFromAnyGoroutine(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	bytes := content(5*state.PartSize() + 1)
	var group sync.WaitGroup
	for number := 5; number >= 0; number-- {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			from := number * state.PartSize()
			part := append([]byte{}, bytes[from:min(from+state.PartSize(), len(bytes))]...)
			result, err := client.UploadPart(background, part, state, number)
			if err != nil || result.ETag == "" {
				t.Error(err, result)
			}
			// The slice is the caller's again.
			for i := range part {
				part[i] = 0
			}
		}(number)
	}
	group.Wait()
	_, err := client.FinishMultipartUpload(background, state)
	must(t, err)
	stored(t, state.Key(), bytes)
}

func TestAFailedFinishCanBeRepeated(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	_, err := client.UploadPart(background, []byte("x"), state, 0)
	must(t, err)
	end := faulty(t, rule{"call": "finish", "key": state.Key(), "fault": rule{"answer": rule{"status": 403}}})
	_, err = client.FinishMultipartUploadWithPolicy(background, state, policyFor(t, "repeated"))
	if e := failed(t, err, us3.StatusServiceError); e.UploadID != state.UploadID() {
		t.Errorf("%+v", e)
	}
	end()
	_, err = client.FinishMultipartUploadWithPolicy(background, state, policyFor(t, "repeated"))
	must(t, err)
	stored(t, state.Key(), []byte("x"))
	if requests(t, "part", state.Key()) != 1 || callbacks(t, state.Key()) != 1 {
		t.Error("something was sent twice")
	}
}

func TestAnUploadIsAbortedByItsName(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	_, err := client.UploadPart(background, []byte("x"), state, 0)
	must(t, err)
	must(t, state.Close())
	if !pending(t, state.Key()) {
		t.Fatal("closing it has aborted it")
	}
	err = client.AbortUpload(background, state.Key(), state.UploadID()+"x")
	if e := failed(t, err, us3.StatusServiceError); e.HTTPStatus != 404 || e.UploadID != "" || !pending(t, state.Key()) {
		t.Errorf("%+v", e)
	}
	must(t, client.AbortUpload(background, state.Key(), state.UploadID()))
	if pending(t, state.Key()) {
		t.Error("it is still there")
	}
	err = client.AbortUpload(background, state.Key(), state.UploadID())
	if e := failed(t, err, us3.StatusServiceError); e.HTTPStatus != 404 {
		t.Errorf("%+v", e)
	}
}

func TestANameThatIsNoUploadsIsRefused(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	refused(t, client.AbortUpload(background, key, ""), "upload_id is empty")
	refused(t, client.AbortUpload(background, key, "a b"), "upload_id")
	refused(t, client.AbortUpload(background, key, "a\xff"), "UTF-8")
	refused(t, client.AbortUpload(background, "", "id"), "key")
	if requests(t, "abort", key) != 0 {
		t.Error("something was sent")
	}
}

// The library forbids that they overlap.
func TestAnAbortWaitsForAFinishThatGoesOnInTheBackground(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	_, err := client.UploadPart(background, []byte("x"), state, 0)
	must(t, err)
	end := stalls(t, "finish", state.Key())
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	go func() {
		eventually(t, "on its way", func() bool { return requests(t, "finish", state.Key()) > 0 })
		cancel()
	}()
	_, err = client.FinishMultipartUpload(ctx, state)
	failed(t, err, us3.StatusCancelled)

	ctx, cancel = context.WithTimeout(background, time.Second)
	defer cancel()
	err = client.AbortMultipartUpload(ctx, state)
	if failed(t, err, us3.StatusCancelled); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	end()
	refused(t, client.AbortMultipartUpload(background, state), "finished")
	stored(t, state.Key(), []byte("x"))
	if requests(t, "abort", state.Key()) != 0 {
		t.Error("what is finished was aborted")
	}
}

func TestWhatIsOverIsRefused(t *testing.T) {
	client := newClient(t)
	aborted, finished, closed := initiated(t, client), initiated(t, client), initiated(t, client)
	must(t, client.AbortMultipartUpload(background, aborted))
	_, err := client.UploadPart(background, []byte("x"), finished, 0)
	must(t, err)
	_, err = client.FinishMultipartUpload(background, finished)
	must(t, err)
	must(t, closed.Close())
	must(t, closed.Close())
	for _, state := range []*us3.MultipartState{aborted, finished, closed} {
		_, err := client.UploadPart(background, []byte("x"), state, 0)
		refused(t, err, state.Key(), "aborted or closed")
		_, err = client.FinishMultipartUpload(background, state)
		refused(t, err, state.Key())
		refused(t, client.AbortMultipartUpload(background, state), state.Key())
		if state.UploadID() == "" || state.PartSize() != 4*mib {
			t.Error("it has forgotten what it was")
		}
	}
}

func TestPartsThatAreNone(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	for _, number := range []int{-1, 1 << 40} {
		_, err := client.UploadPart(background, []byte("x"), state, number)
		refused(t, err, "partNumber")
	}
	for _, part := range [][]byte{nil, {}, make([]byte, state.PartSize()+1)} {
		_, err := client.UploadPart(background, part, state, 0)
		refused(t, err)
	}
	_, err := client.FinishMultipartUpload(background, state)
	refused(t, err)
	must(t, client.AbortMultipartUpload(background, state))
}

func TestAStateOutlivesItsClient(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	must(t, client.Close())
	_, err := client.UploadPart(background, []byte("x"), state, 0)
	refused(t, err, "closed")
	must(t, state.Close())
}
