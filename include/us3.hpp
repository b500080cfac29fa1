/// @file us3.hpp
/// libus3 for C++17: the whole of us3.h with RAII, exceptions or results, std::future and lambdas.
///
/// Header-only; link with -lus3. us3.h is the manual of what happens; this file says what C++ adds.
///
///     us3::Client client = us3::Client::from_file("config.json");
///     std::string policy = us3::PolicyBuilder("https://example.com/uploaded")
///                              .body(R"({"key":"a.jpg"})", "application/json").build();
///     us3::Result result = client.async_upload_with_policy("a.jpg", "photos/a.jpg", "", 20, policy);
///     std::cout << result.etag << ' ' << result.body << '\n';
///
/// Errors. Each function that can fail comes twice: as above it throws us3::Error; with std::nothrow as
/// its first argument it never throws, and returns a Result, or an Outcome that has a value or tells why not.
///
/// Strings are UTF-8 in std::string_view, and copied when C needs a NUL behind them. One with a NUL inside is
/// US3_INVALID_ARGUMENT, never cut off. Where us3.h says "NULL or \"\"", give "". A policy is a
/// std::optional: std::nullopt is no callback, "" is US3_INVALID_POLICY.
///
/// Ownership. Client, Multipart, Task and Queue own a handle, can be moved but not copied, and free it when they
/// are destroyed. One that was moved from is US3_INVALID_ARGUMENT to use. get() lends the handle of
/// us3.h for anything else.
///
/// Threads. As us3.h says: any number of threads may use one Client, Task, Queue or Multipart (moving and destroying
/// excepted). A Request, Config or Result is a plain value: one thread at a time.
///
/// Functions of yours run on threads of the library. An exception that leaves one never reaches the library. It
/// cancels the upload and is kept: the throwing calls throw it on when the upload fails, and
/// Result::exception holds it in any case. In them, blocking functions are US3_WOULD_DEADLOCK; and never wait
/// for a future in one.
///
/// It needs exceptions: not for programs with -fno-exceptions.

#ifndef US3_HPP
#define US3_HPP

#include <us3.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <istream>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace us3 {

/// How a call ended: US3_OK and so on.
using Status = us3_status;
/// Whether the object is stored: US3_OBJECT_STORED and so on.
using ObjectState = us3_object_state;
/// Whether the upload callback ran: US3_CALLBACK_DELIVERED and so on.
using CallbackState = us3_callback_state;
/// How the content travels: US3_MODE_AUTO and so on.
using Mode = us3_mode;
/// How much is logged: US3_LOG_INFO and so on.
using LogLevel = us3_log_level;
/// How far an upload is, in bytes, parts and milliseconds.
using Progress = us3_progress;

/// The version of the library that is loaded, such as "1.2.3". Any thread. Does not block.
inline std::string_view version() noexcept { return us3_version(); }

/// The name of a status, such as "US3_OK". Any thread. Does not block.
inline std::string_view status_name(std::int32_t status) noexcept { return us3_status_name(status); }

/// The name of an object state, such as "US3_OBJECT_STORED". Any thread. Does not block.
inline std::string_view object_state_name(std::int32_t object_state) noexcept
{
    return us3_object_state_name(object_state);
}

/// The name of a callback state, such as "US3_CALLBACK_DELIVERED". Any thread. Does not block.
inline std::string_view callback_state_name(std::int32_t callback_state) noexcept
{
    return us3_callback_state_name(callback_state);
}

/// What became of a call: the members of us3_result, as values of its own. Strings are empty where us3.h says NULL.
struct Result {
    /// How the call ended.
    Status status = US3_OK;
    /// HTTP status of the service's last answer, 0 if there was none.
    std::int32_t http_status = 0;
    /// RetCode of the service's last answer, 0 if there was none.
    std::int32_t ret_code = 0;
    /// errno of the system call that failed, 0 if none did.
    std::int32_t os_error = 0;
    /// Whether this call left the object in the bucket.
    ObjectState object_state = US3_OBJECT_NOT_STORED;
    /// Whether the upload callback ran.
    CallbackState callback_state = US3_CALLBACK_NOT_REQUESTED;
    /// 1 + the requests that had to be sent again; 0 if nothing was sent.
    std::uint32_t attempts = 0;
    /// Parts that an earlier run of a resumable upload had sent, and that were not sent again.
    std::uint32_t parts_resumed = 0;
    /// Bytes of content that left, including those that were sent again.
    std::uint64_t bytes_sent = 0;
    /// What failed, on what, why, and what to do: one line for a log.
    std::string err_msg;
    /// X-SessionId of the service's last answer: quote it to support.
    std::string session_id;
    /// The object's (or part's) ETag, without quotes.
    std::string etag;
    /// The multipart upload that the call was about; after a failure, one that still exists.
    std::string upload_id;
    /// The service's last answer, byte for byte; on success with a policy, the callback's reply.
    std::string body;
    /// What else is worth knowing, on success too.
    std::string note;
    /// What a function of yours threw during the upload; the first, if there were more. It may be set although
    /// the upload succeeded: when it was thrown too late to cancel it.
    std::exception_ptr exception;

    /// Whether the call succeeded.
    bool ok() const noexcept { return status == US3_OK; }
    /// Whether the call succeeded.
    explicit operator bool() const noexcept { return ok(); }

    /// One readable paragraph for people: what happened, what is stored, what to do. Does not block.
    std::string describe() const;
};

/// A call that failed, thrown by every call that is not given std::nothrow. what() is Result::describe.
class Error : public std::runtime_error {
public:
    /// Of a result, whose status is not US3_OK.
    explicit Error(Result result)
        : std::runtime_error(result.describe()), result_(std::make_shared<const Result>(std::move(result)))
    {
    }

    /// Everything that is known. It lives as long as this or a copy of it.
    const Result &result() const noexcept { return *result_; }
    /// Why.
    Status status() const noexcept { return result_->status; }
    /// HTTP status of the service's last answer, 0 if there was none.
    std::int32_t http_status() const noexcept { return result_->http_status; }
    /// RetCode of the service's last answer, 0 if there was none.
    std::int32_t ret_code() const noexcept { return result_->ret_code; }
    /// errno of the system call that failed, 0 if none did.
    std::int32_t os_error() const noexcept { return result_->os_error; }
    /// Whether the object is stored.
    ObjectState object_state() const noexcept { return result_->object_state; }
    /// Whether the upload callback ran.
    CallbackState callback_state() const noexcept { return result_->callback_state; }
    /// What to quote to support.
    const std::string &session_id() const noexcept { return result_->session_id; }
    /// A multipart upload that still exists with the service.
    const std::string &upload_id() const noexcept { return result_->upload_id; }
    /// The object's ETag, if it is known.
    const std::string &etag() const noexcept { return result_->etag; }
    /// The service's last answer, byte for byte.
    const std::string &body() const noexcept { return result_->body; }

private:
    std::shared_ptr<const Result> result_;
};

/// A value, or the reason why there is none: what calls with std::nothrow return.
template <typename T> struct Outcome {
    /// What became of the call.
    Result result;
    /// Has a value if, and only if, result is ok.
    std::optional<T> value;

    /// Whether there is a value.
    explicit operator bool() const noexcept { return value.has_value(); }
};

