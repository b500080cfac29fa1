package us3

// Objects that are stored.

// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
	"time"
)

// FileInfo is what HeadFile tells of an object.
type FileInfo struct {
	Size         int64
	LastModified time.Time // zero if the service does not say
	ETag         string    // without quotes; "" if the service does not say
	MIMEType     string    // "" if the service does not say
}

// HeadFile asks for an object's size, date, ETag and type. If there is no such object, the error's HTTPStatus is 404.
func (c *Client) HeadFile(ctx context.Context, key string) (*FileInfo, error) {
	run := func() (*FileInfo, error) { return c.head(key) }
	return call(ctx, c, fmt.Sprintf("HeadFile %q", key), run, nil)
}

func (c *Client) head(key string) (*FileInfo, error) {
	var texts cStrings
	defer texts.free()
	name := texts.of("key", key)
	if texts.err != nil {
		return nil, texts.err
	}
	info := C.us3_go_file_info()
	defer C.us3_file_info_clear(&info)
	result := C.us3_go_result()
	C.us3_head_file(c.handle, name, &info, &result)
	if _, err := take(&result); err != nil {
		return nil, err
	}
	found := &FileInfo{Size: int64(info.size), ETag: C.GoString(info.etag), MIMEType: C.GoString(info.mime_type)}
	if info.last_modified >= 0 {
		found.LastModified = time.Unix(int64(info.last_modified), 0)
	}
	return found, nil
}

// DeleteFile deletes an object. If there is no such object, the error's HTTPStatus is 404.
func (c *Client) DeleteFile(ctx context.Context, key string) error {
	run := func() (*Result, error) { return c.delete(key) }
	_, err := call(ctx, c, fmt.Sprintf("DeleteFile %q", key), run, nil)
	return err
}

func (c *Client) delete(key string) (*Result, error) {
	var texts cStrings
	defer texts.free()
	name := texts.of("key", key)
	if texts.err != nil {
		return nil, texts.err
	}
	result := C.us3_go_result()
	C.us3_delete_file(c.handle, name, &result)
	return take(&result)
}
