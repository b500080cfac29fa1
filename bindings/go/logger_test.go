package us3_test

import (
	"strings"
	"sync"
	"testing"

	"libus3/us3"
)

// logged are the lines that an upload causes.
func logged(t *testing.T, level us3.LogLevel) []string {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	must(t, us3.SetLogger(level, func(level us3.LogLevel, line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}))
	client := newClient(t)
	_, err := client.Upload(background, us3.Request{Key: keyOf(t), Data: []byte("x")})
	must(t, err)
	must(t, us3.SetLogger(us3.LogOff, nil))
	mu.Lock()
	defer mu.Unlock()
	return lines
}

func TestTheLog(t *testing.T) {
	lines := strings.Join(logged(t, us3.LogDebug), "\n")
	if !strings.Contains(lines, keyOf(t)) || strings.Contains(lines, privateKey) {
		t.Error(lines)
	}
	if lines := logged(t, us3.LogError); len(lines) != 0 {
		t.Error(lines)
	}
	if lines := logged(t, us3.LogOff); len(lines) != 0 {
		t.Error(lines)
	}
	err := us3.SetLogger(17, func(us3.LogLevel, string) {})
	failed(t, err, us3.StatusInvalidArgument)
}

func TestALoggerThatPanics(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	must(t, us3.SetLogger(us3.LogTrace, func(us3.LogLevel, string) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		panic("the bug")
	}))
	client := newClient(t)
	_, err := client.Upload(background, us3.Request{Key: keyOf(t), Data: content(size)})
	must(t, err)
	must(t, us3.SetLogger(us3.LogOff, nil))
	if calls < 2 {
		t.Errorf("%d calls", calls)
	}
}