/// Not part of the interface.
namespace detail {

inline void copy_text(std::string &to, const char *from, std::size_t len) noexcept
{
    try {
        to.assign(from, len);
    } catch (...) {
        // The numbers matter more than a text that memory is missing for.
    }
}

inline void copy_text(std::string &to, const char *from) noexcept
{
    if (from != nullptr)
        copy_text(to, from, std::char_traits<char>::length(from));
}

inline Result copy(const us3_result &from) noexcept
{
    Result to;
    to.status = static_cast<Status>(from.status);
    to.http_status = from.http_status;
    to.ret_code = from.ret_code;
    to.os_error = from.os_error;
    to.object_state = static_cast<ObjectState>(from.object_state);
    to.callback_state = static_cast<CallbackState>(from.callback_state);
    to.attempts = from.attempts;
    to.parts_resumed = from.parts_resumed;
    to.bytes_sent = from.bytes_sent;
    copy_text(to.err_msg, from.err_msg);
    copy_text(to.session_id, from.session_id);
    copy_text(to.etag, from.etag);
    copy_text(to.upload_id, from.upload_id);
    if (from.body != nullptr)
        copy_text(to.body, from.body, from.body_len);
    copy_text(to.note, from.note);
    return to;
}

inline Result failure(Status status, const char *why) noexcept
{
    Result result;
    result.status = status;
    copy_text(result.err_msg, why);
    return result;
}

/// For library calls: the C struct, cleared at the end.
class Raw {
public:
    Raw() = default;
    Raw(const Raw &) = delete;
    Raw &operator=(const Raw &) = delete;
    ~Raw() { us3_result_clear(&raw_); }
    us3_result *get() noexcept { return &raw_; }
    Result take() const noexcept { return copy(raw_); }

private:
    us3_result raw_ = US3_RESULT_INIT;
};

/// What an error says, as far as there is memory for it.
inline Result result_of(const Error &error) noexcept
{
    try {
        return error.result();
    } catch (...) {
        return failure(error.status(), error.result().err_msg.c_str());
    }
}

/// Calls a function that returns a Result; what it throws becomes one.
template <typename F> Result guarded(F function) noexcept
{
    try {
        return function();
    } catch (const Error &refused) {
        return result_of(refused);
    } catch (...) {
        return failure(US3_INTERNAL_ERROR, "out of memory");
    }
}

/// Calls function(us3_result *) and returns what became of it.
template <typename F> Result call(F function) noexcept
{
    return guarded([&] {
        Raw raw;
        function(raw.get());
        return raw.take();
    });
}

/// Throws what a failed call has to throw.
inline Result check(Result result)
{
    if (result.ok())
        return result;
    if (result.exception)
        std::rethrow_exception(result.exception);
    throw Error(std::move(result));
}

template <typename T> T check(Outcome<T> outcome)
{
    check(std::move(outcome.result));
    return std::move(*outcome.value);
}

/// Throws an Error if a text holds a NUL, at which C would cut it off.
inline void refuse_nul(std::string_view text, const char *name)
{
    const std::size_t at = text.find('\0');
    if (at != std::string_view::npos)
        throw Error(failure(US3_INVALID_ARGUMENT,
                            (std::string(name) + " has a NUL at offset " + std::to_string(at) +
                             ": nothing was sent. Give it without the NUL")
                                .c_str()));
}

/// A text with a NUL behind it; NULL without one.
class CText {
public:
    CText(const char *name, std::optional<std::string_view> text)
    {
        if (!text)
            return;
        refuse_nul(*text, name);
        text_.emplace(*text);
    }
    const char *get() const noexcept { return text_ ? text_->c_str() : nullptr; }

private:
    std::optional<std::string> text_;
};

/// A std::string as it stands, once it is known to hold no NUL.
inline const char *lend(const std::string &text, const char *name)
{
    refuse_nul(text, name);
    return text.c_str();
}

/// Milliseconds of a std::chrono duration as C takes them.
template <typename T> T milliseconds(std::chrono::milliseconds time, Status status, const char *name)
{
    const auto count = time.count();
    if (count < 0 || static_cast<std::uintmax_t>(count) > std::numeric_limits<T>::max())
        throw Error(
            failure(status, (std::string(name) + " is out of range: " + std::to_string(count) + " ms").c_str()));
    return static_cast<T>(count);
}

template <typename T, void (*Free)(T *)> struct Freer {
    void operator()(T *handle) const noexcept { Free(handle); }
};

template <typename T, void (*Free)(T *)> using Handle = std::unique_ptr<T, Freer<T, Free>>;

/// Pairs of names and values as C takes them.
class CHeaders {
public:
    CHeaders(const std::vector<std::pair<std::string, std::string>> &pairs, const char *what)
    {
        for (const auto &[name, value] : pairs)
            headers_.push_back({lend(name, what), lend(value, what)});
    }
    const us3_header *data() const noexcept { return headers_.empty() ? nullptr : headers_.data(); }
    std::size_t size() const noexcept { return headers_.size(); }

private:
    std::vector<us3_header> headers_;
};

} // namespace detail

inline std::string Result::describe() const
{
    // us3_result_describe only reads; the const_casts are C's lack of a const struct with const members.
    const auto lend = [](const std::string &text) { return text.empty() ? nullptr : const_cast<char *>(text.c_str()); };
    us3_result raw = US3_RESULT_INIT;
    raw.status = status;
    raw.http_status = http_status;
    raw.ret_code = ret_code;
    raw.os_error = os_error;
    raw.object_state = object_state;
    raw.callback_state = callback_state;
    raw.attempts = attempts;
    raw.bytes_sent = bytes_sent;
    raw.err_msg = lend(err_msg);
    raw.session_id = lend(session_id);
    raw.etag = lend(etag);
    raw.upload_id = lend(upload_id);
    raw.body = lend(body);
    raw.body_len = body.size();
    raw.parts_resumed = parts_resumed;
    raw.note = lend(note);
    const std::unique_ptr<char, detail::Freer<char, us3_string_free>> text(us3_result_describe(&raw));
    return text ? text.get() : std::string(us3_status_name(status));
}

/// Collects the ends of tasks, of any number and of any clients, behind one descriptor. It may be destroyed before its
/// tasks, which go on without it.
class Queue {
public:
    /// An empty queue. Does not block. Throws Error: US3_INTERNAL_ERROR if the process has no descriptor left.
    Queue() : Queue(detail::check(make(std::nothrow))) {}
    /// The same without exceptions.
    static Outcome<Queue> make(std::nothrow_t) noexcept
    {
        us3_queue *queue = nullptr;
        Outcome<Queue> outcome;
        outcome.result = detail::call([&](us3_result *result) { us3_queue_new(&queue, result); });
        if (queue != nullptr)
            outcome.value = Queue(queue);
        return outcome;
    }

    /// A descriptor that is readable while there are ends, for poll and event loops. It belongs to the queue.
    int fd() const noexcept { return us3_queue_fd(handle_.get()); }

    /// The next task that has ended, in the order of the ends: the get() of its Task, which stays its owner. nullptr if
    /// none has ended in this time; 0 only looks. A task is handed out once, and not after it was destroyed. Blocks.
    /// Throws Error.
    us3_task *next(std::chrono::milliseconds time)
    {
        Outcome<us3_task *> outcome = next(std::nothrow, time);
        if (outcome.result.status == US3_PENDING)
            return nullptr;
        return detail::check(std::move(outcome));
    }
    /// The same without exceptions; the status is US3_PENDING if none has ended.
    Outcome<us3_task *> next(std::nothrow_t, std::chrono::milliseconds time) noexcept
    {
        us3_task *task = nullptr;
        Outcome<us3_task *> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            us3_queue_next(handle_.get(), time.count() < 0 ? 0 : static_cast<std::int64_t>(time.count()), &task, result);
        });
        if (task != nullptr)
            outcome.value = task;
        return outcome;
    }

    /// The handle of us3.h, which stays the queue's.
    us3_queue *get() const noexcept { return handle_.get(); }

private:
    explicit Queue(us3_queue *queue) noexcept : handle_(queue) {}

    detail::Handle<us3_queue, us3_queue_free> handle_;
};

/// Names and values: metadata of an object, or variables of a policy.
using Headers = std::vector<std::pair<std::string, std::string>>;

// ---- put policies ---------------------------------------------------------------------------------

/// Builds a put policy, with everything escaped as it must be.
class PolicyBuilder {
public:
    /// url: where US3 sends the callback, http or https.
    explicit PolicyBuilder(std::string_view url) : url_(url) {}

