package us3_test

// The operations of the page, and objects.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"libus3/us3"
)

// operation is one that uploads a file; nil is no policy.
type operation struct {
	name string
	run  func(client *us3.Client, path, key string, policy *string) (*us3.Result, error)
}

var background = context.Background()

var operations = []operation{
	{"PutFile", func(c *us3.Client, path, key string, policy *string) (*us3.Result, error) {
		if policy == nil {
			return c.PutFile(background, path, key, "")
		}
		return c.PutFileWithPolicy(background, path, key, "", *policy)
	}},
	{"MPut", func(c *us3.Client, path, key string, policy *string) (*us3.Result, error) {
		if policy == nil {
			return c.MPut(background, path, key, "")
		}
		return c.MPutWithPolicy(background, path, key, "", *policy)
	}},
	{"AsyncMPut", func(c *us3.Client, path, key string, policy *string) (*us3.Result, error) {
		if policy == nil {
			return c.AsyncMPut(background, path, key, "")
		}
		return c.AsyncMPutWithPolicy(background, path, key, "", *policy)
	}},
	{"AsyncUpload", func(c *us3.Client, path, key string, policy *string) (*us3.Result, error) {
		if policy == nil {
			return c.AsyncUpload(background, path, key, "", 20)
		}
		return c.AsyncUploadWithPolicy(background, path, key, "", 20, *policy)
	}},
	{"FinishMultipartUpload", byHand},
}

// size makes three parts.
const size = 9 * mib

func byHand(c *us3.Client, path, key string, policy *string) (*us3.Result, error) {
	state, err := c.InitiateMultipartUpload(background, key, "")
	if err != nil {
		return nil, err
	}
	defer state.Close()
	bytes := content(size)
	for number := 0; len(bytes) > 0; number++ {
		part := bytes[:min(len(bytes), state.PartSize())]
		if _, err := c.UploadPart(background, part, state, number); err != nil {
			return nil, err
		}
		bytes = bytes[len(part):]
	}
	if policy == nil {
		return c.FinishMultipartUpload(background, state)
	}
	return c.FinishMultipartUploadWithPolicy(background, state, *policy)
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// each runs a test for every operation, with a file of three parts and a key of its own.
func each(t *testing.T, test func(t *testing.T, o operation, client *us3.Client, path, key string)) {
	client := newClient(t)
	path := fileOf(t, content(size))
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) { test(t, o, client, path, keyOf(t)) })
	}
}

func TestAnOperationStoresAndBringsTheCallbacksReply(t *testing.T) {
	each(t, func(t *testing.T, o operation, client *us3.Client, path, key string) {
		policy := policyFor(t, "reply/"+o.name)
		result, err := o.run(client, path, key, &policy)
		must(t, err)
		stored(t, key, content(size))
		if !strings.Contains(string(result.Body), "reply/"+o.name) {
			t.Errorf("the reply is %q", result.Body)
		}
		if callbacks(t, key) != 1 {
			t.Errorf("%d callbacks", callbacks(t, key))
		}
		if result.ObjectState != us3.ObjectStored || result.CallbackState != us3.CallbackDelivered {
			t.Errorf("%v, %v", result.ObjectState, result.CallbackState)
		}
		if result.HTTPStatus != 200 || result.ETag == "" || result.SessionID == "" || result.Attempts != 1 {
			t.Errorf("%+v", result)
		}
		if !strings.Contains(result.Describe(), "US3_OK") {
			t.Error(result.Describe())
		}
	})
}

func TestAnOperationWithoutAPolicyCallsNobody(t *testing.T) {
	each(t, func(t *testing.T, o operation, client *us3.Client, path, key string) {
		result, err := o.run(client, path, key, nil)
		must(t, err)
		stored(t, key, content(size))
		if result.CallbackState != us3.CallbackNotRequested || callbacks(t, key) != 0 {
			t.Errorf("%v, %d callbacks", result.CallbackState, callbacks(t, key))
		}
	})
}

func TestAnEmptyPolicyIsRefused(t *testing.T) {
	each(t, func(t *testing.T, o operation, client *us3.Client, path, key string) {
		empty := ""
		_, err := o.run(client, path, key, &empty)
		failed(t, err, us3.StatusInvalidPolicy)
		notStored(t, key)
	})
}

