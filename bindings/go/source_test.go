package us3_test

// Memory and streams as the source, and progress: Go functions on threads of the library.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"libus3/us3"
)

func TestDataOfEverySizeInEveryMode(t *testing.T) {
	client := newClient(t)
	for _, size := range []int{0, 1, 4*mib - 1, 4 * mib, 4*mib + 1, 9 * mib} {
		for _, mode := range []us3.Mode{us3.ModeAuto, us3.ModePut, us3.ModeMPut} {
			t.Run(fmt.Sprintf("%d/%d", size, mode), func(t *testing.T) {
				key := keyOf(t)
				_, err := client.Upload(background, us3.Request{Key: key, Data: content(size), Mode: mode})
				must(t, err)
				stored(t, key, content(size))
				if inOne := requests(t, "put", key) == 1; inOne != (size <= 4*mib && mode == us3.ModeAuto || size == 0 || mode == us3.ModePut) {
					t.Errorf("one PutFile: %v", inOne)
				}
			})
		}
	}
}

// resident is the memory of the process in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	var size, resident int
	_, err = fmt.Sscan(string(text), &size, &resident)
	must(t, err)
	return resident * os.Getpagesize()
}

func TestCopiesAreFreed(t *testing.T) {
	client := newClient(t)
	state := initiated(t, client)
	must(t, client.AbortMultipartUpload(background, state))
	empty := ""
	before := resident(t)
	for i := 0; i < 100; i++ {
		_, err := client.Upload(background, us3.Request{Key: keyOf(t), Data: content(4 * mib), Policy: &empty})
		failed(t, err, us3.StatusInvalidPolicy)
		_, err = client.UploadPart(background, content(4*mib), state, 0)
		refused(t, err)
	}
	if grown := resident(t) - before; grown > 100*mib {
		t.Errorf("%d MiB are gone", grown/mib)
	}
}

func TestReadersOfEveryKind(t *testing.T) {
	client := newClient(t)
	kinds := map[string]func(io.Reader) io.Reader{
		"Plain":        func(r io.Reader) io.Reader { return r },
		"Half":         iotest.HalfReader,
		"EOFWithBytes": iotest.DataErrReader,
		"EmptyReads":   func(r io.Reader) io.Reader { return &stutterer{reader: r} },
		"Pipe": func(r io.Reader) io.Reader {
			out, in := io.Pipe()
			go func() {
				_, err := io.Copy(in, r)
				in.CloseWithError(err)
			}()
			return out
		},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			key := keyOf(t)
			policy := policyFor(t, "stream")
			result, err := client.Upload(background, us3.Request{Key: key, Reader: kind(bytes.NewReader(content(size))), Policy: &policy})
			must(t, err)
			stored(t, key, content(size))
			if !strings.Contains(string(result.Body), "stream") {
				t.Errorf("%s", result.Body)
			}
		})
	}
}

// stutterer gives nothing every other time.
type stutterer struct {
	reader io.Reader
	turn   bool
}

func (s *stutterer) Read(p []byte) (int, error) {
	if s.turn = !s.turn; s.turn {
		return 0, nil
	}
	return s.reader.Read(p)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// broken uploads a stream that breaks after its first part, and is to leave nothing behind.
func broken(t *testing.T, breaks readerFunc) *us3.Error {
	t.Helper()
	client, key := newClient(t), keyOf(t)
	source := io.MultiReader(bytes.NewReader(content(5*mib)), breaks)
	_, err := client.Upload(background, us3.Request{Key: key, Reader: source})
	e := failed(t, err, us3.StatusFileError)
	notStored(t, key)
	if pending(t, key) {
		t.Error("the upload was left behind")
	}
	return e
}

func TestTheReadersErrorComesBack(t *testing.T) {
	mine := errors.New("the tape is torn")
	e := broken(t, func([]byte) (int, error) { return 0, mine })
	if !errors.Is(e, mine) || !strings.Contains(e.Error(), "the tape is torn") || e.OSError != 0 || errors.Is(e, syscall.EIO) {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(e.Describe(), "the tape is torn") {
		t.Error(e.Describe())
	}
}

func TestTheReadersErrorBesideBytesComesBack(t *testing.T) {
	mine := errors.New("torn")
	if e := broken(t, func(p []byte) (int, error) { return 1, mine }); !errors.Is(e, mine) {
		t.Error(e)
	}
}

func TestTheReadersErrnoComesBack(t *testing.T) {
	e := broken(t, func([]byte) (int, error) { return 0, fmt.Errorf("reading: %w", syscall.ESTALE) })
	if !errors.Is(e, syscall.ESTALE) || e.OSError != syscall.ESTALE {
		t.Errorf("%d: %v", e.OSError, e)
	}
}

func TestAReaderThatPanics(t *testing.T) {
	mine := errors.New("the bug")
	e := broken(t, func([]byte) (int, error) { panic(mine) })
	var panicked *us3.PanicError
	if !errors.As(e, &panicked) || panicked.Value != mine || !errors.Is(e, mine) || !strings.Contains(string(panicked.Stack), "TestAReaderThatPanics") {
		t.Errorf("%+v", e)
	}
}

// Before Go 1.21 recover gives nil for it, as if nothing had happened: the object would end there.
func TestPanicsWithNil(t *testing.T) {
	var panicked *us3.PanicError
	if e := broken(t, func([]byte) (int, error) { panic(nil) }); !errors.As(e, &panicked) {
		t.Errorf("%+v", e)
	}
	client, key := newClient(t), keyOf(t)+"/progress"
	stalls(t, "part", key)
	_, err := client.Upload(background, us3.Request{Key: key, Data: content(size), Timeout: soon, Progress: func(us3.Progress) { panic(nil) }})
	if e := failed(t, err, us3.StatusCancelled); !errors.As(e, &panicked) {
		t.Errorf("%+v", e)
	}
}

func TestAReaderThatBreaksTheRules(t *testing.T) {
	for _, count := range []int{-1, 1 << 30} {
		e := broken(t, func([]byte) (int, error) { return count, nil })
		if !strings.Contains(e.Error(), "impossible") {
			t.Error(e)
		}
	}
	e := broken(t, func([]byte) (int, error) { return 0, nil })
	if !errors.Is(e, io.ErrNoProgress) {
		t.Error(e)
	}
}

// ---- progress ---------------------------------------------------------------------------------

func TestProgressIsTold(t *testing.T) {
	client := newClient(t)
	file := fileOf(t, content(size))
	for name, request := range map[string]us3.Request{
		"File": {FilePath: file}, "Data": {Data: content(size)}, "Reader": {Reader: bytes.NewReader(content(size))},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var told []us3.Progress
			request.Key, request.Mode = keyOf(t), us3.ModeMPut
			request.Progress = func(p us3.Progress) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, p)
			}
			task, err := client.Start(request)
			must(t, err)
			_, err = task.Wait(background)
			must(t, err)
			mu.Lock()
			defer mu.Unlock()
			if len(told) == 0 {
				t.Fatal("nothing was told")
			}
			for _, last := range []us3.Progress{told[len(told)-1], task.Progress()} {
				if last.Total != size || last.Sent != size || last.Acknowledged != size || last.PartsDone != 3 || last.Attempts != 1 {
					t.Errorf("%+v", last)
				}
			}
		})
	}
}