    /// What US3 sends. With a type, such as "application/json", as the body of a POST; without, as the query of
    /// the URL. $(x:name) stands for the variable x:name.
    PolicyBuilder &body(std::string_view text, std::string_view type = {})
    {
        body_ = text;
        type_ = type;
        return *this;
    }

    /// A variable for $(x:name) in the body, with a name such as "x:name".
    PolicyBuilder &var(std::string_view name, std::string_view value)
    {
        vars_.emplace_back(name, value);
        return *this;
    }

    /// The policy as compact JSON, for the uploads. Does not block. Throws Error: US3_INVALID_POLICY (not an
    /// http URL, a variable that is missing, too long), US3_INVALID_ARGUMENT (a NUL, or not UTF-8).
    std::string build() const { return detail::check(build(std::nothrow)); }

    /// The same without exceptions.
    Outcome<std::string> build(std::nothrow_t) const noexcept
    {
        Outcome<std::string> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            const detail::CHeaders vars(vars_, "a variable of the policy");
            const std::unique_ptr<char, detail::Freer<char, us3_string_free>> json(
                us3_policy_build(detail::lend(url_, "url"), detail::lend(body_, "body"),
                                 detail::lend(type_, "body_type"), vars.data(), vars.size(), result));
            if (json)
                outcome.value.emplace(json.get());
        });
        return outcome;
    }

private:
    std::string url_, body_, type_;
    Headers vars_;
};

/// Checks a put policy as the uploads do before they send anything. Any thread. Does not block.
inline Result policy_check(std::nothrow_t, std::string_view policy_json) noexcept
{
    return detail::call(
        [&](us3_result *result) { us3_policy_check(detail::CText("policy_json", policy_json).get(), result); });
}

/// The same; throws Error, whose message says what is wrong where.
inline void policy_check(std::string_view policy_json) { detail::check(policy_check(std::nothrow, policy_json)); }

// ---- the log --------------------------------------------------------------------------------------

/// Takes a line of the log. It must be quick and must not block; it runs on several threads at once. What it
/// throws is dropped.
using Logger = std::function<void(LogLevel level, std::string_view line)>;

namespace detail {

/// The logger that is set. Never destroyed: threads of the library may log while the process ends.
struct LoggerSlot {
    std::mutex changing;
    std::unique_ptr<Logger> logger;

    static LoggerSlot &get()
    {
        static LoggerSlot *const slot = new LoggerSlot;
        return *slot;
    }
};

/// Whether this thread is in the logger, where the lock above must not be waited for.
inline bool &in_logger() noexcept
{
    static thread_local bool inside = false;
    return inside;
}

inline void log_line(std::int32_t level, const char *line, void *user_data) noexcept
{
    in_logger() = true;
    try {
        (*static_cast<Logger *>(user_data))(static_cast<LogLevel>(level), line);
    } catch (...) {
        // There is nobody to tell.
    }
    in_logger() = false;
}

} // namespace detail

/// Sets where the log of all clients goes; an empty function, or US3_LOG_OFF, switches it off. The function is
/// kept until another is set, which waits until it is not running any more. Any thread, but in the logger itself
/// it is US3_WOULD_DEADLOCK.
inline Result set_logger(std::nothrow_t, LogLevel level, Logger logger) noexcept
{
    if (detail::in_logger())
        return detail::failure(US3_WOULD_DEADLOCK, "set_logger was called in the logger: call it elsewhere");
    return detail::guarded([&] {
        auto &slot = detail::LoggerSlot::get();
        // At the end it holds the old one, which goes after the lock: what its function holds may set a logger then.
        auto next = logger ? std::make_unique<Logger>(std::move(logger)) : nullptr;
        const std::lock_guard<std::mutex> lock(slot.changing);
        const Status status = us3_set_logger(level, next ? detail::log_line : nullptr, next.get());
        if (status != US3_OK)
            return detail::failure(status, "set_logger: level is out of range, or a Rust program has set its own logger");
        slot.logger.swap(next);
        return Result();
    });
}

/// The same; throws Error.
inline void set_logger(LogLevel level, Logger logger)
{
    detail::check(set_logger(std::nothrow, level, std::move(logger)));
}

// ---- configuration --------------------------------------------------------------------------------

/// What a client is made from: the members of us3_config. It is copied; this copy of the private key is yours to
/// protect.
struct Config {
    /// Required. The public key of the API or token.
    std::string public_key;
    /// Required. The private key that belongs to it.
    std::string private_key;
    /// The token of temporary (STS) credentials.
    std::string security_token;
    /// Required. The bucket.
    std::string bucket_name;
    /// Region host, e.g. "cn-bj.ufileos.com". It or endpoint is required.
    std::string file_host;
    /// A custom domain, e.g. "https://files.example.com". Wins over file_host.
    std::string endpoint;
    /// A proxy, e.g. "http://10.0.0.1:3128".
    std::string proxy;
    /// Path of a PEM file with the certificates to trust instead of the system's.
    std::string ca_file;
    /// Send a Content-MD5 for the service to check.
    bool verify_upload_md5 = false;
    /// Compare the ETag that the service answers with the one computed.
    bool verify_etag = true;
    /// Take the proxy from the environment if none is set here.
    bool use_env_proxy = false;
    /// Repeat a request with a policy whose answer was lost, although its callback may have run.
    bool callback_at_least_once = false;
    /// Time to connect, TLS included. 0 is the default, 10 s.
    std::chrono::milliseconds connect_timeout{0};
    /// Time in which no byte of a request can be sent. 0 is the default, 30 s.
    std::chrono::milliseconds idle_timeout{0};
    /// Time to wait for the beginning of an answer, and again for all of it. 0 is the default, 60 s.
    std::chrono::milliseconds response_timeout{0};
    /// Time to find out what became of a PutFile or finish whose answer was lost. 0 is the default, 5 s.
    std::chrono::milliseconds settle_timeout{0};
    /// How often a request that can safely be repeated is sent again; 0 is never.
    std::uint32_t max_retries = 3;
    /// Threads of the client, 1 to 256. 0 is the default, 2.
    std::uint32_t worker_threads = 0;
    /// Uploads that run at the same time, 1 to 4096. 0 is the default, 32.
    std::uint32_t max_concurrent_uploads = 0;
};

// ---- uploads --------------------------------------------------------------------------------------

/// A source: writes at most capacity bytes to buffer and returns how many; 0 is the end. It may block, and may run
/// at the same time as on_progress. To fail, throw: the upload ends with US3_FILE_ERROR, and os_error is the
/// std::system_error's code, or EIO.
using Reader = std::function<std::size_t(char *buffer, std::size_t capacity)>;

/// Called at most every 100 ms and once at the end. Any function that takes a const us3::Progress &. If it returns
/// something, false cancels the upload; so does throwing.
class ProgressFunction {
public:
    /// None.
    ProgressFunction() = default;
    /// None.
    ProgressFunction(std::nullptr_t) noexcept {}
    /// Of a lambda, or whatever else can be called; none if that is an empty std::function or a null pointer.
    template <typename F, typename = std::enable_if_t<std::is_invocable_v<F &, const Progress &> &&
                                                      !std::is_same_v<std::decay_t<F>, ProgressFunction>>>
    ProgressFunction(F function)
    {
        if constexpr (std::is_void_v<std::invoke_result_t<F &, const Progress &>>) {
            std::function<void(const Progress &)> called = std::move(function);
            if (!called)
                return;
            function_ = [inner = std::move(called)](const Progress &progress) {
                inner(progress);
                return true;
            };
        } else {
            function_ = std::move(function);
        }
    }
    /// Whether there is one.
    explicit operator bool() const noexcept { return static_cast<bool>(function_); }
    /// Calls it; false is to cancel.
    bool operator()(const Progress &progress) const { return function_(progress); }

private:
    std::function<bool(const Progress &)> function_;
};

namespace detail {
class Upload;
}

/// Called once at the end of an upload, before waiting for it returns.
using CompleteFunction = std::function<void(const Result &result)>;

