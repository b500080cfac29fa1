// Package us3 uploads files, memory and streams to UCloud US3 object storage, and has US3 call a service
// of yours once an object is stored (an upload callback, asked for with a put policy).
//
// It is libus3 for Go: the package calls the C library through cgo, and uploads run on the library's own
// threads. An upload costs the Go program neither a thread nor a goroutine, whether it takes a second or
// a day: one goroutine waits for all of them, and only while there are any. (A Reader has a thread of the library
// while a Read is in progress.) It is for Linux.
//
//	client, err := us3.NewClientFromFile("config.json")
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	result, err := client.AsyncUploadWithPolicy(ctx, "a.mp4", "videos/a.mp4", "", 20, policy)
//	if err != nil {
//		return err
//	}
//	fmt.Printf("stored; the callback service answered %s\n", result.Body)
//
// # Building
//
// The package needs cgo, a C compiler, pkg-config, and an installed libus3, which it finds through us3.pc.
// If that is not on pkg-config's own path, say where it is:
//
//	export PKG_CONFIG_PATH=/opt/us3/lib/pkgconfig
//
// The program then finds libus3.so where the dynamic loader looks; for a prefix of your own, link with
//
//	export CGO_LDFLAGS="-Wl,-rpath,/opt/us3/lib"
//
// The module is used from where it lies, since it must be the one of the library's version:
//
//	go mod edit -require=libus3/us3@v0.0.0 -replace=libus3/us3=/path/to/libus3/bindings/go
//
// after which import "libus3/us3" works, and so does go mod vendor.
//
// # Errors
//
// What the library or the service refuses is an *Error, found with errors.As. It says what failed, whether
// the object is stored, and whether the callback ran:
//
//	var e *us3.Error
//	if errors.As(err, &e) && e.ObjectState == us3.ObjectStored {
//		// Stored, but something else failed; e.Status says what. Do not upload again.
//	}
//
// errors.Is finds context.Canceled and context.DeadlineExceeded, the error of an io.Reader, and what the
// operating system said, such as fs.ErrNotExist. [Error.Describe] says all that is known, in words.
//
// # Policies
//
// A call whose name ends in WithPolicy needs a policy: "" is StatusInvalidPolicy, so that an empty setting
// does not drop a callback in silence. For an upload without a callback, use the call without the suffix.
// In a [Request], a nil Policy is no callback, and a pointer to "" is refused.
//
// # Contexts
//
// A context that ends cancels the upload: nothing more of it is sent within 100 ms, and a multipart upload is
// aborted. The call returns once that has been tidied up, usually at once and at most 10 s later, because only
// then is it known what is stored. It also waits for a Read of the source that is in progress.
// HeadFile, DeleteFile, AbortUpload and the calls of a multipart upload by hand return as soon as the context ends; a request
// that was already on its way goes on in the background, bounded by the time limits of [Config]. Each of these calls needs a
// thread while it runs: 64 run at a time in a process, further ones wait for their turn.
//
// # Callbacks into Go
//
// Readers, progress functions and loggers are called on threads of the library. A panic (panic(nil) too) in a Reader or a
// progress function ends its upload, whose error is a *PanicError; one in a logger is dropped. They must not
// end their goroutine with runtime.Goexit, which is what t.FailNow does. Calls that wait, Close included, return
// StatusWouldDeadlock in them; Start, Task.Cancel and Task.Progress are allowed.
//
// # Strings
//
// Strings are UTF-8, file paths are bytes; a string that holds a NUL byte is refused, never cut short.
package us3
