// What the library calls back from C++ uploads: functions, futures, streams, and what they throw.
#include "cpp_support.hpp"

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <thread>

using Error = std::optional<us3::Error>;
using Runtime = std::optional<std::runtime_error>;

// A client, and a service that takes uploads and does not answer until it is released.
struct Stalled {
    fake_service *fake = fake_start();
    std::optional<us3::Client> client;

    Stalled()
    {
        fake_set(fake, FAKE_PUT, FAKE_STALL);
        client.emplace(config_without_retries(fake_url(fake)));
    }
    ~Stalled()
    {
        fake_release(fake);
        client.reset();
        fake_stop(fake);
    }
};

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd waited = {fd, POLLIN, 0};
    return poll(&waited, 1, timeout_ms) == 1;
}

static void the_end_is_told_in_every_way()
{
    us3::Client client(test_config());
    const std::string content = bytes(9 * MIB, 1);
    us3::Request request = us3::Request::from_memory(content.data(), content.size(), "every-way");
    std::atomic<int> completed{0}, progressed{0};
    us3::Progress last = US3_PROGRESS_INIT;

    request.mode = US3_MODE_MPUT;
    request.on_progress = [&](const us3::Progress &progress) { // returns nothing: goes on
        last = progress;
        progressed++;
    };
    request.on_complete = [&](const us3::Result &result) { completed += result.ok() ? 1 : 100; };
    us3::Task task = client.start(std::move(request));
    std::future<us3::Result> future = task.future();
    CHECK(is_readable(task.fd(), 60000));
    CHECK_INT(1, completed);
    CHECK(progressed >= 1 && last.sent == content.size() && last.parts_done == 3);
    CHECK(future.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    CHECK_EQUAL(future.get().etag, task.wait().etag);
    CHECK(task.wait_for(std::chrono::milliseconds(0)).has_value());
    CHECK(task.progress().acknowledged == content.size());
    CHECK(task.get() != nullptr);
    CHECK_HOLDS("every-way", content);
}

static void waiting_and_cancelling()
{
    Stalled stalled;
    us3::Task task = stalled.client->start(us3::Request::from_string("x", "k"));
    Error error;

    CHECK(!task.wait_for(std::chrono::milliseconds(20)).has_value());
    CHECK(!task.wait_for(std::chrono::milliseconds(-20)).has_value());
    CHECK_INT(US3_PENDING, task.wait_for(std::nothrow, std::chrono::milliseconds(0)).status);
    task.cancel();
    CHECK_THROWS(us3::Error, task.wait(), error);
    CHECK(error && error->status() == US3_CANCELLED);
    std::optional<us3::Result> unused;
    error.reset();
    CHECK_THROWS(us3::Error, unused = task.wait_for(std::chrono::seconds(60)), error);
    CHECK(error.has_value());
}

// Nobody holds the task.
static void futures()
{
    std::future<us3::Result> future, refused, failed;
    {
        us3::Client client(test_config());
        future = client.upload_async(us3::Request::from_string(bytes(MIB, 5), "future"));
        refused = client.upload_async(us3::Request::from_string("x", "../"));
        failed = client.upload_async(us3::Request::from_file("/no/such/file", "k"));
    }
    CHECK(future.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    CHECK(future.get().ok());
    CHECK_HOLDS("future", bytes(MIB, 5));
    Error error;
    CHECK_THROWS(us3::Error, refused.get(), error);
    CHECK(error && error->status() == US3_INVALID_ARGUMENT);
    error.reset();
    CHECK_THROWS(us3::Error, failed.get(), error);
    CHECK(error && error->status() == US3_FILE_ERROR);
}

// What they hold may hold the task itself, which would keep both for ever.
static void functions_are_released_at_the_end()
{
    us3::Client client(test_config());
    auto task = std::make_shared<std::optional<us3::Task>>();
    us3::Request request = us3::Request::from_string("x", "released");

    request.on_complete = [task](const us3::Result &) {};
    request.on_progress = [task](const us3::Progress &) {};
    task->emplace(client.start(std::move(request)));
    request = us3::Request::from_string("", "");
    (*task)->wait();
    CHECK_INT(1, task.use_count());
}

// Dropped, they neither wait nor leak.
static void many_futures_at_once()
{
    us3::Client client(test_config());
    std::vector<std::future<us3::Result>> futures;

    for (int i = 0; i < 50; i++)
        futures.push_back(client.upload_async(us3::Request::from_string("x", "many/" + std::to_string(i))));
    client.upload_async(us3::Request::from_string("x", "dropped"));
    for (auto &future : futures)
        CHECK(future.get().ok());
    client = us3::Client(test_config()); // waits for what still runs
    CHECK(object_exists("dropped"));
}

static void what_progress_throws_cancels_and_comes_back()
{
    us3::Client client(test_config());
    std::atomic<int> calls{0};
    std::atomic<bool> told{false};
    Runtime thrown;

    // The reader waits until progress was told, so that the end cannot come first.
    us3::Request request = us3::Request::from_reader(
        [&](char *buffer, std::size_t) {
            while (!told)
                std::this_thread::yield();
            buffer[0] = 'x';
            return std::size_t{1};
        },
        "thrown");
    request.on_progress = [&](const us3::Progress &) {
        calls++;
        told = true;
        throw std::runtime_error("from progress");
    };
    CHECK_THROWS(std::runtime_error, client.upload(request), thrown);
    REQUIRE(thrown);
    CHECK_STR("from progress", thrown->what());
    CHECK_INT(1, calls);
    CHECK(!object_exists("thrown"));

    const us3::Result result = client.upload(std::nothrow, request);
    CHECK_INT(US3_CANCELLED, result.status);
    CHECK(result.exception != nullptr);

    us3::Task task = client.start(request);
    thrown.reset();
    CHECK_THROWS(std::runtime_error, task.wait(), thrown);
    CHECK(thrown.has_value());
    thrown.reset();
    std::future<us3::Result> future = client.upload_async(request);
    CHECK_THROWS(std::runtime_error, future.get(), thrown);
    CHECK(thrown.has_value());
}

static void false_from_progress_cancels()
{
    Stalled stalled;
    us3::Request request = us3::Request::from_string(bytes(MIB, 1), "k");

    request.on_progress = [](const us3::Progress &) { return false; };
    const us3::Result result = stalled.client->upload(std::nothrow, request);
    CHECK_INT(US3_CANCELLED, result.status);
    CHECK(result.exception == nullptr);
}

// A program may pass on a function that nobody has set.
static void an_empty_progress_function_is_none()
{
    us3::Client client(test_config());
    const std::function<void(const us3::Progress &)> nothing;
    const std::function<bool(const us3::Progress &)> no_answer;
    void (*const null)(const us3::Progress &) = nullptr;
    bool (*const null_answer)(const us3::Progress &) = nullptr;
    us3::Request request = us3::Request::from_string("x", "no-progress");

    for (const us3::ProgressFunction &empty : {us3::ProgressFunction(nothing), us3::ProgressFunction(no_answer),
                                               us3::ProgressFunction(null), us3::ProgressFunction(null_answer)}) {
        CHECK(!empty);
        request.on_progress = empty;
        CHECK(client.upload(request).exception == nullptr);
    }
    const std::function<void(const us3::Progress &)> set = [](const us3::Progress &) {};
    CHECK(us3::ProgressFunction(set));
}

// The upload had succeeded: that is not lost, and neither is the exception.
static void what_comes_too_late_is_held()
{
    us3::Client client(test_config());
    us3::Request request = us3::Request::from_string("x", "late");

    request.on_complete = [](const us3::Result &) { throw std::runtime_error("late"); };
    const us3::Result result = client.upload(request);
    CHECK(result.ok() && result.exception != nullptr);
    CHECK(object_exists("late"));
    us3::Task task = client.start(request);
    CHECK(task.wait().exception != nullptr);
    CHECK(client.upload_async(request).get().exception != nullptr);
}

static void streams()
{
    us3::Client client(test_config());
    const std::string content = bytes(9 * MIB + 17, 3);
    std::istringstream text(content);
    std::ifstream file(test_file("file", 5 * MIB, 4), std::ios::binary), absent("/no/such/file");
    std::istringstream empty, exhausted("x");
    std::optional<std::ios_base::failure> failure;

    client.upload(us3::Request::from_stream(text, "stream"));
    CHECK_HOLDS("stream", content);
    file.seekg(100);
    client.upload(us3::Request::from_stream(file, "rest"));
    CHECK_HOLDS("rest", bytes(5 * MIB, 4).substr(100));
    client.upload(us3::Request::from_stream(empty, "empty"));
    CHECK_HOLDS("empty", ""s);

    // An empty object would be stored in silence.
    CHECK_THROWS(std::ios_base::failure, client.upload(us3::Request::from_stream(absent, "absent")), failure);
    CHECK(failure.has_value());
    std::string word;
    exhausted >> word >> word;
    CHECK_INT(US3_FILE_ERROR, client.upload(std::nothrow, us3::Request::from_stream(exhausted, "absent")).status);
    CHECK(!object_exists("absent"));
}

static void what_readers_throw()
{
    emulator_reset();
    us3::Client client(test_config());
    const auto upload = [&](us3::Reader reader) {
        return client.upload(std::nothrow, us3::Request::from_reader(std::move(reader), "reader"));
    };

    us3::Result result = upload([](char *, std::size_t) -> std::size_t {
        throw std::system_error(ENOSPC, std::generic_category());
    });
    CHECK(result.status == US3_FILE_ERROR && result.os_error == ENOSPC && result.exception != nullptr);
    result = upload([](char *, std::size_t) -> std::size_t { throw 5; });
    CHECK(result.status == US3_FILE_ERROR && result.os_error == EIO && result.exception != nullptr);
    result = upload([](char *, std::size_t capacity) { return capacity + 1; });
    CHECK(result.status == US3_FILE_ERROR && result.exception != nullptr);
    result = upload(us3::Reader());
    CHECK_INT(US3_INVALID_ARGUMENT, result.status);
    CHECK(!object_exists("reader"));
    CHECK_INT(0, pending_uploads());
}

static void callbacks_may_end_everything()
{
    us3::Request request = us3::Request::from_string("x", "ended");
    std::promise<us3::Status> nested;
    auto client = std::make_shared<us3::Client>(test_config());
    auto task = std::make_shared<std::optional<us3::Task>>();
    std::mutex starting;

    request.on_complete = [&nested, &starting, client, task](const us3::Result &) {
        const std::lock_guard<std::mutex> guard(starting);
        const us3::Status status = client->delete_file(std::nothrow, "k").status;
        task->reset();
        nested.set_value(status);
    };
    {
        const std::lock_guard<std::mutex> guard(starting);
        task->emplace(client->start(std::move(request)));
    }
    client.reset(); // the callback's is the last
    CHECK_INT(US3_WOULD_DEADLOCK, nested.get_future().get());
}

// Destroying waits: after it the host's objects may go.
static void destroying_a_task_waits()
{
    us3::Client client(test_config());
    std::atomic<bool> completed{false};
    {
        us3::Request request = us3::Request::from_string(bytes(8 * MIB, 1), "waited");
        request.on_complete = [&](const us3::Result &) { completed = true; };
        const us3::Task task = client.start(std::move(request));
    }
    CHECK(completed);
}

static void many_threads_share_a_client()
{
    us3::Client client(test_config());
    std::vector<std::thread> threads;
    std::atomic<int> stored{0};

    for (int i = 0; i < 8; i++)
        threads.emplace_back([&client, &stored, i] {
            for (int j = 0; j < 10; j++) {
                const std::string key = std::to_string(i) + "-" + std::to_string(j);
                stored += client.upload(std::nothrow, us3::Request::from_string(key, key)).ok() ? 1 : 0;
                client.head_file(key);
            }
        });
    for (auto &thread : threads)
        thread.join();
    CHECK_INT(80, stored);
}

int main()
{
    RUN(the_end_is_told_in_every_way);
    RUN(waiting_and_cancelling);
    RUN(futures);
    RUN(functions_are_released_at_the_end);
    RUN(many_futures_at_once);
    RUN(what_progress_throws_cancels_and_comes_back);
    RUN(false_from_progress_cancels);
    RUN(an_empty_progress_function_is_none);
    RUN(what_comes_too_late_is_held);
    RUN(streams);
    RUN(what_readers_throw);
    RUN(callbacks_may_end_everything);
    RUN(destroying_a_task_waits);
    RUN(many_threads_share_a_client);
    return check_done();
}
