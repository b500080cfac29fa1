package us3_test

// Many uploads at once, and what they cost the process.

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"libus3/us3"
)

const many = 200

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(entries)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// wide runs all uploads at the same time.
func wide(t *testing.T) *us3.Client {
	t.Helper()
	wide := config()
	wide.MaxConcurrentUploads = many
	return clientOf(t, wide)
}

// cheap checks that what is in flight holds few threads. The library itself has 2, and up to 32 that read files.
func cheap(t *testing.T, before int) {
	t.Helper()
	if now := threads(t); now > before+50 {
		t.Errorf("%d threads instead of %d", now, before)
	}
}

func TestManyStartedUploadsCostNeitherThreadsNorGoroutines(t *testing.T) {
	client, key := wide(t), keyOf(t)
	path := fileOf(t, []byte("x"))
	end := stallsAll(t, "put")
	threadsBefore, goroutinesBefore := threads(t), runtime.NumGoroutine()
	var tasks []*us3.Task
	for i := 0; i < many; i++ {
		task, err := client.Start(us3.Request{Key: fmt.Sprintf("%s/%d", key, i), FilePath: path})
		must(t, err)
		tasks = append(tasks, task)
	}
	inFlight(t, many)
	cheap(t, threadsBefore)
	// The poller, and the test's own connection to the emulator's control.
	if now := runtime.NumGoroutine(); now > goroutinesBefore+5 {
		t.Errorf("%d goroutines instead of %d", now, goroutinesBefore)
	}
	end()
	for _, task := range tasks {
		_, err := task.Wait(background)
		must(t, err)
	}
	eventually(t, "without the poller's goroutine", func() bool { return runtime.NumGoroutine() <= goroutinesBefore+4 })
}

func TestManyUploadsThatAreWaitedForCostNoThreads(t *testing.T) {
	client, key := wide(t), keyOf(t)
	path := fileOf(t, []byte("x"))
	end := stallsAll(t, "put")
	before := threads(t)
	goroutinesBefore := runtime.NumGoroutine()
	var group sync.WaitGroup
	for i := 0; i < many; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			policy := policyFor(t, "many")
			_, err := client.PutFileWithPolicy(background, path, fmt.Sprintf("%s/%d", key, i), "", policy)
			if err != nil {
				t.Error(err)
			}
		}(i)
	}
	inFlight(t, many)
	cheap(t, before)
	if now := runtime.NumGoroutine(); now > goroutinesBefore+many+5 {
		t.Errorf("%d goroutines instead of %d", now, goroutinesBefore)
	}
	end()
	group.Wait()
}

func TestCallsThatBlockHoldFewThreads(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	end := stallsAll(t, "head")
	before := threads(t)
	var group sync.WaitGroup
	for i := 0; i < 3*us3.BlockingCalls; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if e := (*us3.Error)(nil); !errors.As(second(client.HeadFile(background, key)), &e) || e.HTTPStatus != 404 {
				t.Error(e)
			}
		}()
	}
	inFlight(t, us3.BlockingCalls)
	if now := threads(t); now > before+us3.BlockingCalls+20 {
		t.Errorf("%d threads instead of %d", now, before)
	}
	end()
	group.Wait()
}

// Descriptors go to the oldest uploads; the others are looked at.
func TestMoreUploadsThanDescriptors(t *testing.T) {
	defer us3.UseDescriptors(4)()
	client, key := newClient(t), keyOf(t)
	end := stallsAll(t, "put")
	before := descriptors(t)
	var tasks []*us3.Task
	for i := 0; i < many; i++ {
		task, err := client.Start(us3.Request{Key: fmt.Sprintf("%s/%d", key, i), Data: []byte("x")})
		must(t, err)
		tasks = append(tasks, task)
	}
	inFlight(t, 32)
	// 32 connections to the emulator, 4 tasks, one epoll, the test's own connection to the control.
	if now := descriptors(t); now > before+32+4+5 {
		t.Errorf("%d descriptors instead of %d", now, before)
	}
	// One that waits for its turn, and has no descriptor.
	last := tasks[many-1]
	last.Cancel()
	within(t, "cancelled", last.Done())
	if e := failed(t, second(last.Wait(background)), us3.StatusCancelled); e.Attempts != 0 {
		t.Errorf("%+v", e)
	}
	end()
	for _, task := range tasks[:many-1] {
		_, err := task.Wait(background)
		must(t, err)
	}
}

func TestAProcessWithoutADescriptorLeft(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	upload := us3.Request{Key: key, Data: []byte("x")}
	// Its connection is kept for the next.
	_, err := client.Upload(background, upload)
	must(t, err)

	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	none := limit
	none.Cur = 0
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	restored := false
	restore := func() {
		if !restored {
			restored = true
			must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		}
	}
	defer restore()
	task, err := client.Start(upload)
	if err == nil {
		_, err = task.Wait(background)
	}
	restore()
	must(t, err)
}

func TestNothingIsLeftOpen(t *testing.T) {
	round := func() {
		client, err := us3.NewClient(config())
		must(t, err)
		policy := policyFor(t, "leak")
		for i := 0; i < 10; i++ {
			_, err = client.Upload(background, us3.Request{Key: keyOf(t), Data: content(100), Policy: &policy})
			must(t, err)
			_, err = client.Upload(background, us3.Request{Key: keyOf(t), Reader: readerFunc(func([]byte) (int, error) { return 0, os.ErrInvalid })})
			failed(t, err, us3.StatusFileError)
		}
		must(t, client.Close())
	}
	round()
	before := descriptors(t)
	for i := 0; i < 5; i++ {
		round()
	}
	eventually(t, "closed", func() bool { return descriptors(t) <= before })
}
