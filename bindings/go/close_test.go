package us3_test

// Closing, forgetting to close, and the process round it: children, signals.

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libus3/us3"
)

func TestCloseCancelsWhatRuns(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	stallsAll(t, "part")
	var tasks []*us3.Task
	for i := 0; i < 50; i++ {
		task, err := client.Start(us3.Request{Key: key, Data: content(size), Jobs: 1})
		must(t, err)
		tasks = append(tasks, task)
	}
	// All that have their turn are begun, so that there is something to abort.
	inFlight(t, 32)
	var group sync.WaitGroup
	for i := 0; i < 3; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	for _, task := range tasks {
		select {
		case <-task.Done():
		default:
			t.Error("closed before its upload had ended")
		}
		failed(t, second(task.Wait(background)), us3.StatusCancelled)
		_ = task.Progress()
	}
	if pending(t, key) {
		t.Error("uploads were left behind")
	}
	must(t, client.Close())
	for what, err := range map[string]error{
		"Start":  second(client.Start(us3.Request{Key: key, Data: []byte("x")})),
		"Upload": second(client.MPut(background, "video.mp4", key, "")),
		"Head":   second(client.HeadFile(background, key)),
		"Begin":  second(client.InitiateMultipartUpload(background, key, "")),
	} {
		t.Run(what, func(t *testing.T) { refused(t, err, "closed") })
	}
}

func TestCloseWhileUploadsAreBeingStarted(t *testing.T) {
	// None ends by itself, so that Close would hang for one that it forgot.
	stallsAll(t, "put")
	for round := 0; round < 20; round++ {
		client, err := us3.NewClient(config())
		must(t, err)
		var group sync.WaitGroup
		for i := 0; i < 4; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for err := error(nil); err == nil; {
					_, err = client.Start(us3.Request{Key: keyOf(t), Data: []byte("x")})
				}
			}()
		}
		time.Sleep(time.Millisecond) // anywhere in between
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		}()
		within(t, "closed", closed)
		group.Wait()
	}
}

func TestShutdownLetsUploadsEnd(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	end := stalls(t, "put", key)
	task, err := client.Start(us3.Request{Key: key, Data: []byte("x")})
	must(t, err)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := client.Shutdown(background); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "closing", func() bool {
		_, err := client.Start(us3.Request{Key: key + "/2", Data: []byte("x")})
		return err != nil
	})
	end()
	within(t, "closed", closed)
	_, err = task.Wait(background)
	must(t, err)
}

func TestShutdownGivesUp(t *testing.T) {
	client, key := newClient(t), keyOf(t)
	stalls(t, "put", key)
	task, err := client.Start(us3.Request{Key: key, Data: []byte("x")})
	must(t, err)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	must(t, client.Shutdown(ctx))
	failed(t, second(task.Wait(background)), us3.StatusCancelled)
}

func TestAShutdownThatWaitsCostsNoThread(t *testing.T) {
	key := keyOf(t)
	end := stalls(t, "put", key)
	before := threads(t) - libraryThreads(t)
	var clients sync.WaitGroup
	for i := 0; i < 40; i++ {
		small := config()
		small.WorkerThreads = 1
		client := clientOf(t, small)
		_, err := client.Start(us3.Request{Key: key, Data: []byte("x")})
		must(t, err)
		clients.Add(1)
		go func() {
			defer clients.Done()
			if err := client.Shutdown(background); err != nil {
				t.Error(err)
			}
		}()
	}
	inFlight(t, 40)
	// For as long as it would take them to get there.
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if now := threads(t) - libraryThreads(t); now > before+20 {
			t.Fatalf("%d threads instead of %d", now, before)
		}
	}
	end()
	clients.Wait()
}

// libraryThreads counts those that the library has named.
func libraryThreads(t *testing.T) int {
	t.Helper()
	names, err := filepath.Glob("/proc/self/task/*/comm")
	must(t, err)
	count := 0
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(comm), "us3") && !strings.Contains(string(comm), "test") {
			count++
		}
	}
	return count
}

func TestAForgottenClientIsFreed(t *testing.T) {
	eventually(t, "alone", func() bool { return libraryThreads(t) == 0 })
	func() {
		client, err := us3.NewClient(config())
		must(t, err)
		_, err = client.Upload(background, us3.Request{Key: keyOf(t), Data: []byte("x")})
		must(t, err)
		_, err = client.InitiateMultipartUpload(background, keyOf(t), "")
		must(t, err)
		if libraryThreads(t) == 0 {
			t.Fatal("the library's threads have other names")
		}
	}()
	eventually(t, "freed", func() bool {
		runtime.GC()
		return libraryThreads(t) == 0
	})
}

func TestAForgottenTaskGoesOn(t *testing.T) {
	key := keyOf(t)
	end := stalls(t, "put", key)
	func() {
		client, err := us3.NewClient(config())
		must(t, err)
		_, err = client.Start(us3.Request{Key: key, Data: []byte("x")})
		must(t, err)
	}()
	for i := 0; i < 5; i++ {
		runtime.GC()
	}
	end()
	eventually(t, "stored", func() bool {
		runtime.GC()
		for _, object := range state(t).Objects {
			if object.Key == key {
				return true
			}
		}
		return false
	})
}

// ---- the process ----------------------------------------------------------------------------

// childsDescriptors are what a child of this process finds open.
func childsDescriptors(t *testing.T) string {
	t.Helper()
	listed, err := exec.Command("ls", "/proc/self/fd").Output()
	must(t, err)
	return string(listed)
}

func TestAChildInheritsNothing(t *testing.T) {
	before := childsDescriptors(t)
	client, key := newClient(t), keyOf(t)
	end := stallsAll(t, "part")
	task, err := client.Start(us3.Request{Key: key, FilePath: "video.mp4", Mode: us3.ModeMPut})
	must(t, err)
	inFlight(t, 1)
	for i := 0; i < 20; i++ {
		if now := childsDescriptors(t); now != before {
			t.Fatalf("the child has %q instead of %q", now, before)
		}
	}
	end()
	_, err = task.Wait(background)
	must(t, err)
}

// Go preempts its threads with SIGURG and profiles them with SIGPROF, while its functions run on the library's.
func TestSignalsWhileGoRunsOnTheLibrarysThreads(t *testing.T) {
	must(t, pprof.StartCPUProfile(io.Discard))
	defer pprof.StopCPUProfile()
	stop := make(chan struct{})
	var signals sync.WaitGroup
	signals.Add(1)
	go func() {
		defer signals.Done()
		for {
			select {
			case <-stop:
				return
			default:
				_ = syscall.Kill(os.Getpid(), syscall.SIGURG)
				runtime.GC()
			}
		}
	}()
	client, key := newClient(t), keyOf(t)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			garbage := func(us3.Progress) { _ = make([]byte, 1<<16) }
			_, err := client.Upload(background, us3.Request{Key: key, Reader: bytes.NewReader(content(size)), Progress: garbage})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	close(stop)
	signals.Wait()
	stored(t, key, content(size))
}
