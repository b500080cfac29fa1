package us3_test

// Input that is none, and mistakes of the program.

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"libus3/us3"
)

func TestStringsWithANULAreRefusedNotCut(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	data := func(change func(*us3.Request)) error {
		request := us3.Request{Key: key, Data: []byte("x")}
		change(&request)
		return second(client.Upload(background, request))
	}
	nul := "ab\x00c"
	for name, err := range map[string]error{
		"Key":             data(func(r *us3.Request) { r.Key = nul }),
		"MIMEType":        data(func(r *us3.Request) { r.MIMEType = nul }),
		"Policy":          data(func(r *us3.Request) { r.Policy = &nul }),
		"StorageClass":    data(func(r *us3.Request) { r.StorageClass = nul }),
		"ResumePath":      data(func(r *us3.Request) { r.ResumePath = nul }),
		"Metadata":        data(func(r *us3.Request) { r.Metadata = map[string]string{nul: "x"} }),
		`Metadata["a"]`:   data(func(r *us3.Request) { r.Metadata = map[string]string{"a": nul} }),
		"FilePath":        data(func(r *us3.Request) { r.Data, r.FilePath = nil, "config.json\x00" }),
		"key":             second(client.HeadFile(background, nul)),
		"key ":            client.DeleteFile(background, nul),
		"key  ":           second(client.InitiateMultipartUpload(background, nul, "")),
		"key   ":          client.AbortUpload(background, nul, "id"),
		"uploadID":        client.AbortUpload(background, key, nul),
		"path":            second(us3.NewClientFromFile("config.json\x00x")),
		"policy":          us3.CheckPolicy("{}\x00"),
		"body":            second(us3.BuildPolicy("http://a/", nul, "", nil)),
		`vars["x:\x00a"]`: second(us3.BuildPolicy("http://a/", "b", "", map[string]string{"x:\x00a": "b"})),
		"PrivateKey": second(us3.NewClient(us3.Config{
			PublicKey: "a", PrivateKey: privateKey + "\x00", BucketName: bucket, Endpoint: "http://127.0.0.1:1",
		})),
	} {
		refused(t, err, strings.TrimSuffix(strings.TrimSpace(name), `["x:\x00a"]`), "NUL byte at offset")
	}
	notStored(t, "ab")
}

func TestStringsThatAreNotUTF8AreRefused(t *testing.T) {
	client := newClient(t)
	bad := "a\xff"
	for _, err := range []error{
		second(client.Upload(background, us3.Request{Key: bad, Data: []byte("x")})),
		second(client.Upload(background, us3.Request{Key: "a", Data: []byte("x"), Metadata: map[string]string{"a": bad}})),
		second(client.HeadFile(background, bad)),
		us3.CheckPolicy(bad),
	} {
		refused(t, err, "UTF-8")
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	client := newClient(t)
	key := keyOf(t)
	for name, request := range map[string]us3.Request{
		"no source":       {Key: key},
		"two sources":     {Key: key, FilePath: "config.json", Data: []byte{}},
		"three sources":   {Key: key, FilePath: "config.json", Data: []byte{}, Reader: strings.NewReader("")},
		"no key":          {Data: []byte{}},
		"a long key":      {Key: strings.Repeat("k", 1024), Data: []byte{}},
		"a relative key":  {Key: "a/../b", Data: []byte{}},
		"a mode":          {Key: key, Data: []byte{}, Mode: 7},
		"a class":         {Key: key, Data: []byte{}, StorageClass: "GLASS"},
		"time backwards":  {Key: key, Data: []byte{}, Timeout: -1},
		"put a stream":    {Key: key, Reader: strings.NewReader(""), Mode: us3.ModePut},
		"resume a stream": {Key: key, Reader: strings.NewReader(""), ResumePath: "checkpoint"},
		"metadata":        {Key: key, Data: []byte{}, Metadata: map[string]string{"a b": "c"}},
		"a line break":    {Key: key, Data: []byte{}, Metadata: map[string]string{"a": "c\r\nX-Evil: 1"}},
	} {
		_, err := client.Upload(background, request)
		if err == nil {
			t.Fatal(name)
		}
		failed(t, err, us3.StatusInvalidArgument)
	}
	_, err := client.PutFile(background, "", key, "")
	refused(t, err)
	notStored(t, key)
}

func TestExtremeNumbersAreTakenOrRefused(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	for _, jobs := range []int{math.MinInt, -1, 0, 1, 257, math.MaxInt32 + 1, math.MaxInt} {
		_, err := client.AsyncUpload(background, "video.mp4", key, "", jobs)
		must(t, err)
		_, err = client.Upload(background, us3.Request{Key: key, Data: []byte("x"), Jobs: jobs, Timeout: math.MaxInt64})
		must(t, err)
	}
}

func TestConfigurationsThatAreNone(t *testing.T) {
	for name, spoil := range map[string]func(*us3.Config){
		"PublicKey":            func(c *us3.Config) { c.PublicKey = "" },
		"PrivateKey":           func(c *us3.Config) { c.PrivateKey = "" },
		"BucketName":           func(c *us3.Config) { c.BucketName = "" },
		"Endpoint":             func(c *us3.Config) { c.Endpoint = "" },
		"Endpoint ":            func(c *us3.Config) { c.Endpoint = "gopher://a" },
		"ConnectTimeout":       func(c *us3.Config) { c.ConnectTimeout = -time.Second },
		"IdleTimeout":          func(c *us3.Config) { c.IdleTimeout = math.MaxInt64 },
		"SettleTimeout":        func(c *us3.Config) { c.SettleTimeout = -time.Second },
		"SettleTimeout ":       func(c *us3.Config) { c.SettleTimeout = 25 * time.Hour },
		"MaxRetries":           func(c *us3.Config) { c.MaxRetries = -2 },
		"WorkerThreads":        func(c *us3.Config) { c.WorkerThreads = math.MaxInt },
		"MaxConcurrentUploads": func(c *us3.Config) { c.MaxConcurrentUploads = 4097 },
	} {
		spoiled := config()
		spoil(&spoiled)
		client, err := us3.NewClient(spoiled)
		if err == nil || client != nil {
			t.Fatal(name)
		}
		failed(t, err, us3.StatusInvalidConfig)
	}
	_, err := us3.NewClient(us3.Config{})
	failed(t, err, us3.StatusInvalidConfig)
	spoiled := config()
	spoiled.CAFile, spoiled.Endpoint = "no-such.pem", "https://127.0.0.1:1"
	_, err = us3.NewClient(spoiled)
	failed(t, err, us3.StatusFileError)
}

func TestAConfigurationDoesWhatItSays(t *testing.T) {
	limited := config()
	limited.ResponseTimeout, limited.MaxRetries, limited.MaxConcurrentUploads = time.Nanosecond, -1, 1
	client, key := clientOf(t, limited), keyOf(t)
	stalls(t, "put", key)
	// Less than a millisecond is not the default.
	_, err := client.Upload(background, us3.Request{Key: key, Data: []byte("x")})
	if e := failed(t, err, us3.StatusTimeout); e.Attempts != 1 || !e.Timeout() {
		t.Errorf("%+v", e)
	}
}

func TestAConfigurationIsPrintedWithoutItsKeys(t *testing.T) {
	secret := config()
	secret.SecurityToken = "token-nobody-may-see"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, printed := range []string{fmt.Sprintf(verb, secret), fmt.Sprintf(verb, &secret), fmt.Sprintf(verb, []us3.Config{secret})} {
			if strings.Contains(printed, "nobody-may-see") {
				t.Errorf("%s shows %s", verb, printed)
			}
		}
	}
}

