package us3

// A client: made, used by any number of goroutines, closed.

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// Client uploads to one bucket. Any number of goroutines may use it at once, and should: it keeps connections
// for reuse. Close it when it is not needed any more.
type Client struct {
	handle *C.us3_client

	mu sync.Mutex
	// Calls and uploads in progress; the handle is freed when there are none.
	users int
	tasks map[*Task]struct{}
	// Every upload is to be cancelled, one that is just being started too.
	cancelling bool
	// Closed when no call may begin any more.
	closing chan struct{}
	// Closed when users has become 0 after that.
	idle chan struct{}
	// Closed when the handle is freed.
	freed chan struct{}
}

// NewClient makes a client. It sends nothing: wrong keys show with the first request.
func NewClient(config Config) (*Client, error) {
	var texts cStrings
	defer texts.free()
	settings, err := config.forC(&texts)
	if err != nil {
		return nil, err
	}
	var handle *C.us3_client
	result := C.us3_go_result()
	C.us3_client_new(&settings, &handle, &result)
	return newClient(handle, &result)
}

// NewClientFromFile makes a client from a JSON file, such as the vendor's SDKs use.
func NewClientFromFile(path string) (*Client, error) {
	var texts cStrings
	defer texts.free()
	name := texts.of("path", path)
	if texts.err != nil {
		return nil, texts.err
	}
	var handle *C.us3_client
	result := C.us3_go_result()
	C.us3_client_from_file(name, &handle, &result)
	return newClient(handle, &result)
}

func newClient(handle *C.us3_client, result *C.us3_result) (*Client, error) {
	if _, err := take(result); err != nil {
		return nil, err
	}
	client := &Client{
		handle:  handle,
		tasks:   make(map[*Task]struct{}),
		closing: make(chan struct{}),
		idle:    make(chan struct{}),
		freed:   make(chan struct{}),
	}
	// A safety net for a client that is never closed. No upload runs, since it would refer to the client; but
	// joining its threads is nothing for the goroutine of the finalizers.
	runtime.SetFinalizer(client, func(client *Client) { go C.us3_client_free(client.handle) })
	return client, nil
}

// Close cancels the uploads in progress, waits until they and all other calls have ended, and frees the client. What
// becomes of an upload is told as always. To let uploads come to their end first, use Shutdown.
//
// Any goroutine, any number of times: each call returns when the client is freed. Its one error is
// StatusWouldDeadlock, when it is called in a Reader, a progress function or a logger; nothing is closed then.
//
// Close each MultipartState as well: the client's threads live until the last of them is closed.
func (c *Client) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return c.Shutdown(now)
}

// Shutdown is Close, but lets the uploads in progress come to their end until ctx ends; then it cancels them. Calls that
// begin in the meantime are refused.
func (c *Client) Shutdown(ctx context.Context) error {
	if err := mayWait("Close"); err != nil {
		return err
	}
	if c.beginClosing() {
		go c.free()
	}
	select {
	case <-c.idle:
	case <-ctx.Done():
		c.cancelAll()
	}
	<-c.freed
	return nil
}

// beginClosing lets no call begin any more. True for the first who asks.
func (c *Client) beginClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closing:
		return false
	default:
	}
	close(c.closing)
	if c.users == 0 {
		close(c.idle)
	}
	return true
}

// free waits in Go, where it costs no thread, so that C has nothing left to wait for.
func (c *Client) free() {
	<-c.idle
	runtime.SetFinalizer(c, nil)
	C.us3_client_free(c.handle)
	close(c.freed)
}

func (c *Client) cancelAll() {
	c.mu.Lock()
	c.cancelling = true
	tasks := make([]*Task, 0, len(c.tasks))
	for task := range c.tasks {
		tasks = append(tasks, task)
	}
	c.mu.Unlock()
	for _, task := range tasks {
		task.Cancel()
	}
}

// started remembers an upload, so that Close can cancel it.
func (c *Client) started(task *Task) {
	c.mu.Lock()
	c.tasks[task] = struct{}{}
	tooLate := c.cancelling
	c.mu.Unlock()
	if tooLate {
		task.Cancel()
	}
}

// ended is the counterpart of started, and of the enter before it.
func (c *Client) ended(task *Task) {
	c.mu.Lock()
	delete(c.tasks, task)
	c.mu.Unlock()
	c.leave()
}

// enter keeps the handle until leave; it fails when the client is closed.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closing:
		return c.closed()
	default:
		c.users++
		return nil
	}
}

func (c *Client) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	if c.users > 0 {
		return
	}
	select {
	case <-c.closing:
		close(c.idle)
	default:
	}
}

func (c *Client) closed() error {
	return invalid("the client is closed; nothing was sent")
}
