package us3

// Calls of the library that wait for the network: each needs a thread, which C holds until it returns.

import (
	"context"
	"fmt"
)

// More threads than that are not given to such calls; further ones wait for their turn. Go ends a program that
// has too many.
const blockingCalls = 64

var slots = make(chan struct{}, blockingCalls)

// call runs a function that waits in C, and waits for it or for ctx. When ctx ends first, the function goes on
// without the caller, and undo, if there is one, gets what it brings.
func call[T any](ctx context.Context, c *Client, what string, run func() (T, error), undo func(T)) (T, error) {
	if err := c.beginCall(ctx, what); err != nil {
		var nothing T
		return nothing, err
	}
	return finishCall(ctx, c, what, run, undo)
}

// beginCall makes sure that there is a client and a thread; endCall gives them back.
func (c *Client) beginCall(ctx context.Context, what string) error {
	if err := mayWait(what); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return ended(what+" was not begun", err)
	}
	if err := c.enter(); err != nil {
		return err
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-c.closing:
		c.leave()
		return c.closed()
	case <-ctx.Done():
		c.leave()
		return ended(what+" was not begun", ctx.Err())
	}
}

func (c *Client) endCall() {
	<-slots
	c.leave()
}

// finishCall is what call does after beginCall.
func finishCall[T any](ctx context.Context, c *Client, what string, run func() (T, error), undo func(T)) (T, error) {
	done := make(chan outcome[T])
	go func() {
		defer c.endCall()
		value, err := run()
		select {
		case done <- outcome[T]{value, err}:
		case <-ctx.Done():
			if err == nil && undo != nil {
				undo(value)
			}
		}
	}()
	select {
	case came := <-done:
		return came.value, came.err
	case <-ctx.Done():
		var nothing T
		return nothing, leftAlone(what, ctx.Err())
	}
}

type outcome[T any] struct {
	value T
	err   error
}

// leftAlone is a call that goes on while nobody waits for it any more.
func leftAlone(what string, cause error) error {
	err := ended(fmt.Sprintf("%s was on its way when its context ended, and goes on in the background", what), cause)
	err.ObjectState = ObjectUnknown
	err.CallbackState = CallbackUnknown
	return err
}
