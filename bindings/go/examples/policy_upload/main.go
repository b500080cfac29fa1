// Uploads with a callback: the five WithPolicy operations, one after the other.
//
//	policy_upload CONFIG FILE CALLBACK_URL
//	policy_upload -callback-down CONFIG FILE DEAD_URL
//
// CONFIG is the JSON file with the keys, the bucket and its host. CALLBACK_URL must be reachable from US3, and answer
// JSON; examples-c/callback_service.c is such a service. Each object is deleted again. Ctrl-C cancels.
//
// -callback-down shows what a program sees when nobody listens at the callback's URL: the object is stored, and
// the error says so, with RetCode 20003. It succeeds when that is what happens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"libus3/us3"
)

// job is what every operation needs.
type job struct {
	client                  *us3.Client
	path, key               string
	jsonPolicy, queryPolicy string
}

func main() {
	log.SetFlags(0)
	down := flag.Bool("callback-down", false, "expect that nobody listens at the callback's URL")
	flag.Parse()
	if flag.NArg() != 3 {
		log.Fatal("usage: policy_upload [-callback-down] CONFIG FILE CALLBACK_URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if err := run(ctx, flag.Arg(0), flag.Arg(1), flag.Arg(2), *down); err != nil {
		log.Fatal(explain(err))
	}
}

func run(ctx context.Context, config, path, url string, down bool) error {
	client, err := us3.NewClientFromFile(config)
	if err != nil {
		return err
	}
	defer client.Close()
	// A key of its own, since the object is deleted afterwards.
	job := job{client: client, path: path, key: fmt.Sprint("libus3-go-example-", time.Now().UnixNano())}
	if job.jsonPolicy, err = us3.BuildPolicy(url, `{"Name":"Alice", "Age":20}`, "application/json", nil); err != nil {
		return err
	}
	vars := map[string]string{"x:name": "Alice", "x:age": "20"}
	if job.queryPolicy, err = us3.BuildPolicy(url, "Name=$(x:name)&Age=$(x:age)", "", vars); err != nil {
		return err
	}
	if down {
		return job.callbackDown(ctx)
	}
	return job.allFive(ctx)
}

func (j *job) allFive(ctx context.Context) error {
	c := j.client
	operations := []struct {
		name   string
		upload func() (*us3.Result, error)
	}{
		{"PutFileWithPolicy", func() (*us3.Result, error) {
			return c.PutFileWithPolicy(ctx, j.path, j.key, "", j.jsonPolicy)
		}},
		{"MPutWithPolicy, one part at a time", func() (*us3.Result, error) {
			return c.MPutWithPolicy(ctx, j.path, j.key, "", j.jsonPolicy)
		}},
		{"AsyncMPutWithPolicy, 10 parts at a time", func() (*us3.Result, error) {
			return c.AsyncMPutWithPolicy(ctx, j.path, j.key, "", j.queryPolicy)
		}},
		{"AsyncUploadWithPolicy, 20 parts at a time", func() (*us3.Result, error) {
			return c.AsyncUploadWithPolicy(ctx, j.path, j.key, "", 20, j.queryPolicy)
		}},
		{"FinishMultipartUploadWithPolicy, parts sent by hand", func() (*us3.Result, error) {
			return j.byHand(ctx)
		}},
	}
	for _, operation := range operations {
		result, err := operation.upload()
		if err != nil {
			return fmt.Errorf("%s: %w", operation.name, err)
		}
		fmt.Printf("\n%s\n  ETag   %s\n  reply  %s\n", operation.name, result.ETag, result.Body)
		if err := c.DeleteFile(ctx, j.key); err != nil {
			return err
		}
	}
	return nil
}

// byHand sends the file as parts 0, 1, 2 … of the size that the service asks for, and joins them.
func (j *job) byHand(ctx context.Context) (*us3.Result, error) {
	file, err := os.Open(j.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	state, err := j.client.InitiateMultipartUpload(ctx, j.key, "")
	if err != nil {
		return nil, err
	}
	defer state.Close()

	if err := j.sendParts(ctx, state, file); err != nil {
		// Its parts would stay, and cost: it is aborted even when ctx has ended.
		if abortErr := j.client.AbortMultipartUpload(context.Background(), state); abortErr != nil {
			log.Print(explain(abortErr))
		}
		return nil, err
	}
	return j.client.FinishMultipartUploadWithPolicy(ctx, state, j.queryPolicy)
}

func (j *job) sendParts(ctx context.Context, state *us3.MultipartState, file io.Reader) error {
	part := make([]byte, state.PartSize())
	for number := 0; ; number++ {
		n, err := io.ReadFull(file, part)
		if n > 0 {
			if _, err := j.client.UploadPart(ctx, part[:n], state, number); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return err
		}
	}
}

// callbackDown succeeds when the upload ends as it must when nobody listens at the callback's URL.
func (j *job) callbackDown(ctx context.Context) error {
	_, err := j.client.PutFileWithPolicy(ctx, j.path, j.key, "", j.jsonPolicy)
	var e *us3.Error
	if !errors.As(err, &e) || e.Status != us3.StatusCallbackFailed || e.ObjectState != us3.ObjectStored || e.RetCode != 20003 {
		return fmt.Errorf("that is not what happens when nobody listens at the callback's URL: %v", err)
	}
	fmt.Println(e.Describe())
	return j.client.DeleteFile(ctx, j.key)
}

// explain says all that is known.
func explain(err error) string {
	var e *us3.Error
	if errors.As(err, &e) {
		return err.Error() + "\n" + e.Describe()
	}
	return err.Error()
}
