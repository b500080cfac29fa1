package us3

// The library's log.

// #include "bridge.h"
import "C"

import (
	"runtime/cgo"
	"sync"
)

// LogLevel is how much is logged.
type LogLevel int32

// The levels; each has those before it.
const (
	LogOff   LogLevel = C.US3_LOG_OFF   // nothing
	LogError LogLevel = C.US3_LOG_ERROR // uploads that failed
	LogWarn  LogLevel = C.US3_LOG_WARN  // requests that failed, whether they are sent again or not
	LogInfo  LogLevel = C.US3_LOG_INFO  // uploads that begin and end
	LogDebug LogLevel = C.US3_LOG_DEBUG // each request
	LogTrace LogLevel = C.US3_LOG_TRACE // whatever else later versions have to say
)

var (
	loggerMu sync.Mutex
	// What C calls the current logger by; 0 if there is none.
	logger cgo.Handle
)

// SetLogger sets where the library's log goes, for all clients; off until it is set, when it costs next to nothing.
// Lines up to the level are passed on, such as
//
//	UploadPart key="a.jpg" part=3 attempt=2 ms=41 http=200 session="b0c3..."
//
// without any private key, signature or token. LogOff or a nil logger switches it off. When SetLogger
// returns, the logger that was set before is not running any more and is not called again.
//
// The logger is called by several threads at once, those that drive the library's sockets: it must be quick, and must not
// wait for whoever calls SetLogger. In a logger, SetLogger returns StatusWouldDeadlock.
func SetLogger(level LogLevel, log func(level LogLevel, line string)) error {
	if err := mayWait("SetLogger"); err != nil {
		return err
	}
	loggerMu.Lock()
	defer loggerMu.Unlock()
	var next cgo.Handle
	if log != nil && level != LogOff {
		next = cgo.NewHandle(log)
	}
	status := Status(C.us3_go_set_logger(C.int32_t(level), C.uintptr_t(next)))
	unused := logger
	if status == StatusOK {
		logger = next
	} else {
		unused = next
	}
	if unused != 0 {
		unused.Delete()
	}
	if status != StatusOK {
		return &Error{Status: status, Message: "SetLogger: the level is none of LogOff to LogTrace"}
	}
	return nil
}

// Version is that of the library that is loaded.
func Version() string {
	return C.GoString(C.us3_version())
}
