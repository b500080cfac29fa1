package us3

// Everything that an upload can want.

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"bytes"
	"fmt"
	"io"
	"runtime/cgo"
	"sort"
	"time"
	"unsafe"
)

// Mode is how the content of an upload travels.
type Mode int32

// The modes.
const (
	ModeAuto Mode = C.US3_MODE_AUTO // one PutFile when it is small, multipart when it is large
	ModePut  Mode = C.US3_MODE_PUT  // one PutFile, at most 512 MiB
	ModeMPut Mode = C.US3_MODE_MPUT // multipart
)

// Request is an upload. Key and one of FilePath, Data and Reader are required; the zero value of everything
// else is its default.
type Request struct {
	// Key is the object's, 1 to 1023 bytes of UTF-8, without "." and ".." segments.
	Key string

	// FilePath is the source, if it is a regular file.
	FilePath string
	// Data is the source, if it is memory: leave it as it is until the upload has ended. An empty slice is an empty
	// object, nil is no source. Up to 4 MiB, and with ModePut, the library gets a copy; what is larger is handed to it
	// piece by piece, as it is sent, so that there is never a second copy of it in memory.
	Data []byte
	// Reader is the source, if it is a stream, of any length; it is read in bounded memory, on a thread of the
	// library, until the upload has ended. It does not go with ModePut. Its error comes back through errors.Is. A
	// cancelled upload waits for a Read in progress: close what might block for ever.
	Reader io.Reader

	// MIMEType is the content type; "" to detect it.
	MIMEType string
	// Policy is the put policy, as BuildPolicy makes it. nil: no callback. A pointer to "" is StatusInvalidPolicy.
	Policy *string
	Mode   Mode
	// Jobs is how many parts of a multipart upload are in flight at once, 1 to 256; 0 is 10. The library's memory
	// for the upload is at most that many parts, of usually 4 MiB.
	Jobs int
	// StorageClass is "STANDARD", "IA" or "ARCHIVE"; "" is the bucket's.
	StorageClass string
	// Metadata is kept with the object, as X-Ufile-Meta-NAME. Names are letters, digits and "-"; 8 KiB in all.
	Metadata map[string]string
	// ResumePath is a checkpoint file, with which an upload of a file that fails is kept, and the next one with the
	// same checkpoint, key and file sends only what is missing. "" is none.
	ResumePath string
	// Timeout is for the whole upload, retries and clean-up included: StatusTimeout. 0 is no limit.
	Timeout time.Duration

	// Progress is called on a thread of the library at most every 100 ms, and once at the end; nil: not called.
	Progress func(Progress)
}

// The most jobs that make sense; the library takes larger numbers for it, as far as C can say them.
const mostJobs = 256

// copiedAtMost is a part, which the library would hold in memory anyway.
const copiedAtMost = 4 << 20

// lent is what the library uses until the upload has ended.
type lent struct {
	hooks hooks
	// Which of the hooks there are.
	calls C.int
	// Data in C memory; nil if there is none.
	copied unsafe.Pointer
	// What C knows the hooks by.
	handle cgo.Handle
}

// lend makes a request for C, whose strings live as long as texts.
func (r *Request) lend(texts *cStrings) (request C.us3_upload_request, lent *lent, err error) {
	request = C.us3_go_request()
	if r.Timeout < 0 {
		return request, nil, invalid(fmt.Sprintf("Timeout is %v, which is negative", r.Timeout))
	}
	request.timeout_ms = C.uint64_t(roundUp(r.Timeout))
	request.mode = C.int32_t(r.Mode)
	if r.Jobs != 0 {
		request.jobs = C.int32_t(clamp(r.Jobs, 1, mostJobs))
	}
	request.key = texts.of("Key", r.Key)
	request.mime_type = texts.of("MIMEType", r.MIMEType)
	request.policy_json = texts.optional("Policy", r.Policy)
	request.storage_class = texts.of("StorageClass", r.StorageClass)
	request.resume_path = texts.of("ResumePath", r.ResumePath)
	request.metadata, request.metadata_len = texts.pairs("Metadata", r.Metadata)
	if r.FilePath != "" {
		request.file_path = texts.of("FilePath", r.FilePath)
	}
	if texts.err != nil {
		return request, nil, texts.err
	}
	lent, err = r.source()
	if err != nil {
		return request, nil, err
	}
	if lent.copied != nil {
		request.data = lent.copied
		request.data_len = C.size_t(len(r.Data))
	}
	return request, lent, nil
}

// source checks that there is one, and lends what is Go's.
func (r *Request) source() (*lent, error) {
	given := 0
	for _, source := range []bool{r.FilePath != "", r.Data != nil, r.Reader != nil} {
		if source {
			given++
		}
	}
	if given != 1 {
		return nil, invalid("exactly one of FilePath, Data and Reader must be set (for an empty object, Data to []byte{})")
	}
	lent := &lent{hooks: hooks{progress: r.Progress, reader: r.Reader}}
	if r.Data != nil && (r.Mode == ModePut || len(r.Data) <= copiedAtMost) {
		// C may not keep a pointer to Go's memory. As a stream it would not be one PutFile, and a small one would need
		// more memory than its copy.
		copied, err := copyToC(r.Data)
		if err != nil {
			return nil, err
		}
		lent.copied = copied
	} else if r.Data != nil {
		lent.hooks.total = int64(len(r.Data))
		lent.hooks.reader = bytes.NewReader(r.Data)
	}
	if lent.hooks.reader != nil {
		lent.calls |= C.US3_GO_READS
	}
	if lent.hooks.progress != nil {
		lent.calls |= C.US3_GO_TELLS_PROGRESS
	}
	lent.handle = cgo.NewHandle(&lent.hooks)
	return lent, nil
}

// giveBack is for when the library holds nothing of it any more.
func (l *lent) giveBack() {
	l.handle.Delete()
	C.free(l.copied)
}

// copyToC copies into memory of C, to be freed with C.free.
func copyToC(data []byte) (unsafe.Pointer, error) {
	var first unsafe.Pointer
	if len(data) > 0 {
		first = unsafe.Pointer(&data[0])
	}
	copied := C.us3_go_copy(first, C.size_t(len(data)))
	if copied == nil {
		return nil, &Error{Status: StatusInternalError, Message: fmt.Sprintf("no memory for a copy of %d bytes", len(data))}
	}
	return copied, nil
}

func clamp(value, least, most int) int {
	if value < least {
		return least
	}
	if value > most {
		return most
	}
	return value
}

func sortedKeys(pairs map[string]string) []string {
	keys := make([]string, 0, len(pairs))
	for key := range pairs {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
