package us3

// UseDescriptors limits the descriptors of the poller, as a small limit of the process would. It gives what undoes it.
func UseDescriptors(most int) (undo func()) {
	set := func(most int) int {
		polls.mu.Lock()
		defer polls.mu.Unlock()
		before := polls.most
		polls.most = most
		return before
	}
	before := set(most)
	return func() { set(before) }
}

// BlockingCalls is how many threads may wait in C.
const BlockingCalls = blockingCalls