func TestPoliciesAreBuiltAndChecked(t *testing.T) {
	policy, err := us3.BuildPolicy("http://a/", `N=$(x:n)&"`, "", map[string]string{"x:n": "Ä", "x:a": "20"})
	must(t, err)
	want := `{"callbackUrl":"http://a/","callbackBody":"N=$(x:n)&\"","callbackVar":{"x:a":"20","x:n":"Ä"}}`
	if policy != want {
		t.Errorf("%s instead of %s", policy, want)
	}
	must(t, us3.CheckPolicy(policy))
	for _, bad := range []string{"", "{", "[]", `{"callbackUrl":"ftp://a"}`, `{"callbackUrl":"http://a/","callbackBody":"$(x:b)"}`} {
		failed(t, us3.CheckPolicy(bad), us3.StatusInvalidPolicy)
	}
	bad, err := us3.BuildPolicy("nowhere", "", "", nil)
	if failed(t, err, us3.StatusInvalidPolicy); bad != "" {
		t.Error(bad)
	}
}

// C's memory may hold what was an address of Go's once, at which the collector must not look.
func TestPairsInMemoryThatHeldOtherThings(t *testing.T) {
	vars := map[string]string{}
	for i := 0; i < 32; i++ {
		vars[fmt.Sprintf("x:%d", i)] = "v"
	}
	const bytesOfPairs = 32 * 16
	// More than a collection leaves in place for later.
	gone := make([]byte, 64*mib)
	stale := uint64(uintptr(unsafe.Pointer(&gone[32*mib])))
	runtime.KeepAlive(gone)
	gone = nil
	runtime.GC()
	addresses := make([]byte, bytesOfPairs)
	for at := 0; at < len(addresses); at += 8 {
		binary.LittleEndian.PutUint64(addresses[at:], stale)
	}

	client, key, empty := newClient(t), keyOf(t), ""
	over := make(chan struct{})
	var collecting sync.WaitGroup
	collecting.Add(1)
	go func() {
		defer collecting.Done()
		for {
			select {
			case <-over:
				return
			default:
				runtime.GC()
			}
		}
	}()
	// C gives a thread the memory that it freed last.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := 0; i < 300; i++ {
		// Refused, once it was copied to C.
		_, err := client.Start(us3.Request{Key: key, Data: addresses, Policy: &empty})
		failed(t, err, us3.StatusInvalidPolicy)
		_, err = us3.BuildPolicy("http://a/", "b", "", vars)
		must(t, err)
	}
	close(over)
	collecting.Wait()
}

func TestNames(t *testing.T) {
	if us3.StatusCallbackFailed.String() != "US3_CALLBACK_FAILED" || us3.Status(99).String() != "US3_UNKNOWN_STATUS" {
		t.Error(us3.StatusCallbackFailed)
	}
	got := fmt.Sprint(us3.ObjectNotStored, us3.ObjectStored, us3.ObjectUnknown,
		us3.CallbackNotRequested, us3.CallbackDelivered, us3.CallbackNotDelivered, us3.CallbackUnknown,
		us3.CallbackReplyRefused, us3.CallbackState(99))
	if got != "not stored stored unknown not requested delivered not delivered unknown reply refused unknown" {
		t.Error(got)
	}
	if !strings.Contains(us3.Version(), ".") {
		t.Error(us3.Version())
	}
}
