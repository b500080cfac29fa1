package us3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"libus3/us3"
)

// An upload in parts, 20 at a time, after which US3 calls a service of yours.
func Example() {
	client, err := us3.NewClientFromFile("config.json")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	policy, err := us3.BuildPolicy(os.Getenv("CALLBACK_URL"), `{"Name":"Alice"}`, "application/json", nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	result, err := client.AsyncUploadWithPolicy(ctx, "video.mp4", "videos/1.mp4", "", 20, policy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.ObjectState, "and", result.CallbackState)
	// Output: stored and delivered
}

// What an error tells.
func ExampleError() {
	client, err := us3.NewClientFromFile("config.json")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Nobody listens there.
	policy, err := us3.BuildPolicy("http://127.0.0.1:9/", "{}", "application/json", nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.PutFileWithPolicy(context.Background(), "video.mp4", "videos/2.mp4", "", policy)
	var e *us3.Error
	if errors.As(err, &e) {
		fmt.Println(e.Status, e.RetCode)
		fmt.Println("object", e.ObjectState, "- callback", e.CallbackState)
	}
	// Output:
	// US3_CALLBACK_FAILED 20003
	// object stored - callback not delivered
}

// A stream of unknown length, with progress.
func ExampleClient_Upload() {
	client, err := us3.NewClientFromFile("config.json")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var sent int64
	_, err = client.Upload(context.Background(), us3.Request{
		Key:      "logs/today",
		Reader:   io.LimitReader(strings.NewReader("whatever comes"), 1<<30),
		Metadata: map[string]string{"source": "example"},
		Progress: func(p us3.Progress) { sent = p.Acknowledged },
	})
	fmt.Println(sent, err)
	// Output: 14 <nil>
}

// Many uploads at once, without a goroutine or a thread for each.
func ExampleClient_Start() {
	client, err := us3.NewClientFromFile("config.json")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var tasks []*us3.Task
	for i := 0; i < 100; i++ {
		task, err := client.Start(us3.Request{Key: fmt.Sprint("many/", i), FilePath: "config.json"})
		if err != nil {
			log.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	stored := 0
	for _, task := range tasks {
		if _, err := task.Wait(context.Background()); err == nil {
			stored++
		}
	}
	fmt.Println(stored, "stored")
	// Output: 100 stored
}

// A multipart upload, part by part.
func ExampleClient_FinishMultipartUploadWithPolicy() {
	ctx := context.Background()
	client, err := us3.NewClientFromFile("config.json")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	file, err := os.Open("video.mp4")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	state, err := client.InitiateMultipartUpload(ctx, "videos/3.mp4", "")
	if err != nil {
		log.Fatal(err)
	}
	defer state.Close()

	part := make([]byte, state.PartSize())
	for number := 0; err == nil; number++ {
		var n int
		n, err = io.ReadFull(file, part)
		if n > 0 {
			if _, err := client.UploadPart(ctx, part[:n], state, number); err != nil {
				log.Fatal(err)
			}
		}
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		log.Fatal(err)
	}
	policy, err := us3.BuildPolicy(os.Getenv("CALLBACK_URL"), "Name=$(x:name)", "", map[string]string{"x:name": "Alice"})
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.FinishMultipartUploadWithPolicy(ctx, state, policy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.CallbackState)
	// Output: delivered
}
