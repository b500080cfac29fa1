package us3

// One goroutine that learns of the end of all uploads.
//
// Each task of the library has a descriptor that becomes readable at its end. They stand in one epoll
// descriptor, for which the goroutine waits as it would for a socket: parked by Go's runtime, without a thread. It
// lives only while there are uploads.
//
// Descriptors are scarce, and uploads are not: however many are queued, only the oldest get one. Those are the ones
// that run, since the library's queue keeps the order; at the others the poller looks now and then, for they
// can be cancelled or run out of time.

// #include "bridge.h"
import "C"

import (
	"sync"
	"syscall"
	"time"
)

const (
	// How often the poller looks at uploads without a descriptor.
	lookAgain = 200 * time.Millisecond
	// The most uploads that one client runs at a time.
	mostRunning = 4096
)

// polls is shared by all clients.
var polls = poller{most: descriptorsToUse()}

type poller struct {
	// Descriptors to be used at most.
	most int

	mu      sync.Mutex
	running bool
	// nil when there is no descriptor for it.
	epoll   *epoll
	watched map[int32]*Task // by their descriptors
	queued  []*Task         // without one, oldest first
}

// descriptorsToUse leaves most of them to the sockets and files of the process.
func descriptorsToUse() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur/4 > mostRunning {
		return mostRunning
	}
	return int(limit.Cur / 4)
}

// add has the end of a task concluded.
func (p *poller) add(task *Task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		p.running = true
		p.watched = make(map[int32]*Task)
		p.epoll = openEpoll()
		go p.run()
	}
	p.queued = append(p.queued, task)
	p.admit()
	if len(p.queued) == 1 {
		p.epoll.wakeIn(lookAgain)
	}
}

// run ends when there is nothing left to wait for.
func (p *poller) run() {
	looked := time.Now()
	for {
		epoll, more := p.next()
		if !more {
			return
		}
		conclude(p.take(epoll.wait()))
		if time.Since(looked) >= lookAgain {
			conclude(p.takeQueued())
			looked = time.Now()
		}
	}
}

func conclude(ended []*Task) {
	for _, task := range ended {
		task.conclude()
	}
}

// take takes the tasks of these descriptors off the list.
func (p *poller) take(descriptors []int32) []*Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	tasks := make([]*Task, 0, len(descriptors))
	for _, descriptor := range descriptors {
		tasks = append(tasks, p.watched[descriptor])
		delete(p.watched, descriptor)
		// Before its task is freed, which closes it.
		p.epoll.remove(descriptor)
	}
	return tasks
}

// takeQueued takes those off the queue that have ended.
func (p *poller) takeQueued() []*Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ended, queued []*Task
	for _, task := range p.queued {
		if task.hasEnded() {
			ended = append(ended, task)
		} else {
			queued = append(queued, task)
		}
	}
	p.queued = queued
	return ended
}

// next prepares for the next wait. False when there is nothing to wait for.
func (p *poller) next() (*epoll, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoll == nil {
		p.epoll = openEpoll()
	}
	p.admit()
	switch {
	case len(p.queued) > 0:
		p.epoll.wakeIn(lookAgain)
		return p.epoll, true
	case len(p.watched) > 0:
		p.epoll.wakeIn(0)
		return p.epoll, true
	}
	p.running = false
	p.epoll.close()
	return nil, false
}

// admit gives descriptors to the oldest in the queue, as far as they go.
func (p *poller) admit() {
	for len(p.queued) > 0 && len(p.watched) < p.most {
		task := p.queued[0]
		descriptor := int32(C.us3_task_fd(task.handle))
		if descriptor < 0 || !p.epoll.add(descriptor) {
			return
		}
		p.watched[descriptor] = task
		p.queued[0] = nil
		p.queued = p.queued[1:]
	}
}