/// Everything that an upload can want: us3_upload_request. Make one with the from_ functions, then set members.
struct Request {
    /// Required. The object's key, 1 to 1023 bytes, without "." and ".." segments.
    std::string key;
    /// The content type; "" to detect it.
    std::string mime_type;
    /// The put policy; std::nullopt for no callback, "" is US3_INVALID_POLICY.
    std::optional<std::string> policy;
    /// How the content travels.
    Mode mode = US3_MODE_AUTO;
    /// Parts in flight at once: below 1 is 1, above 256 is 256. Memory is at most this many parts.
    std::int32_t jobs = 10;
    /// "STANDARD", "IA" or "ARCHIVE"; "" is the bucket's.
    std::string storage_class;
    /// Kept with the object as X-Ufile-Meta-NAME: VALUE.
    Headers metadata;
    /// A checkpoint file, for files only: see us3.h. "" for none.
    std::string resume_path;
    /// For the whole upload, retries and clean-up included; 0 for no limit.
    std::chrono::milliseconds timeout{0};
    /// Told how far the upload is.
    ProgressFunction on_progress;
    /// Told the end, with the result.
    CompleteFunction on_complete;
    /// Where Client::start hands the task out at its end; nullptr: nowhere. Borrowed until it is started.
    const Queue *queue = nullptr;

    /// A regular file. The path is bytes.
    static Request from_file(std::string_view path, std::string_view key)
    {
        Request request(key);
        request.file_path_ = path;
        return request;
    }
    /// Memory that is not copied: leave it as it is until the end of the upload.
    static Request from_memory(const void *data, std::size_t len, std::string_view key)
    {
        Request request(key);
        // NULL would be no source; an empty object is one.
        request.data_ = data == nullptr && len == 0 ? "" : data;
        request.data_len_ = len;
        return request;
    }
    /// Content that the request owns, as a string of bytes.
    static Request from_string(std::string content, std::string_view key)
    {
        Request request(key);
        request.content_ = std::move(content);
        return request;
    }
    /// A stream of any length, read from where it stands to its end. It is borrowed until the end of the upload.
    /// It goes neither with US3_MODE_PUT nor with resume_path. Its state flags are left as they are; a stream that
    /// has failed before (a file that could not be opened) is US3_FILE_ERROR. Open files with std::ios::binary.
    static Request from_stream(std::istream &stream, std::string_view key)
    {
        return from_reader(
            [source = &stream](char *buffer, std::size_t capacity) {
                if (source->fail() || source->rdbuf() == nullptr)
                    throw std::ios_base::failure("us3: the stream had failed before the upload");
                const auto most = static_cast<std::size_t>(std::numeric_limits<std::streamsize>::max());
                const auto wanted = static_cast<std::streamsize>(capacity < most ? capacity : most);
                return static_cast<std::size_t>(source->rdbuf()->sgetn(buffer, wanted));
            },
            key);
    }
    /// A function that is asked for the content, piece by piece.
    static Request from_reader(Reader reader, std::string_view key)
    {
        Request request(key);
        request.reader_ = std::move(reader);
        return request;
    }

private:
    friend class detail::Upload;
    explicit Request(std::string_view object_key) : key(object_key) {}

    std::optional<std::string> file_path_;
    std::optional<std::string> content_;
    const void *data_ = nullptr;
    std::size_t data_len_ = 0;
    Reader reader_;
};

/// How an operation other than an upload is started.
struct Start {
    /// Where the task is handed out at its end; nullptr: nowhere. Borrowed until it is started.
    const Queue *queue = nullptr;
    /// Told the end, with the result.
    CompleteFunction on_complete;
    /// For the whole operation; 0 for no limit but those of the Config.
    std::chrono::milliseconds timeout{0};
};

namespace detail {

/// What is told of the end of a task.
class Ending {
public:
    Ending() = default;
    Ending(const Ending &) = delete;
    Ending &operator=(const Ending &) = delete;
    virtual ~Ending() = default;

    std::future<Result> future() { return promise_.get_future(); }

    std::exception_ptr thrown() const noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return thrown_;
    }

protected:
    void keep(std::exception_ptr exception) noexcept
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!thrown_)
            thrown_ = std::move(exception);
    }

    Result result(const us3_result &raw) const noexcept
    {
        Result result = copy(raw);
        result.exception = thrown();
        return result;
    }

    void tell(const CompleteFunction &on_complete, const us3_result &raw) noexcept
    {
        try {
            if (on_complete)
                on_complete(result(raw));
        } catch (...) {
            keep(std::current_exception());
        }
    }

    void fulfil(const us3_result &raw) noexcept
    {
        try {
            promise_.set_value(check(result(raw)));
        } catch (...) {
            promise_.set_exception(std::current_exception());
        }
    }

private:
    std::promise<Result> promise_;
    mutable std::mutex mutex_;
    std::exception_ptr thrown_;
};

/// One upload of a Request: its C struct, what its callbacks are called with, and what they leave.
class Upload : public Ending {
public:
    explicit Upload(Request request) : request_(std::move(request)), metadata_(request_.metadata, "metadata") {}
    /// Uploads and waits.
    static Result run(us3_client *client, Request request) noexcept
    {
        return guarded([&] {
            Upload upload(std::move(request));
            if (upload.request_.on_complete)
                upload.raw_.on_complete = end_of_run;
            upload.fill();
            Result result = call([&](us3_result *raw) { us3_upload(client, &upload.raw_, raw); });
            result.exception = upload.thrown();
            return result;
        });
    }

    /// Starts an upload. Until its end was told, it keeps itself alive. An unattended one frees its task itself.
    static Outcome<std::shared_ptr<Upload>> start(us3_client *client, Request request, bool unattended,
                                                  us3_task **task) noexcept
    {
        Outcome<std::shared_ptr<Upload>> outcome;
        outcome.result = guarded([&] {
            auto upload = std::make_shared<Upload>(std::move(request));
            upload->raw_.on_complete = end_of_start;
            upload->fill();
            upload->unattended_ = unattended;
            upload->self_ = upload;
            Result result = call([&](us3_result *raw) { us3_upload_start(client, &upload->raw_, task, raw); });
            if (result.ok())
                outcome.value = std::move(upload);
            else
                upload->self_.reset();
            return result;
        });
        return outcome;
    }

private:
    static Upload &of(void *user_data) noexcept { return *static_cast<Upload *>(user_data); }

    /// Throws Error if a text holds a NUL.
    void fill()
    {
        raw_.mode = request_.mode;
        raw_.key = lend(request_.key, "key");
        raw_.mime_type = lend(request_.mime_type, "mime_type");
        raw_.policy_json = request_.policy ? lend(*request_.policy, "policy") : nullptr;
        raw_.jobs = request_.jobs;
        raw_.storage_class = lend(request_.storage_class, "storage_class");
        raw_.metadata = metadata_.data();
        raw_.metadata_len = metadata_.size();
        raw_.resume_path = lend(request_.resume_path, "resume_path");
        raw_.timeout_ms = milliseconds<std::uint64_t>(request_.timeout, US3_INVALID_ARGUMENT, "timeout");
        raw_.user_data = this;
        raw_.queue = request_.queue == nullptr ? nullptr : request_.queue->get();
        if (request_.on_progress)
            raw_.on_progress = tell_progress;
        fill_source();
    }

    void fill_source()
    {
        raw_.file_path = request_.file_path_ ? lend(*request_.file_path_, "file_path") : nullptr;
        raw_.data = request_.content_ ? request_.content_->data() : request_.data_;
        raw_.data_len = request_.content_ ? request_.content_->size() : request_.data_len_;
        if (request_.reader_) {
            raw_.read = read;
            raw_.read_user_data = this;
        }
    }

