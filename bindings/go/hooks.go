package us3

// Go functions that the library calls, on threads of its own.

// #include "bridge.h"
import "C"

import (
	"errors"
	"io"
	"runtime/cgo"
	"runtime/debug"
	"sync"
	"syscall"
	"unsafe"
)

// A Reader that gives neither bytes nor an error that often is broken.
const emptyReads = 100

// errBadCount is a Reader that breaks the rules of io.Reader.
var errBadCount = errors.New("the Reader returned an impossible count")

// hooks are the functions of one upload. C knows them as a cgo.Handle, from its start to its end.
type hooks struct {
	// The library makes one call of read at a time. It may make one of progress meanwhile.
	reader   io.Reader
	readErr  error // what the last Read said beside its bytes
	progress func(Progress)
	total    int64 // of Data, which the library knows as a stream; 0 for other sources

	mu  sync.Mutex
	err error
}

// fail remembers why Go ended the upload: the first reason counts.
func (h *hooks) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
}

// failure is why Go ended the upload, if it did.
func (h *hooks) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// read is us3_read_fn: a count, 0 at the end, or the opposite of an errno. What recover gives does not tell whether
// there was a panic: it is nil after panic(nil), and an upload would take that for the end of its source.
func (h *hooks) read(buffer []byte) (count int64) {
	returned := false
	defer func() {
		if value := recover(); !returned {
			count = h.readFailed(&PanicError{Value: value, Stack: debug.Stack()})
		}
	}()
	count = h.nextBytes(buffer)
	returned = true
	return count
}

func (h *hooks) nextBytes(buffer []byte) int64 {
	for try := 0; try < emptyReads && h.readErr == nil; try++ {
		n, err := h.reader.Read(buffer)
		if n < 0 || n > len(buffer) {
			return h.readFailed(errBadCount)
		}
		h.readErr = err
		if n > 0 {
			return int64(n)
		}
	}
	switch h.readErr {
	case io.EOF:
		return 0
	case nil:
		return h.readFailed(io.ErrNoProgress)
	}
	return h.readFailed(h.readErr)
}

func (h *hooks) readFailed(err error) int64 {
	h.fail(err)
	var errno syscall.Errno
	if errors.As(err, &errno) && errno > 0 {
		return -int64(errno)
	}
	return -int64(syscall.EIO)
}

// tell is us3_progress_fn: whether to go on.
func (h *hooks) tell(progress *C.us3_progress) (ok bool) {
	defer func() {
		if value := recover(); !ok {
			h.fail(&PanicError{Value: value, Stack: debug.Stack()})
		}
	}()
	h.progress(h.goProgress(progress))
	return true
}

//export us3GoRead
func us3GoRead(handle C.uintptr_t, buffer unsafe.Pointer, capacity C.size_t) C.int64_t {
	hooks := cgo.Handle(handle).Value().(*hooks)
	// Memory of C, which the Reader must not keep: io.Reader says so.
	return C.int64_t(hooks.read(unsafe.Slice((*byte)(buffer), int(capacity))))
}

//export us3GoProgress
func us3GoProgress(progress *C.us3_progress, handle C.uintptr_t) C.int32_t {
	if cgo.Handle(handle).Value().(*hooks).tell(progress) {
		return 0
	}
	return 1
}

//export us3GoLog
func us3GoLog(level C.int32_t, line *C.char, handle C.uintptr_t) {
	logger := cgo.Handle(handle).Value().(func(LogLevel, string))
	// There is nobody to tell, and nothing of the logger's may reach C.
	defer func() { _ = recover() }()
	logger(LogLevel(level), C.GoString(line))
}