func TestACallbackServiceThatIsDown(t *testing.T) {
	each(t, func(t *testing.T, o operation, client *us3.Client, path, key string) {
		policy := policyTo(t, deadURL(t), "")
		_, err := o.run(client, path, key, &policy)
		e := failed(t, err, us3.StatusCallbackFailed)
		if e.ObjectState != us3.ObjectStored || e.CallbackState != us3.CallbackNotDelivered {
			t.Errorf("%v, %v", e.ObjectState, e.CallbackState)
		}
		if e.HTTPStatus != 599 || e.RetCode != 20003 || e.SessionID == "" {
			t.Errorf("%+v", e)
		}
		for _, part := range []string{"US3_CALLBACK_FAILED", "20003", e.SessionID} {
			if !strings.Contains(e.Describe(), part) {
				t.Errorf("%q is not in %s", part, e.Describe())
			}
		}
		stored(t, key, content(size))
	})
}

func TestHeadAndDelete(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	result, err := client.PutFile(background, fileOf(t, content(1000)), key, "text/plain")
	must(t, err)
	info, err := client.HeadFile(background, key)
	must(t, err)
	if info.Size != 1000 || info.MIMEType != "text/plain" || info.ETag != result.ETag || info.LastModified.IsZero() {
		t.Errorf("%+v", info)
	}
	must(t, client.DeleteFile(background, key))
	notStored(t, key)
	for what, err := range map[string]error{
		"DeleteFile": client.DeleteFile(background, key),
		"HeadFile":   second(client.HeadFile(background, key)),
	} {
		e := failed(t, err, us3.StatusServiceError)
		if e.HTTPStatus != 404 || e.SessionID == "" {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAFileThatIsNotThere(t *testing.T) {
	client := newClient(t)
	_, err := client.PutFile(background, "no/such/file", keyOf(t), "")
	e := failed(t, err, us3.StatusFileError)
	if e.OSError != syscall.ENOENT || !errors.Is(err, syscall.ENOENT) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d: %v", e.OSError, err)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, context.Canceled) {
		t.Error("it is everything")
	}
	if !strings.Contains(err.Error(), "no/such/file") {
		t.Error(err)
	}
}

func TestMetadataStorageClassAndTypeArrive(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	_, err := client.Upload(background, us3.Request{
		Key:          key,
		Data:         content(10),
		MIMEType:     "application/x-us3",
		StorageClass: "IA",
		Metadata:     map[string]string{"color": "blue", "empty": "", "name": "Alice"},
	})
	must(t, err)
	for _, object := range state(t).Objects {
		if object.Key != key {
			continue
		}
		got := fmt.Sprint(object.ContentType, object.StorageClass, object.Metadata)
		if want := "application/x-us3IAmap[color:blue empty: name:Alice]"; got != want {
			t.Errorf("%s instead of %s", got, want)
		}
		return
	}
	t.Error("not stored")
}

func TestAResumedUploadSendsWhatIsMissing(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	request := us3.Request{Key: key, FilePath: fileOf(t, content(size)), ResumePath: t.TempDir() + "/checkpoint", Jobs: 1}
	end := faulty(t, rule{"call": "part", "key": key, "part": 2, "fault": rule{"answer": rule{"status": 403}}})
	_, err := client.Upload(background, request)
	e := failed(t, err, us3.StatusServiceError)
	if e.UploadID == "" || !pending(t, key) {
		t.Fatalf("%+v", e)
	}
	end()
	result, err := client.Upload(background, request)
	must(t, err)
	stored(t, key, content(size))
	if result.PartsResumed != 2 {
		t.Errorf("%d parts resumed", result.PartsResumed)
	}
}

func TestARefusedKey(t *testing.T) {
	wrong := config()
	wrong.PrivateKey = "another"
	client, key := clientOf(t, wrong), keyOf(t)
	_, err := client.PutFile(background, fileOf(t, content(10)), key, "")
	e := failed(t, err, us3.StatusServiceError)
	if e.HTTPStatus != 403 || e.RetCode != -148643 || e.ObjectState != us3.ObjectNotStored || len(e.Body) == 0 {
		t.Errorf("%+v", e)
	}
}

func TestAClientFromAFile(t *testing.T) {
	client, err := us3.NewClientFromFile("config.json")
	must(t, err)
	_, err = client.Upload(background, us3.Request{Key: keyOf(t), Data: []byte("x")})
	must(t, err)
	must(t, client.Close())

	_, err = us3.NewClientFromFile("no-such.json")
	if failed(t, err, us3.StatusFileError); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_, err = us3.NewClientFromFile("video.mp4")
	failed(t, err, us3.StatusInvalidConfig)
}