    static std::int64_t read(void *user_data, void *buffer, std::size_t capacity) noexcept
    {
        Upload &upload = of(user_data);
        try {
            const std::size_t len = upload.request_.reader_(static_cast<char *>(buffer), capacity);
            if (len > capacity)
                throw std::length_error("us3: a reader returned more bytes than it was asked for");
            return static_cast<std::int64_t>(len);
        } catch (const std::system_error &error) {
            upload.keep(std::current_exception());
            const bool is_errno = error.code().category() == std::generic_category() ||
                                  error.code().category() == std::system_category();
            return is_errno && error.code().value() > 0 ? -error.code().value() : -EIO;
        } catch (...) {
            upload.keep(std::current_exception());
            return -EIO;
        }
    }

    /// After something was thrown nothing more is told.
    static std::int32_t tell_progress(const us3_progress *progress, void *user_data) noexcept
    {
        Upload &upload = of(user_data);
        if (upload.thrown())
            return 1;
        try {
            return upload.request_.on_progress(*progress) ? 0 : 1;
        } catch (...) {
            upload.keep(std::current_exception());
            return 1;
        }
    }

    /// What the functions hold is released with them, also when they hold what waits for this upload.
    void drop_request() noexcept { const Request dropped(std::move(request_)); }

    static void end_of_run(us3_task *, const us3_result *raw, void *user_data) noexcept
    {
        Upload &upload = of(user_data);
        upload.tell(upload.request_.on_complete, *raw);
    }

    static void end_of_start(us3_task *task, const us3_result *raw, void *user_data) noexcept
    {
        // The last that the library does with it.
        const std::shared_ptr<Upload> upload = std::move(of(user_data).self_);
        upload->tell(upload->request_.on_complete, *raw);
        upload->drop_request();
        // Before the future is fulfilled, whose owner may free the client then.
        if (upload->unattended_)
            us3_task_free(task);
        upload->fulfil(*raw);
    }

    Request request_;
    CHeaders metadata_;
    us3_upload_request raw_ = US3_UPLOAD_REQUEST_INIT;
    std::shared_ptr<Upload> self_;
    bool unattended_ = false;
};

/// Any other operation that was started.
class Operation : public Ending {
public:
    explicit Operation(Start start) : start_(std::move(start)) {}

    /// Starts one with `begin(const us3_start *, us3_task **, us3_result *)`. Until its end was told, it keeps itself
    /// alive, and what `on_end` holds as well.
    template <typename F>
    static Outcome<std::shared_ptr<Operation>> start(Start start, us3_task **task, F begin) noexcept
    {
        Outcome<std::shared_ptr<Operation>> outcome;
        outcome.result = guarded([&] {
            us3_start raw = US3_START_INIT;
            raw.queue = start.queue == nullptr ? nullptr : start.queue->get();
            raw.timeout_ms = milliseconds<std::uint64_t>(start.timeout, US3_INVALID_ARGUMENT, "timeout");
            raw.on_complete = end;
            auto operation = std::make_shared<Operation>(std::move(start));
            raw.user_data = operation.get();
            operation->self_ = operation;
            Result result = call([&](us3_result *out) { begin(&raw, *operation, task, out); });
            if (result.ok())
                outcome.value = std::move(operation);
            else
                operation->self_.reset();
            return result;
        });
        return outcome;
    }

    /// What a list tells of each upload, called one at a time.
    std::function<bool(const us3_unfinished &)> on_unfinished;

    static std::int32_t tell_unfinished(const us3_unfinished *upload, void *user_data) noexcept
    {
        Operation &operation = *static_cast<Operation *>(user_data);
        try {
            return operation.on_unfinished(*upload) ? 0 : 1;
        } catch (...) {
            operation.keep(std::current_exception());
            return 1;
        }
    }

private:
    static void end(us3_task *, const us3_result *raw, void *user_data) noexcept
    {
        // The last that the library does with it.
        const std::shared_ptr<Operation> operation = std::move(static_cast<Operation *>(user_data)->self_);
        operation->tell(operation->start_.on_complete, *raw);
        const Start dropped(std::move(operation->start_));
        const auto done(std::move(operation->on_unfinished));
        operation->fulfil(*raw);
    }

    Start start_;
    std::shared_ptr<Operation> self_;
};

} // namespace detail

class Multipart;
struct FileInfo;

/// A started upload or other operation. Destroying it waits for its end, except in a function that the library calls; to
/// be quick, cancel() first. It may outlive its Client. Client::upload_async gives an upload that nobody waits for.
class Task {
public:
    /// Waits for the end; any number of times, each with the same result. Blocks. Throws Error, or what a
    /// function of yours threw, if the upload failed.
    Result wait() { return detail::check(wait(std::nothrow)); }
    /// The same without exceptions.
    Result wait(std::nothrow_t) noexcept { return wait_ms(-1); }

    /// Waits for at most this long; std::nullopt if the upload has not ended by then. 0 only looks. Throws as wait().
    std::optional<Result> wait_for(std::chrono::milliseconds time)
    {
        Result result = wait_for(std::nothrow, time);
        if (result.status == US3_PENDING)
            return std::nullopt;
        return detail::check(std::move(result));
    }
    /// The same without exceptions; the status is US3_PENDING if the upload has not ended.
    Result wait_for(std::nothrow_t, std::chrono::milliseconds time) noexcept
    {
        return wait_ms(time.count() < 0 ? 0 : static_cast<std::int64_t>(time.count()));
    }

    /// Cancels; the end is told as always, with US3_CANCELLED unless it was over already. Does not block.
    void cancel() { detail::check(cancel(std::nothrow)); }
    /// The same without exceptions.
    Result cancel(std::nothrow_t) noexcept { return of_status(us3_task_cancel(handle_.get())); }

    /// How far it is. Does not block. Throws Error.
    Progress progress() const { return detail::check(progress(std::nothrow)); }
    /// The same without exceptions.
    Outcome<Progress> progress(std::nothrow_t) const noexcept
    {
        us3_progress progress = US3_PROGRESS_INIT;
        Outcome<Progress> outcome;
        outcome.result = of_status(us3_task_progress(handle_.get(), &progress));
        if (outcome.result.ok())
            outcome.value = progress;
        return outcome;
    }

    /// The end as a future, which holds what wait() returns or throws. Once only; a second call throws
    /// std::future_error. The future may outlive the Task, and destroying it waits for nothing.
    std::future<Result> future()
    {
        if (!ending_)
            throw std::future_error(std::future_errc::no_state);
        return ending_->future();
    }

    /// What Client::head_file_start has learnt. Does not block. Throws Error: the task's own, or US3_PENDING.
    FileInfo file_info() const;
    /// The same without exceptions.
    Outcome<FileInfo> file_info(std::nothrow_t) const noexcept;

    /// Takes the upload that Client::initiate_multipart_upload_start has begun, or multipart_open_start has opened. Once:
    /// std::nullopt after that, before the end, and after a failure. Does not block.
    std::optional<Multipart> multipart() noexcept;

    /// A descriptor that becomes readable at the end, for poll and event loops. It belongs to the task. -1 if there
    /// is none.
    int fd() const noexcept { return us3_task_fd(handle_.get()); }
    /// The handle of us3.h, which stays the task's.
    us3_task *get() const noexcept { return handle_.get(); }

private:
    friend class Client;
    friend class Multipart;
    Task(us3_task *task, std::shared_ptr<detail::Ending> ending) noexcept : ending_(std::move(ending)), handle_(task) {}

    /// Starts an operation other than an upload.
    template <typename F> static Outcome<Task> started(Start start, F begin) noexcept
    {
        return started_as(std::move(start), [&](const us3_start *raw, detail::Operation &, us3_task **task,
                                                us3_result *result) { begin(raw, task, result); });
    }

    template <typename F> static Outcome<Task> started_as(Start start, F begin) noexcept
    {
        us3_task *task = nullptr;
        auto operation = detail::Operation::start(std::move(start), &task, begin);
        Outcome<Task> outcome;
        outcome.result = std::move(operation.result);
        if (operation.value)
            outcome.value = Task(task, std::move(*operation.value));
        return outcome;
    }

