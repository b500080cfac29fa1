package us3

// What a client is made from.

// #include "bridge.h"
import "C"

import (
	"fmt"
	"math"
	"time"
)

// Config is what a Client is made from. PublicKey, PrivateKey, BucketName, and FileHost or Endpoint, are
// required; the zero value of everything else is its default.
type Config struct {
	PublicKey  string
	PrivateKey string // never logged, and wiped from the library's memory
	// SecurityToken is that of temporary (STS) credentials.
	SecurityToken string
	BucketName    string
	// FileHost is the region's host, such as "cn-bj.ufileos.com", with or without a scheme.
	FileHost string
	// Endpoint is a custom domain, such as "https://files.example.com". It wins over FileHost.
	Endpoint string

	// VerifyUploadMD5 sends a Content-MD5 for the service to check; a PutFile then reads its file twice.
	VerifyUploadMD5 bool
	// IgnoreETag leaves out the comparison of the ETag with what was sent.
	IgnoreETag bool

	ConnectTimeout  time.Duration // to connect, TLS included; 10 s
	IdleTimeout     time.Duration // in which no byte of a request can be sent; 30 s
	ResponseTimeout time.Duration // from the end of a request to its answer; the callback runs in it; 60 s
	SettleTimeout   time.Duration // to find out what became of a PutFile or finish whose answer was lost; 5 s

	// MaxRetries is how often a request that can safely be repeated is sent again: 0 is 3, -1 is never.
	MaxRetries int
	// WorkerThreads do the work, 1 to 256; 0 is 2.
	WorkerThreads int
	// MaxConcurrentUploads run at the same time, further ones wait for their turn. 1 to 4096; 0 is 32.
	MaxConcurrentUploads int

	// Proxy is such as "http://10.0.0.1:3128".
	Proxy string
	// UseEnvProxy takes the proxy from HTTP_PROXY and so on if there is none here.
	UseEnvProxy bool
	// CAFile is a PEM file with the certificates to trust instead of the system's.
	CAFile string

	// CallbackAtLeastOnce repeats a request with a policy whose answer was lost: its callback may then run
	// twice, but is not missed.
	CallbackAtLeastOnce bool
}

// String shows no secret.
func (c Config) String() string {
	where := c.Endpoint
	if where == "" {
		where = c.FileHost
	}
	return fmt.Sprintf("us3.Config{BucketName: %q at %q}", c.BucketName, where)
}

// GoString shows no secret.
func (c Config) GoString() string {
	return c.String()
}

// forC is the same in C, with strings that live as long as texts.
func (c Config) forC(texts *cStrings) (C.us3_config, error) {
	numbers := cNumbers{}
	config := C.us3_go_config()
	config.public_key = texts.of("PublicKey", c.PublicKey)
	config.private_key = texts.of("PrivateKey", c.PrivateKey)
	config.security_token = texts.of("SecurityToken", c.SecurityToken)
	config.bucket_name = texts.of("BucketName", c.BucketName)
	config.file_host = texts.of("FileHost", c.FileHost)
	config.endpoint = texts.of("Endpoint", c.Endpoint)
	config.proxy = texts.of("Proxy", c.Proxy)
	config.ca_file = texts.of("CAFile", c.CAFile)
	config.verify_upload_md5 = C.bool(c.VerifyUploadMD5)
	config.verify_etag = C.bool(!c.IgnoreETag)
	config.use_env_proxy = C.bool(c.UseEnvProxy)
	config.callback_at_least_once = C.bool(c.CallbackAtLeastOnce)
	config.connect_timeout_ms = numbers.milliseconds("ConnectTimeout", c.ConnectTimeout)
	config.idle_timeout_ms = numbers.milliseconds("IdleTimeout", c.IdleTimeout)
	config.response_timeout_ms = numbers.milliseconds("ResponseTimeout", c.ResponseTimeout)
	config.settle_timeout_ms = numbers.milliseconds("SettleTimeout", c.SettleTimeout)
	config.worker_threads = numbers.count("WorkerThreads", c.WorkerThreads)
	config.max_concurrent_uploads = numbers.count("MaxConcurrentUploads", c.MaxConcurrentUploads)
	switch {
	case c.MaxRetries == -1:
		config.max_retries = 0
	case c.MaxRetries != 0:
		config.max_retries = numbers.count("MaxRetries", c.MaxRetries)
	}
	if texts.err != nil {
		return config, texts.err
	}
	return config, numbers.err
}

// cNumbers are Go numbers for C. The first one that does not fit is remembered in err.
type cNumbers struct {
	err error
}

func (n *cNumbers) count(name string, value int) C.uint32_t {
	if value < 0 || uint64(value) > math.MaxUint32 {
		n.refuse(fmt.Sprintf("%s is %d, which is out of range", name, value))
		return 0
	}
	return C.uint32_t(value)
}

// milliseconds rounds up: a limit of less than a millisecond is not the default.
func (n *cNumbers) milliseconds(name string, value time.Duration) C.uint32_t {
	whole := roundUp(value)
	if whole < 0 || whole > math.MaxUint32 {
		n.refuse(fmt.Sprintf("%s is %v, which is out of range", name, value))
		return 0
	}
	return C.uint32_t(whole)
}

func (n *cNumbers) refuse(message string) {
	if n.err == nil {
		n.err = &Error{Status: StatusInvalidConfig, Message: message}
	}
}

// roundUp gives milliseconds.
func roundUp(value time.Duration) int64 {
	whole := value.Milliseconds()
	if value > time.Duration(whole)*time.Millisecond {
		whole++
	}
	return whole
}
