package us3

// Go strings for C.

/*
#cgo pkg-config: us3
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// cStrings are the C strings of one call. The first one that cannot be made is remembered in err.
type cStrings struct {
	made   []*C.char
	arrays []unsafe.Pointer
	err    error
}

// of makes a C string. One with a NUL inside would end there in C.
func (s *cStrings) of(name, value string) *C.char {
	if at := strings.IndexByte(value, 0); at >= 0 {
		if s.err == nil {
			s.err = invalid(fmt.Sprintf("%s has a NUL byte at offset %d", name, at))
		}
		return nil
	}
	made := C.CString(value)
	s.made = append(s.made, made)
	return made
}

// optional is NULL for nil.
func (s *cStrings) optional(name string, value *string) *C.char {
	if value == nil {
		return nil
	}
	return s.of(name, *value)
}

// pairs makes an array of us3_header; NULL if there are none.
func (s *cStrings) pairs(name string, pairs map[string]string) (*C.us3_header, C.size_t) {
	if len(pairs) == 0 {
		return nil, 0
	}
	// In C memory, because a struct that C is given may not point at Go's. Cleared, because Go's collector looks at the
	// pointer that another one replaces, and ends the program when that points at nothing.
	array := C.calloc(C.size_t(len(pairs)), C.sizeof_us3_header)
	if array == nil {
		if s.err == nil {
			s.err = &Error{Status: StatusInternalError, Message: fmt.Sprintf("no memory for %d %s", len(pairs), name)}
		}
		return nil, 0
	}
	s.arrays = append(s.arrays, array)
	headers := unsafe.Slice((*C.us3_header)(array), len(pairs))
	for i, key := range sortedKeys(pairs) {
		headers[i] = C.us3_header{
			name:  s.of(name, key),
			value: s.of(fmt.Sprintf("%s[%q]", name, key), pairs[key]),
		}
	}
	return &headers[0], C.size_t(len(headers))
}

func (s *cStrings) free() {
	for _, made := range s.made {
		C.us3_go_wipe_and_free(made)
	}
	for _, array := range s.arrays {
		C.free(array)
	}
	s.made, s.arrays = nil, nil
}

// goBytes copies what C owns; nil for NULL.
func goBytes(bytes *C.char, size C.size_t) []byte {
	if bytes == nil {
		return nil
	}
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(bytes)), int(size))...)
}
