package us3_test

// What the tests share: the emulator, the callback service, files, and what became of calls. tests/hosts/go/run.sh
// starts the servers.

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"libus3/us3"
)

const (
	publicKey  = "test-public-key"
	privateKey = "test-private-key-nobody-may-see"
	bucket     = "demo"
	mib        = 1 << 20
	// Longer than anything takes.
	soon = 60 * time.Second
)

func TestMain(m *testing.M) {
	os.Exit(runIn(m))
}

// runIn runs in a folder that has what the examples need.
func runIn(m *testing.M) int {
	for _, name := range []string{"US3_TEST_ENDPOINT", "US3_TEST_CONTROL", "US3_TEST_CALLBACK"} {
		if os.Getenv(name) == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: run these tests with `make test-go`, which starts the servers\n", name)
			return 1
		}
	}
	folder, err := os.MkdirTemp("", "us3-go-")
	if err == nil {
		defer os.RemoveAll(folder)
		err = os.Chdir(folder)
	}
	if err == nil {
		err = os.WriteFile("video.mp4", content(5*mib), 0o600)
	}
	if err == nil {
		settings := fmt.Sprintf(`{"public_key":%q,"private_key":%q,"bucket_name":%q,"endpoint":%q}`,
			publicKey, privateKey, bucket, os.Getenv("US3_TEST_ENDPOINT"))
		err = os.WriteFile("config.json", []byte(settings), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// ---- clients, files, policies -------------------------------------------------------------------

func config() us3.Config {
	return us3.Config{
		PublicKey:  publicKey,
		PrivateKey: privateKey,
		BucketName: bucket,
		Endpoint:   os.Getenv("US3_TEST_ENDPOINT"),
	}
}

func clientOf(t *testing.T, config us3.Config) *us3.Client {
	t.Helper()
	client, err := us3.NewClient(config)
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	return client
}

func newClient(t *testing.T) *us3.Client {
	t.Helper()
	return clientOf(t, config())
}

// contents are made once: under the race detector that takes longer than uploading them.
var contents sync.Map

// content is the same for the same size. Nobody may change it.
func content(size int) []byte {
	if made, ok := contents.Load(size); ok {
		return made.([]byte)
	}
	bytes := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(bytes)
	contents.Store(size, bytes)
	return bytes
}

func fileOf(t *testing.T, bytes []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source")
	must(t, os.WriteFile(path, bytes, 0o600))
	return path
}

func policyTo(t *testing.T, url, path string) string {
	t.Helper()
	policy, err := us3.BuildPolicy(url+"/"+path, `{"Name":"Alice"}`, "application/json", nil)
	must(t, err)
	return policy
}

// policyFor is a policy whose callback service answers with the path that it was called at.
func policyFor(t *testing.T, path string) string {
	t.Helper()
	return policyTo(t, os.Getenv("US3_TEST_CALLBACK"), path)
}

// deadURL is one at which nobody listens, nor will: the port stays taken.
func deadURL(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	dead := "http://" + listener.Addr().String()
	must(t, listener.Close())
	return dead
}

// ---- errors ---------------------------------------------------------------------------------

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// failed is an error with this status.
func failed(t *testing.T, err error, status us3.Status) *us3.Error {
	t.Helper()
	var e *us3.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *us3.Error", err)
	}
	if e.Status != status {
		t.Fatalf("status %v instead of %v: %v", e.Status, status, err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, e, e), privateKey) || strings.Contains(e.Describe(), privateKey) {
		t.Fatalf("the private key is shown: %v", err)
	}
	return e
}

func refused(t *testing.T, err error, parts ...string) {
	t.Helper()
	e := failed(t, err, us3.StatusInvalidArgument)
	for _, part := range parts {
		if !strings.Contains(e.Error(), part) {
			t.Fatalf("%q does not say %q", e.Error(), part)
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in %v: not %s", soon, what)
		}
	}
}

// within gives up a wait that has no end.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatalf("in %v: not %s", soon, what)
	}
}

// ---- the emulator -----------------------------------------------------------------------------

