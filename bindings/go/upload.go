package us3

// Uploading and waiting for the end.

import (
	"context"
	"fmt"
)

// Upload uploads whatever the request asks for, and waits until the object is stored and the callback, if there is a
// policy, has answered. When ctx ends, the upload is cancelled.
func (c *Client) Upload(ctx context.Context, request Request) (*Result, error) {
	if err := mayWait("Upload"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, ended(fmt.Sprintf("the upload of %q was not begun", request.Key), err)
	}
	task, err := c.Start(request)
	if err != nil {
		return nil, err
	}
	select {
	case <-task.done:
	case <-ctx.Done():
		task.cancel(ctx.Err())
		<-task.done
	}
	return task.result, task.err
}

// PutFileWithPolicy uploads a file of at most 512 MiB with one request, then the callback runs. An empty mimeType is
// detected.
func (c *Client) PutFileWithPolicy(ctx context.Context, filePath, key, mimeType, policy string) (*Result, error) {
	return c.Upload(ctx, Request{FilePath: filePath, Key: key, MIMEType: mimeType, Mode: ModePut, Policy: &policy})
}

// MPutWithPolicy uploads a file in parts, one at a time, then the callback runs.
func (c *Client) MPutWithPolicy(ctx context.Context, filePath, key, mimeType, policy string) (*Result, error) {
	return c.AsyncUploadWithPolicy(ctx, filePath, key, mimeType, 1, policy)
}

// AsyncMPutWithPolicy uploads a file in parts, 10 at a time, then the callback runs. The name is the vendor's: it waits
// for the end as the others do.
func (c *Client) AsyncMPutWithPolicy(ctx context.Context, filePath, key, mimeType, policy string) (*Result, error) {
	return c.AsyncUploadWithPolicy(ctx, filePath, key, mimeType, 10, policy)
}

// AsyncUploadWithPolicy uploads a file in parts, so many jobs at a time, then the callback runs. Below 1 is 1, above
// 256 is 256.
func (c *Client) AsyncUploadWithPolicy(ctx context.Context, filePath, key, mimeType string, jobs int, policy string) (*Result, error) {
	return c.uploadInParts(ctx, filePath, key, mimeType, jobs, &policy)
}

// PutFile is PutFileWithPolicy without a callback.
func (c *Client) PutFile(ctx context.Context, filePath, key, mimeType string) (*Result, error) {
	return c.Upload(ctx, Request{FilePath: filePath, Key: key, MIMEType: mimeType, Mode: ModePut})
}

// MPut is MPutWithPolicy without a callback.
func (c *Client) MPut(ctx context.Context, filePath, key, mimeType string) (*Result, error) {
	return c.AsyncUpload(ctx, filePath, key, mimeType, 1)
}

// AsyncMPut is AsyncMPutWithPolicy without a callback.
func (c *Client) AsyncMPut(ctx context.Context, filePath, key, mimeType string) (*Result, error) {
	return c.AsyncUpload(ctx, filePath, key, mimeType, 10)
}

// AsyncUpload is AsyncUploadWithPolicy without a callback.
func (c *Client) AsyncUpload(ctx context.Context, filePath, key, mimeType string, jobs int) (*Result, error) {
	return c.uploadInParts(ctx, filePath, key, mimeType, jobs, nil)
}

func (c *Client) uploadInParts(ctx context.Context, filePath, key, mimeType string, jobs int, policy *string) (*Result, error) {
	return c.Upload(ctx, Request{
		FilePath: filePath, Key: key, MIMEType: mimeType, Mode: ModeMPut, Jobs: clamp(jobs, 1, mostJobs), Policy: policy,
	})
}