    static Result of_status(Status status) noexcept
    {
        Result result;
        result.status = status;
        return result;
    }

    Result wait_ms(std::int64_t timeout_ms) noexcept
    {
        Result result = detail::call([&](us3_result *raw) { us3_task_wait(handle_.get(), timeout_ms, raw); });
        if (ending_ && result.status != US3_PENDING)
            result.exception = ending_->thrown();
        return result;
    }

    std::shared_ptr<detail::Ending> ending_;
    detail::Handle<us3_task, us3_task_free> handle_;
};

// ---- multipart uploads by hand --------------------------------------------------------------------

/// An upload that is driven part by part. Destroying it does not abort it: the parts of an upload that was neither
/// finished nor aborted stay with the service, and cost. Destroy it before its Client.
class Multipart {
public:
    /// The service's name for the upload; it lives as long as this. Does not block.
    std::string_view upload_id() const noexcept
    {
        const char *const id = us3_multipart_upload_id(handle_.get());
        return id == nullptr ? std::string_view() : id;
    }
    /// Bytes of each part but the last, which may be smaller. Does not block.
    std::uint64_t part_size() const noexcept { return us3_multipart_part_size(handle_.get()); }

    /// Bytes of a part that the service has; 0 if it has none of this number. Does not block.
    std::uint64_t part_len(std::uint32_t number) const noexcept { return us3_multipart_part_len(handle_.get(), number); }

    /// Sends a part, numbered from 0; in any order, from any thread, and again. The result's etag is the part's.
    /// Blocks. Throws Error.
    Result upload_part(std::uint32_t number, const void *data, std::size_t len)
    {
        return detail::check(upload_part(std::nothrow, number, data, len));
    }
    /// The same without exceptions.
    Result upload_part(std::nothrow_t, std::uint32_t number, const void *data, std::size_t len) noexcept
    {
        return detail::call(
            [&](us3_result *result) { us3_upload_part(handle_.get(), number, data, len, result); });
    }

    /// Starts the same. The bytes at data are borrowed until the end of the task, also of one that was cancelled. Does not
    /// block. Throws Error.
    Task upload_part_start(std::uint32_t number, const void *data, std::size_t len, Start start = {})
    {
        return detail::check(upload_part_start(std::nothrow, number, data, len, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> upload_part_start(std::nothrow_t, std::uint32_t number, const void *data, std::size_t len,
                                    Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_upload_part_start(handle_.get(), number, data, len, raw, task, result);
        });
    }

    /// FinishMultipartUploadWithPolicy: joins the parts; then the callback runs. Can be called again after a failure.
    /// Blocks. Throws Error.
    Result finish_with_policy(std::optional<std::string_view> policy)
    {
        return detail::check(finish_with_policy(std::nothrow, policy));
    }
    /// The same without exceptions.
    Result finish_with_policy(std::nothrow_t, std::optional<std::string_view> policy) noexcept
    {
        return detail::call([&](us3_result *result) {
            us3_finish_multipart_upload_with_policy(handle_.get(), detail::CText("policy", policy).get(), result);
        });
    }

    /// Starts the same. Does not block. Throws Error.
    Task finish_with_policy_start(std::optional<std::string_view> policy, Start start = {})
    {
        return detail::check(finish_with_policy_start(std::nothrow, policy, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> finish_with_policy_start(std::nothrow_t, std::optional<std::string_view> policy,
                                           Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_finish_multipart_upload_with_policy_start(handle_.get(), detail::CText("policy", policy).get(), raw,
                                                          task, result);
        });
    }

    /// Gives the upload up, so that the service forgets its parts. Blocks. Throws Error.
    Result abort() { return detail::check(abort(std::nothrow)); }
    /// The same without exceptions.
    Result abort(std::nothrow_t) noexcept
    {
        return detail::call([&](us3_result *result) { us3_abort_multipart_upload(handle_.get(), result); });
    }

    /// Starts the same. Does not block. Throws Error.
    Task abort_start(Start start = {}) { return detail::check(abort_start(std::nothrow, std::move(start))); }
    /// The same without exceptions.
    Outcome<Task> abort_start(std::nothrow_t, Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_abort_multipart_upload_start(handle_.get(), raw, task, result);
        });
    }

    /// The handle of us3.h, which stays this object's.
    us3_multipart *get() const noexcept { return handle_.get(); }

private:
    friend class Client;
    friend class Task;
    explicit Multipart(us3_multipart *multipart) noexcept : handle_(multipart) {}

    detail::Handle<us3_multipart, us3_multipart_free> handle_;
};

// ---- the client -----------------------------------------------------------------------------------

/// What HeadFile tells of an object.
struct FileInfo {
    /// Bytes.
    std::uint64_t size = 0;
    /// Seconds since 1970-01-01 UTC; -1 if the service does not say.
    std::int64_t last_modified = -1;
    /// Without quotes; "" if the service does not say.
    std::string etag;
    /// The content type; "" if the service does not say.
    std::string mime_type;
};

/// An upload that was neither finished nor aborted.
struct Unfinished {
    /// The key that it was begun with.
    std::string key;
    /// The service's name for it.
    std::string upload_id;
    /// When it was begun, in seconds since 1970-01-01 UTC; -1 if the service does not say.
    std::int64_t started = -1;
    /// "" if the service does not say.
    std::string storage_class;
};

/// Told of one unfinished upload after the other, on a thread of the library; false ends the list.
using UnfinishedFunction = std::function<bool(const Unfinished &)>;

/// Not part of the interface.
namespace detail {

inline FileInfo copy(const us3_file_info &raw) noexcept
{
    FileInfo info;
    info.size = raw.size;
    info.last_modified = raw.last_modified;
    copy_text(info.etag, raw.etag);
    copy_text(info.mime_type, raw.mime_type);
    return info;
}

inline Unfinished copy(const us3_unfinished &raw) noexcept
{
    Unfinished upload;
    copy_text(upload.key, raw.key);
    copy_text(upload.upload_id, raw.upload_id);
    upload.started = raw.started;
    copy_text(upload.storage_class, raw.storage_class);
    return upload;
}

} // namespace detail

inline Outcome<FileInfo> Task::file_info(std::nothrow_t) const noexcept
{
    us3_file_info raw = US3_FILE_INFO_INIT;
    Outcome<FileInfo> outcome;
    outcome.result = of_status(us3_task_file_info(handle_.get(), &raw));
    if (outcome.result.ok())
        outcome.value = detail::copy(raw);
    us3_file_info_clear(&raw);
    return outcome;
}

inline FileInfo Task::file_info() const { return detail::check(file_info(std::nothrow)); }

inline std::optional<Multipart> Task::multipart() noexcept
{
    us3_multipart *const multipart = us3_task_multipart(handle_.get());
    if (multipart == nullptr)
        return std::nullopt;
    return Multipart(multipart);
}

/// A client of one bucket. Any number of threads may use one at once, and should. Destroying it waits for the
/// uploads that were started and the calls in progress; it may not be destroyed while a call begins.
class Client {
public:
    /// Sends nothing: wrong keys show with the first request. Reads certificates. Throws Error:
    /// US3_INVALID_CONFIG, US3_FILE_ERROR.
    explicit Client(const Config &config) : Client(detail::check(make(std::nothrow, config))) {}
    /// The same without exceptions.
    static Outcome<Client> make(std::nothrow_t, const Config &config) noexcept
    {
        return outcome([&](us3_client **client, us3_result *result) { make_raw(config, client, result); });
    }

    /// From the JSON file of the vendor's SDKs. Throws Error: US3_FILE_ERROR, US3_INVALID_CONFIG.
    static Client from_file(std::string_view json_path) { return detail::check(from_file(std::nothrow, json_path)); }
    /// The same without exceptions.
    static Outcome<Client> from_file(std::nothrow_t, std::string_view json_path) noexcept
    {
        return outcome([&](us3_client **client, us3_result *result) {
            us3_client_from_file(detail::CText("json_path", json_path).get(), client, result);
        });
    }

