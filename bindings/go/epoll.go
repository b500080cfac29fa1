package us3

// An epoll descriptor for which a goroutine waits without a thread.

import (
	"os"
	"syscall"
	"time"
)

// Descriptors that are told of at once.
const eventsAtOnce = 128

// epoll is nil when the process has no descriptor left for it: it then watches nothing, and a wait is a pause.
type epoll struct {
	descriptor int
	// Hands the descriptor to Go's runtime, which waits for it together with its sockets.
	file       *os.File
	connection syscall.RawConn
}

func openEpoll() *epoll {
	descriptor, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	// The runtime takes only what does not block.
	if err := syscall.SetNonblock(descriptor, true); err != nil {
		syscall.Close(descriptor)
		return nil
	}
	file := os.NewFile(uintptr(descriptor), "us3-epoll")
	connection, err := file.SyscallConn()
	// A deadline is possible only if the runtime waits for it.
	if err != nil || file.SetReadDeadline(time.Time{}) != nil {
		file.Close()
		return nil
	}
	return &epoll{descriptor, file, connection}
}

// add watches a descriptor; false when that is not possible.
func (e *epoll) add(descriptor int32) bool {
	if e == nil {
		return false
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: descriptor}
	return syscall.EpollCtl(e.descriptor, syscall.EPOLL_CTL_ADD, int(descriptor), &event) == nil
}

// remove is for a descriptor that was added, so that it cannot fail.
func (e *epoll) remove(descriptor int32) {
	_ = syscall.EpollCtl(e.descriptor, syscall.EPOLL_CTL_DEL, int(descriptor), nil)
}

// wait gives the descriptors that have become readable; none when wakeIn's time has passed.
func (e *epoll) wait() []int32 {
	if e == nil {
		time.Sleep(lookAgain)
		return nil
	}
	var events [eventsAtOnce]syscall.EpollEvent
	count := 0
	err := e.connection.Read(func(descriptor uintptr) bool {
		count, _ = syscall.EpollWait(int(descriptor), events[:], 0)
		return count > 0
	})
	if err != nil {
		return nil
	}
	descriptors := make([]int32, count)
	for i := range descriptors {
		descriptors[i] = events[i].Fd
	}
	return descriptors
}

// wakeIn limits the wait, also one in progress; 0 is no limit.
func (e *epoll) wakeIn(limit time.Duration) {
	if e == nil {
		return
	}
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	// openEpoll has tried it.
	_ = e.file.SetReadDeadline(deadline)
}

func (e *epoll) close() {
	if e != nil {
		e.file.Close()
	}
}