func TestTheTotalOfAStreamIsUnknownAndThatOfDataIsNot(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	end := stallsAll(t, "initiate")
	out, in := io.Pipe()
	defer in.Close()
	stream, err := client.Start(us3.Request{Key: key + "/stream", Reader: out})
	must(t, err)
	data, err := client.Start(us3.Request{Key: key + "/data", Data: content(size)})
	must(t, err)
	if stream.Progress().Total != -1 || data.Progress().Total != size {
		t.Errorf("%+v %+v", stream.Progress(), data.Progress())
	}
	end()
	in.Close()
	for _, task := range []*us3.Task{stream, data} {
		_, err = task.Wait(background)
		must(t, err)
	}
}

func TestAProgressFunctionThatPanics(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	stalls(t, "part", key)
	_, err := client.Upload(background, us3.Request{Key: key, Data: content(size), Progress: func(us3.Progress) { panic("the bug") }})
	e := failed(t, err, us3.StatusCancelled)
	var panicked *us3.PanicError
	if !errors.As(e, &panicked) || panicked.Value != "the bug" || !strings.Contains(e.Error(), "the bug") {
		t.Errorf("%+v", e)
	}
}

func TestWhatWaitsIsRefusedInACallback(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	var tasks = make(chan *us3.Task, 1)
	calls := map[string]func() error{
		"Upload":   func() error { return second(client.Upload(background, us3.Request{Key: key, Data: []byte{}})) },
		"HeadFile": func() error { return second(client.HeadFile(background, key)) },
		"Initiate": func() error { return second(client.InitiateMultipartUpload(background, key, "")) },
		"Close":    client.Close,
		"Logger":   func() error { return us3.SetLogger(us3.LogOff, nil) },
		"Wait": func() error {
			task := <-tasks
			tasks <- task
			return second(task.Wait(background))
		},
	}
	errs := make(chan error, len(calls))
	var started *us3.Task
	var once sync.Once
	task, err := client.Start(us3.Request{Key: key, Reader: readerFunc(func([]byte) (int, error) {
		once.Do(func() {
			for name, call := range calls {
				var e *us3.Error
				if err := call(); !errors.As(err, &e) || e.Status != us3.StatusWouldDeadlock {
					errs <- fmt.Errorf("%s: %v", name, err)
				}
			}
			// Not waiting is allowed.
			var err error
			if started, err = client.Start(us3.Request{Key: key + "/2", Data: []byte("x")}); err != nil {
				errs <- err
			}
		})
		return 0, io.EOF
	})})
	must(t, err)
	tasks <- task
	_, err = task.Wait(background)
	must(t, err)
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	_, err = started.Wait(background)
	must(t, err)
}

func TestAReaderMayTakeItsTime(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	out, in := io.Pipe()
	slow, err := client.Start(us3.Request{Key: key + "/slow", Reader: out})
	must(t, err)
	// It is being read, and holds up nobody.
	_, err = in.Write([]byte("slow"))
	must(t, err)
	for i := 0; i < 10; i++ {
		_, err := client.Upload(background, us3.Request{Key: key, Data: content(100), Timeout: soon})
		must(t, err)
	}
	select {
	case <-slow.Done():
		t.Error("it ended before its source")
	case <-time.After(time.Millisecond):
	}
	in.Close()
	_, err = slow.Wait(background)
	must(t, err)
	stored(t, key+"/slow", []byte("slow"))
}