    /// PutFileWithPolicy: a file of at most 512 MiB with one request, then the callback. Blocks. Throws Error.
    Result put_file_with_policy(std::string_view file_path, std::string_view key, std::string_view mime_type,
                                std::optional<std::string_view> policy)
    {
        return detail::check(put_file_with_policy(std::nothrow, file_path, key, mime_type, policy));
    }
    /// The same without exceptions.
    Result put_file_with_policy(std::nothrow_t, std::string_view file_path, std::string_view key,
                                std::string_view mime_type, std::optional<std::string_view> policy) noexcept
    {
        return upload_file(us3_put_file_with_policy, file_path, key, mime_type, policy);
    }

    /// MPutWithPolicy: a file in parts, one at a time, then the callback. Blocks. Throws Error.
    Result mput_with_policy(std::string_view file_path, std::string_view key, std::string_view mime_type,
                            std::optional<std::string_view> policy)
    {
        return detail::check(mput_with_policy(std::nothrow, file_path, key, mime_type, policy));
    }
    /// The same without exceptions.
    Result mput_with_policy(std::nothrow_t, std::string_view file_path, std::string_view key,
                            std::string_view mime_type, std::optional<std::string_view> policy) noexcept
    {
        return upload_file(us3_mput_with_policy, file_path, key, mime_type, policy);
    }

    /// AsyncMPutWithPolicy: a file in parts, 10 at a time, then the callback. Blocks. Throws Error.
    Result async_mput_with_policy(std::string_view file_path, std::string_view key, std::string_view mime_type,
                                  std::optional<std::string_view> policy)
    {
        return detail::check(async_mput_with_policy(std::nothrow, file_path, key, mime_type, policy));
    }
    /// The same without exceptions.
    Result async_mput_with_policy(std::nothrow_t, std::string_view file_path, std::string_view key,
                                  std::string_view mime_type, std::optional<std::string_view> policy) noexcept
    {
        return upload_file(us3_async_mput_with_policy, file_path, key, mime_type, policy);
    }

    /// AsyncUploadWithPolicy: a file in parts, `jobs` at a time (1 to 256), then the callback. Blocks. Throws Error.
    Result async_upload_with_policy(std::string_view file_path, std::string_view key, std::string_view mime_type,
                                    std::int32_t jobs, std::optional<std::string_view> policy)
    {
        return detail::check(async_upload_with_policy(std::nothrow, file_path, key, mime_type, jobs, policy));
    }
    /// The same without exceptions.
    Result async_upload_with_policy(std::nothrow_t, std::string_view file_path, std::string_view key,
                                    std::string_view mime_type, std::int32_t jobs,
                                    std::optional<std::string_view> policy) noexcept
    {
        const auto operation = [jobs](us3_client *client, const char *file, const char *name, const char *type,
                                      const char *json, us3_result *result) {
            return us3_async_upload_with_policy(client, file, name, type, jobs, json, result);
        };
        return upload_file(operation, file_path, key, mime_type, policy);
    }