// seen is what the emulator has and saw.
type seen struct {
	Objects []struct {
		Key          string
		Size         int64
		ETag         string
		ContentType  string `json:"content_type"`
		StorageClass string `json:"storage_class"`
		Metadata     map[string]string
	}
	Uploads []struct {
		UploadID string `json:"upload_id"`
		Key      string
	}
	Requests []struct {
		Call string
		Key  string
	}
	Callbacks []struct {
		Key string
	}
	InFlight int `json:"in_flight"`
}

func control(t *testing.T, method, path string, body any, answer any) {
	t.Helper()
	sent, err := json.Marshal(body)
	must(t, err)
	request, err := http.NewRequest(method, os.Getenv("US3_TEST_CONTROL")+path, bytes.NewReader(sent))
	must(t, err)
	reply, err := http.DefaultClient.Do(request)
	must(t, err)
	defer reply.Body.Close()
	got, err := io.ReadAll(reply.Body)
	must(t, err)
	if reply.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, reply.StatusCode, got)
	}
	if answer != nil {
		must(t, json.Unmarshal(got, answer))
	}
}

func state(t *testing.T) seen {
	t.Helper()
	var now seen
	control(t, http.MethodGet, "/state", nil, &now)
	return now
}

// requests counts those of a call with a key.
func requests(t *testing.T, call, key string) int {
	t.Helper()
	count := 0
	for _, request := range state(t).Requests {
		if request.Call == call && request.Key == key {
			count++
		}
	}
	return count
}

// callbacks counts those for a key.
func callbacks(t *testing.T, key string) int {
	t.Helper()
	count := 0
	for _, callback := range state(t).Callbacks {
		if callback.Key == key {
			count++
		}
	}
	return count
}

// pending tells whether the service has a multipart upload of a key.
func pending(t *testing.T, key string) bool {
	t.Helper()
	for _, upload := range state(t).Uploads {
		if upload.Key == key {
			return true
		}
	}
	return false
}

type rule = map[string]any

// faulty puts a fault in force for the test. It gives what ends it, at the latest the end of the test.
func faulty(t *testing.T, fault rule) (end func()) {
	t.Helper()
	var added struct{ IDs []int }
	control(t, http.MethodPost, "/rules", fault, &added)
	ended := false
	end = func() {
		if !ended {
			ended = true
			control(t, http.MethodDelete, fmt.Sprintf("/rules/%d", added.IDs[0]), nil, nil)
		}
	}
	t.Cleanup(end)
	return end
}

// stalls keeps requests waiting.
func stalls(t *testing.T, call, key string) (end func()) {
	t.Helper()
	return faulty(t, rule{"call": call, "key": key, "fault": rule{"stall": rule{}}})
}

// stallsAll keeps all requests of a call waiting.
func stallsAll(t *testing.T, call string) (end func()) {
	t.Helper()
	return faulty(t, rule{"call": call, "fault": rule{"stall": rule{}}})
}

// inFlight waits until the emulator has so many requests in hand.
func inFlight(t *testing.T, count int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests in flight", count), func() bool { return state(t).InFlight >= count })
}

// object is what is stored under a key.
func object(t *testing.T, key string) []byte {
	t.Helper()
	mac := hmac.New(sha1.New, []byte(privateKey))
	fmt.Fprintf(mac, "GET\n\n\n\n/%s/%s", bucket, key)
	where := os.Getenv("US3_TEST_ENDPOINT") + (&url.URL{Path: "/" + key}).EscapedPath()
	request, err := http.NewRequest(http.MethodGet, where, nil)
	must(t, err)
	request.Header.Set("Authorization", "UCloud "+publicKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	reply, err := http.DefaultClient.Do(request)
	must(t, err)
	defer reply.Body.Close()
	got, err := io.ReadAll(reply.Body)
	must(t, err)
	if reply.StatusCode != http.StatusOK {
		t.Fatalf("%s is not stored: %d %s", key, reply.StatusCode, got)
	}
	return got
}

func stored(t *testing.T, key string, want []byte) {
	t.Helper()
	if got := object(t, key); !bytes.Equal(got, want) {
		t.Fatalf("%s: %d other bytes are stored instead of %d", key, len(got), len(want))
	}
}

func notStored(t *testing.T, key string) {
	t.Helper()
	for _, object := range state(t).Objects {
		if object.Key == key {
			t.Fatalf("%s is stored", key)
		}
	}
}

// keyOf is a key of the test's own.
func keyOf(t *testing.T) string {
	return "go/" + t.Name()
}
