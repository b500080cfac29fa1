package us3

// #include "bridge.h"
import "C"

import "time"

// Progress is how far an upload is.
type Progress struct {
	Total        int64 // bytes of content in all; -1 while unknown, and for a Reader until its end
	Sent         int64 // bytes that left; a request that failed takes back what it had sent
	Acknowledged int64 // bytes that the service has confirmed
	PartsDone    int   // parts that the service has confirmed; a PutFile is one part
	PartsTotal   int   // parts in all; 0 while unknown
	Attempts     int   // 1 + the requests that were sent again; 0 before the first
	Elapsed      time.Duration
}

func (h *hooks) goProgress(progress *C.us3_progress) Progress {
	total := int64(progress.total)
	if progress.total == C.US3_TOTAL_UNKNOWN {
		total = -1
	}
	if h.total > 0 {
		total = h.total
	}
	return Progress{
		Total:        total,
		Sent:         int64(progress.sent),
		Acknowledged: int64(progress.acknowledged),
		PartsDone:    int(progress.parts_done),
		PartsTotal:   int(progress.parts_total),
		Attempts:     int(progress.attempts),
		Elapsed:      time.Duration(progress.elapsed_ms) * time.Millisecond,
	}
}