    /// InitiateMultipartUpload: begins an upload that you drive part by part. mime_type "" is detected by the key's
    /// extension. Blocks. Throws Error.
    Multipart initiate_multipart_upload(std::string_view key, std::string_view mime_type = {})
    {
        return detail::check(initiate_multipart_upload(std::nothrow, key, mime_type));
    }
    /// The same without exceptions.
    Outcome<Multipart> initiate_multipart_upload(std::nothrow_t, std::string_view key,
                                                 std::string_view mime_type = {}) noexcept
    {
        us3_multipart *multipart = nullptr;
        Outcome<Multipart> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            us3_initiate_multipart_upload(handle_.get(), detail::CText("key", key).get(),
                                          detail::CText("mime_type", mime_type).get(), &multipart, result);
        });
        if (multipart != nullptr)
            outcome.value = Multipart(multipart);
        return outcome;
    }

    /// Uploads whatever the request asks for, and waits for the end. Blocks. Throws Error, or what a function of yours
    /// threw, if the upload fails.
    Result upload(Request request) { return detail::check(upload(std::nothrow, std::move(request))); }
    /// The same without exceptions.
    Result upload(std::nothrow_t, Request request) noexcept
    {
        return detail::Upload::run(handle_.get(), std::move(request));
    }

    /// Starts an upload. The end is told by on_complete, then by the future, then by the task and its descriptor.
    /// Does not block. Throws Error if the upload was refused, of which nothing else is told.
    Task start(Request request) { return detail::check(start(std::nothrow, std::move(request))); }
    /// The same without exceptions.
    Outcome<Task> start(std::nothrow_t, Request request) noexcept
    {
        us3_task *task = nullptr;
        auto started = detail::Upload::start(handle_.get(), std::move(request), false, &task);
        Outcome<Task> outcome;
        outcome.result = std::move(started.result);
        if (started.value)
            outcome.value = Task(task, std::move(*started.value));
        return outcome;
    }

    /// Starts an upload whose end is told by a future, which holds the Result, or throws Error or what a function of
    /// yours threw. Destroying the future neither waits nor cancels; destroying the client waits. Does not block.
    /// An upload that is refused is an Error in the future. Throws only if memory runs out.
    std::future<Result> upload_async(Request request)
    {
        us3_task *task = nullptr;
        auto started = detail::Upload::start(handle_.get(), std::move(request), true, &task);
        if (started.value)
            return (*started.value)->future();
        std::promise<Result> refused;
        refused.set_exception(std::make_exception_ptr(Error(std::move(started.result))));
        return refused.get_future();
    }

    /// Deletes an object. Blocks. Throws Error; http_status is 404 if there is none.
    Result delete_file(std::string_view key) { return detail::check(delete_file(std::nothrow, key)); }
    /// The same without exceptions.
    Result delete_file(std::nothrow_t, std::string_view key) noexcept
    {
        return detail::call([&](us3_result *result) {
            us3_delete_file(handle_.get(), detail::CText("key", key).get(), result);
        });
    }

    /// Aborts an unfinished multipart upload by its name, the upload_id of what left it, so that the service forgets its
    /// parts. A finish that may still be running (object_state US3_OBJECT_UNKNOWN) may complete all the same. Blocks.
    /// Throws Error; http_status is 404 if the service knows no such upload.
    Result abort_upload(std::string_view key, std::string_view upload_id)
    {
        return detail::check(abort_upload(std::nothrow, key, upload_id));
    }
    /// The same without exceptions.
    Result abort_upload(std::nothrow_t, std::string_view key, std::string_view upload_id) noexcept
    {
        return detail::call([&](us3_result *result) {
            us3_abort_upload(handle_.get(), detail::CText("key", key).get(),
                             detail::CText("upload_id", upload_id).get(), result);
        });
    }

    /// Asks for an object's size, date, ETag and type. Blocks. Throws Error; http_status is 404 if there is none.
    FileInfo head_file(std::string_view key) { return detail::check(head_file(std::nothrow, key)); }
    /// The same without exceptions.
    Outcome<FileInfo> head_file(std::nothrow_t, std::string_view key) noexcept
    {
        us3_file_info raw = US3_FILE_INFO_INIT;
        Outcome<FileInfo> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            us3_head_file(handle_.get(), detail::CText("key", key).get(), &raw, result);
        });
        if (outcome.result.ok())
            outcome.value = detail::copy(raw);
        us3_file_info_clear(&raw);
        return outcome;
    }

    /// Starts HeadFile; Task::file_info tells what it has learnt. Does not block. Throws Error.
    Task head_file_start(std::string_view key, Start start = {})
    {
        return detail::check(head_file_start(std::nothrow, key, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> head_file_start(std::nothrow_t, std::string_view key, Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_head_file_start(handle_.get(), detail::CText("key", key).get(), raw, task, result);
        });
    }

    /// Starts DeleteFile. Does not block. Throws Error.
    Task delete_file_start(std::string_view key, Start start = {})
    {
        return detail::check(delete_file_start(std::nothrow, key, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> delete_file_start(std::nothrow_t, std::string_view key, Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_delete_file_start(handle_.get(), detail::CText("key", key).get(), raw, task, result);
        });
    }

    /// Starts InitiateMultipartUpload; Task::multipart takes the upload. Does not block. Throws Error.
    Task initiate_multipart_upload_start(std::string_view key, std::string_view mime_type = {}, Start start = {})
    {
        return detail::check(initiate_multipart_upload_start(std::nothrow, key, mime_type, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> initiate_multipart_upload_start(std::nothrow_t, std::string_view key,
                                                  std::string_view mime_type = {}, Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_initiate_multipart_upload_start(handle_.get(), detail::CText("key", key).get(),
                                                detail::CText("mime_type", mime_type).get(), raw, task, result);
        });
    }

    /// Starts abort_upload. Does not block. Throws Error.
    Task abort_upload_start(std::string_view key, std::string_view upload_id, Start start = {})
    {
        return detail::check(abort_upload_start(std::nothrow, key, upload_id, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> abort_upload_start(std::nothrow_t, std::string_view key, std::string_view upload_id,
                                     Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_abort_upload_start(handle_.get(), detail::CText("key", key).get(),
                                   detail::CText("upload_id", upload_id).get(), raw, task, result);
        });
    }

    /// Adopts an unfinished upload with the parts that the service has, which Multipart::part_len tells: us3.h says
    /// when that is safe. Blocks. Throws Error; http_status is 404 if the service knows no such upload.
    Multipart multipart_open(std::string_view key, std::string_view upload_id)
    {
        return detail::check(multipart_open(std::nothrow, key, upload_id));
    }
    /// The same without exceptions.
    Outcome<Multipart> multipart_open(std::nothrow_t, std::string_view key, std::string_view upload_id) noexcept
    {
        us3_multipart *multipart = nullptr;
        Outcome<Multipart> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            us3_multipart_open(handle_.get(), detail::CText("key", key).get(),
                               detail::CText("upload_id", upload_id).get(), &multipart, result);
        });
        if (multipart != nullptr)
            outcome.value = Multipart(multipart);
        return outcome;
    }

    /// Starts the same; Task::multipart takes the upload. Does not block. Throws Error.
    Task multipart_open_start(std::string_view key, std::string_view upload_id, Start start = {})
    {
        return detail::check(multipart_open_start(std::nothrow, key, upload_id, std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> multipart_open_start(std::nothrow_t, std::string_view key, std::string_view upload_id,
                                       Start start = {}) noexcept
    {
        return Task::started(std::move(start), [&](const us3_start *raw, us3_task **task, us3_result *result) {
            us3_multipart_open_start(handle_.get(), detail::CText("key", key).get(),
                                     detail::CText("upload_id", upload_id).get(), raw, task, result);
        });
    }

    /// The bucket's unfinished uploads whose keys begin with prefix. Blocks. Throws Error.
    std::vector<Unfinished> list_uploads(std::string_view prefix = {})
    {
        return detail::check(list_uploads(std::nothrow, prefix));
    }
    /// The same without exceptions.
    Outcome<std::vector<Unfinished>> list_uploads(std::nothrow_t, std::string_view prefix = {}) noexcept
    {
        struct List {
            std::vector<Unfinished> uploads;
            bool is_whole = true;
        } list;
        const auto note = [](const us3_unfinished *upload, void *user_data) noexcept -> std::int32_t {
            List &to = *static_cast<List *>(user_data);
            try {
                to.uploads.push_back(detail::copy(*upload));
                return 0;
            } catch (...) {
                to.is_whole = false;
                return 1;
            }
        };
        Outcome<std::vector<Unfinished>> outcome;
        outcome.result = detail::call([&](us3_result *result) {
            us3_list_uploads(handle_.get(), detail::CText("prefix", prefix).get(), note, &list, result);
        });
        if (!list.is_whole)
            outcome.result = detail::failure(US3_INTERNAL_ERROR, "out of memory");
        if (outcome.result.ok())
            outcome.value = std::move(list.uploads);
        return outcome;
    }

    /// Starts the list; on_unfinished is told of one upload after the other, before the end. What it throws ends the list,
    /// and is kept in Result::exception. Does not block. Throws Error.
    Task list_uploads_start(std::string_view prefix, UnfinishedFunction on_unfinished, Start start = {})
    {
        return detail::check(list_uploads_start(std::nothrow, prefix, std::move(on_unfinished), std::move(start)));
    }
    /// The same without exceptions.
    Outcome<Task> list_uploads_start(std::nothrow_t, std::string_view prefix, UnfinishedFunction on_unfinished,
                                     Start start = {}) noexcept
    {
        return Task::started_as(std::move(start), [&](const us3_start *raw, detail::Operation &operation,
                                                      us3_task **task, us3_result *result) {
            const auto tell = on_unfinished ? detail::Operation::tell_unfinished : nullptr;
            operation.on_unfinished = [told = std::move(on_unfinished)](const us3_unfinished &upload) {
                return told(detail::copy(upload));
            };
            us3_list_uploads_start(handle_.get(), detail::CText("prefix", prefix).get(), tell, &operation, raw, task,
                                   result);
        });
    }

    /// The handle of us3.h, which stays the client's.
    us3_client *get() const noexcept { return handle_.get(); }

private:
    explicit Client(us3_client *client) noexcept : handle_(client) {}

    template <typename F> static Outcome<Client> outcome(F make_handle) noexcept
    {
        us3_client *client = nullptr;
        Outcome<Client> outcome;
        outcome.result = detail::call([&](us3_result *result) { make_handle(&client, result); });
        if (client != nullptr)
            outcome.value = Client(client);
        return outcome;
    }

    static void make_raw(const Config &from, us3_client **client, us3_result *result)
    {
        using detail::lend;
        const auto limit = [](std::chrono::milliseconds time, const char *name) {
            return detail::milliseconds<std::uint32_t>(time, US3_INVALID_CONFIG, name);
        };
        us3_config config = US3_CONFIG_INIT;
        config.public_key = lend(from.public_key, "public_key");
        config.private_key = lend(from.private_key, "private_key");
        config.security_token = lend(from.security_token, "security_token");
        config.bucket_name = lend(from.bucket_name, "bucket_name");
        config.file_host = lend(from.file_host, "file_host");
        config.endpoint = lend(from.endpoint, "endpoint");
        config.proxy = lend(from.proxy, "proxy");
        config.ca_file = lend(from.ca_file, "ca_file");
        config.verify_upload_md5 = from.verify_upload_md5;
        config.verify_etag = from.verify_etag;
        config.use_env_proxy = from.use_env_proxy;
        config.callback_at_least_once = from.callback_at_least_once;
        config.connect_timeout_ms = limit(from.connect_timeout, "connect_timeout");
        config.idle_timeout_ms = limit(from.idle_timeout, "idle_timeout");
        config.response_timeout_ms = limit(from.response_timeout, "response_timeout");
        config.settle_timeout_ms = limit(from.settle_timeout, "settle_timeout");
        config.max_retries = from.max_retries;
        config.worker_threads = from.worker_threads;
        config.max_concurrent_uploads = from.max_concurrent_uploads;
        us3_client_new(&config, client, result);
    }

    template <typename F>
    Result upload_file(F operation, std::string_view file_path, std::string_view key, std::string_view mime_type,
                       std::optional<std::string_view> policy) noexcept
    {
        return detail::call([&](us3_result *result) {
            operation(handle_.get(), detail::CText("file_path", file_path).get(), detail::CText("key", key).get(),
                      detail::CText("mime_type", mime_type).get(), detail::CText("policy", policy).get(), result);
        });
    }

    detail::Handle<us3_client, us3_client_free> handle_;
};

} // namespace us3

#endif
