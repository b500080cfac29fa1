// The calls that wait, from C++: what they take, return and throw.
#include "cpp_support.hpp"

#include <atomic>
#include <thread>

static_assert(std::is_nothrow_move_constructible_v<us3::Client> && !std::is_copy_constructible_v<us3::Client>);
static_assert(std::is_nothrow_move_assignable_v<us3::Task> && !std::is_copy_constructible_v<us3::Task>);
static_assert(std::is_nothrow_move_constructible_v<us3::Multipart> && !std::is_copy_constructible_v<us3::Multipart>);
static_assert(std::is_nothrow_copy_constructible_v<us3::Error>);

using Error = std::optional<us3::Error>;

static std::string policy_for(const char *path)
{
    return us3::PolicyBuilder(std::string(env("US3_TEST_CALLBACK")) + "/" + path)
        .body("name=$(x:name)&age=20")
        .var("x:name", "Alice")
        .build();
}

static void the_five_operations()
{
    us3::Client client(test_config());
    const std::string content = bytes(9 * MIB, 1);
    const char *const file = test_file("video", 9 * MIB, 1);

    const us3::Result put = client.put_file_with_policy(file, "put", "video/mp4", policy_for("put"));
    CHECK(put.ok() && put && put.http_status == 200 && put.attempts == 1 && put.bytes_sent == content.size());
    CHECK(put.object_state == US3_OBJECT_STORED && put.callback_state == US3_CALLBACK_DELIVERED);
    CHECK_HAS(put.body.c_str(), "name=Alice&age=20");
    CHECK(!put.etag.empty() && !put.session_id.empty() && put.err_msg.empty());
    CHECK_HAS(put.describe().c_str(), "US3_OK");
    client.mput_with_policy(file, "mput", "", policy_for("mput"));
    client.async_mput_with_policy(file, "async-mput", "", policy_for("async-mput"));
    client.async_upload_with_policy(file, "async-upload", "", 3, std::nullopt);

    us3::Multipart upload = client.initiate_multipart_upload("by-hand");
    CHECK(!upload.upload_id().empty() && upload.part_size() == 4 * MIB);
    std::uint32_t number = 0;
    for (std::size_t at = 0; at < content.size(); at += 4 * MIB, number++)
        CHECK(!upload.upload_part(number, content.data() + at, std::min(4 * MIB, content.size() - at)).etag.empty());
    upload.finish_with_policy(policy_for("by-hand"));

    for (const char *key : {"put", "mput", "async-mput", "async-upload", "by-hand"})
        CHECK_HOLDS(key, content);
    for (const char *path : {"/put", "/mput", "/async-mput", "/by-hand"})
        CHECK_INT(1, callbacks_with(path));
}

static void head_delete_and_their_404()
{
    us3::Client client(test_config());
    Error error;

    client.upload(us3::Request::from_string("hello", "there"));
    const us3::FileInfo info = client.head_file("there");
    CHECK(info.size == 5 && !info.etag.empty() && info.last_modified > 1500000000);
    client.delete_file("there");
    CHECK(!object_exists("there"));
    CHECK_THROWS(us3::Error, client.head_file("there"), error);
    REQUIRE(error);
    CHECK(error->status() == US3_SERVICE_ERROR && error->http_status() == 404 && !error->session_id().empty());
    const us3::Outcome<us3::FileInfo> outcome = client.head_file(std::nothrow, "there");
    CHECK(!outcome && !outcome.value && outcome.result.http_status == 404);
    CHECK_INT(404, client.delete_file(std::nothrow, "there").http_status);
}

static void an_error_says_everything()
{
    us3::Client client(test_config());
    const char *const policy = R"({"callbackUrl":"http://127.0.0.1:1/","callbackBody":"{}","callbackBodyType":"application/json"})";
    Error error;

    CHECK_THROWS(us3::Error, client.put_file_with_policy(test_file("f", 5, 1), "down", "", policy), error);
    REQUIRE(error);
    CHECK_INT(US3_CALLBACK_FAILED, error->status());
    CHECK_INT(599, error->http_status());
    CHECK_INT(20003, error->ret_code());
    CHECK(error->object_state() == US3_OBJECT_STORED && error->callback_state() == US3_CALLBACK_NOT_DELIVERED);
    CHECK(!error->session_id().empty() && error->upload_id().empty());
    CHECK_HAS(error->body().c_str(), "20003");
    CHECK_HAS(error->what(), error->session_id().c_str());
    CHECK_HAS(error->what(), "US3_CALLBACK_FAILED");
    CHECK(!error->result().ok());
    CHECK(object_exists("down"));

    error.reset();
    CHECK_THROWS(us3::Error, client.put_file_with_policy("/no/such/file", "k", "", std::nullopt), error);
    REQUIRE(error);
    CHECK(error->status() == US3_FILE_ERROR && error->os_error() == ENOENT);
}

// C would see the text up to the NUL only: another key, a policy cut short.
static void nuls_are_refused()
{
    emulator_reset();
    us3::Client client(test_config());
    const std::string nul = "a\0b"s;
    const char *const file = test_file("f", 5, 1);
    us3::Config config = test_config();
    const auto refused = [&](const us3::Result &result, const char *what) {
        CHECK_INT(US3_INVALID_ARGUMENT, result.status);
        CHECK_HAS(result.err_msg.c_str(), what);
        CHECK_HAS(result.err_msg.c_str(), "offset 1");
    };

    refused(client.put_file_with_policy(std::nothrow, nul, "k", "", std::nullopt), "file_path");
    refused(client.mput_with_policy(std::nothrow, file, nul, "", std::nullopt), "key");
    refused(client.async_mput_with_policy(std::nothrow, file, "k", nul, std::nullopt), "mime_type");
    refused(client.async_upload_with_policy(std::nothrow, file, "k", "", 1, nul), "policy");
    refused(client.head_file(std::nothrow, nul).result, "key");
    refused(client.delete_file(std::nothrow, nul), "key");
    refused(client.abort_upload(std::nothrow, nul, "id"), "key");
    refused(client.abort_upload(std::nothrow, "k", nul), "upload_id");
    refused(client.initiate_multipart_upload(std::nothrow, nul).result, "key");
    refused(client.upload(std::nothrow, us3::Request::from_file(nul, "k")), "file_path");
    refused(client.upload(std::nothrow, us3::Request::from_string("x", nul)), "key");
    us3::Request request = us3::Request::from_string("x", "k");
    request.metadata = {{"color", nul}};
    refused(client.start(std::nothrow, request).result, "metadata");
    refused(us3::policy_check(std::nothrow, nul), "policy_json");
    refused(us3::PolicyBuilder("http://x/").body(nul).build(std::nothrow).result, "body");
    refused(us3::Client::from_file(std::nothrow, nul).result, "json_path");
    config.public_key = nul;
    refused(us3::Client::make(std::nothrow, config).result, "public_key");
    CHECK_INT(0, requests_seen("put") + requests_seen("abort"));
    // Content is bytes.
    client.upload(us3::Request::from_string(nul, "nul"));
    CHECK_HOLDS("nul", nul);
}

static void an_empty_policy_is_not_no_policy()
{
    us3::Client client(test_config());
    const char *const file = test_file("f", 5, 1);

    CHECK_INT(US3_INVALID_POLICY, client.put_file_with_policy(std::nothrow, file, "k", "", "").status);
    CHECK_INT(US3_INVALID_POLICY, client.put_file_with_policy(std::nothrow, file, "k", "", std::string_view()).status);
    us3::Request request = us3::Request::from_string("x", "k");
    request.policy = "";
    CHECK_INT(US3_INVALID_POLICY, client.upload(std::nothrow, request).status);
    request.policy.reset();
    CHECK_INT(US3_OK, client.upload(std::nothrow, request).status);
}

static void configurations()
{
    const char *const json = test_text_file("config.json", format("{\"public_key\":\"%s\",\"private_key\":\"%s\","
        "\"bucket_name\":\"demo\",\"endpoint\":\"%s\"}", TEST_PUBLIC_KEY, TEST_PRIVATE_KEY, env("US3_TEST_ENDPOINT")));
    us3::Config config = test_config();
    Error error;

    us3::Client::from_file(json).upload(us3::Request::from_string("x", "from-file"));
    CHECK(object_exists("from-file"));
    CHECK_INT(US3_FILE_ERROR, us3::Client::from_file(std::nothrow, "/no/such.json").result.status);

    // Each member arrives: what is out of range is refused by its name.
    config.worker_threads = 257;
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "worker_threads");
    config.worker_threads = 1;
    config.max_concurrent_uploads = 4097;
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "max_concurrent_uploads");
    config.max_concurrent_uploads = 1;
    config.proxy = "nonsense://";
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "proxy");
    config.proxy.clear();
    config.connect_timeout = std::chrono::milliseconds(-1);
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "connect_timeout");
    config.connect_timeout = std::chrono::hours(24 * 50);
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "connect_timeout");
    config.connect_timeout = std::chrono::seconds(1);
    config.settle_timeout = std::chrono::hours(25);
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "settle_timeout_ms");
    config.settle_timeout = std::chrono::milliseconds(-1);
    CHECK_HAS(us3::Client::make(std::nothrow, config).result.err_msg.c_str(), "settle_timeout");
    config.settle_timeout = std::chrono::seconds(1);
    CHECK(us3::Client::make(std::nothrow, config).result.ok());
    config.private_key.clear();
    CHECK_THROWS(us3::Error, us3::Client{config}, error);
    CHECK(error && error->status() == US3_INVALID_CONFIG);
}

static void limits_arrive()
{
    fake_service *fake = fake_start();
    us3::Config config = config_without_retries(fake_url(fake));
    fake_set(fake, FAKE_PUT, FAKE_STALL);
    config.response_timeout = std::chrono::milliseconds(200);
    {
        us3::Client client(config);
        CHECK_INT(US3_TIMEOUT, client.upload(std::nothrow, us3::Request::from_string("x", "k")).status);
        CHECK_INT(1, fake_count(fake, FAKE_PUT));
    }
    config.response_timeout = std::chrono::milliseconds(0);
    {
        us3::Client client(config);
        us3::Request request = us3::Request::from_string("x", "k");
        request.timeout = std::chrono::milliseconds(200);
        CHECK_INT(US3_TIMEOUT, client.upload(std::nothrow, request).status);
    }
    fake_stop(fake);
}

static void policies()
{
    Error error;

    CHECK_EQUAL(R"({"callbackUrl":"http://x/","callbackBody":"a \"b\"","callbackBodyType":"text/plain"})",
                us3::PolicyBuilder("http://x/").body("a \"b\"", "text/plain").build());
    us3::policy_check(us3::PolicyBuilder("http://x/").body("n=$(x:n)").var("x:n", "1").build());
    CHECK_THROWS(us3::Error, us3::policy_check("{"), error);
    CHECK(error && error->status() == US3_INVALID_POLICY);
    error.reset();
    CHECK_THROWS(us3::Error, us3::PolicyBuilder("http://x/").body("n=$(x:n)").build(), error);
    REQUIRE(error);
    CHECK_HAS(error->what(), "x:n");
    CHECK_INT(US3_INVALID_POLICY, us3::PolicyBuilder("ftp://x/").body("").build(std::nothrow).result.status);
}

static void a_failed_finish_can_be_repeated()
{
    fake_service *fake = fake_start();
    Error error;

    fake_set(fake, FAKE_FINISH, fake_answer(400, "", R"({"RetCode":-148660,"ErrMsg":"invalid put policy"})"));
    {
        us3::Client client(config_without_retries(fake_url(fake)));
        us3::Multipart upload = client.initiate_multipart_upload("again", "text/plain");
        upload.upload_part(0, "hello", 5);
        CHECK_THROWS(us3::Error, upload.finish_with_policy(std::nullopt), error);
        REQUIRE(error);
        CHECK(error->ret_code() == -148660 && !error->upload_id().empty());
        CHECK_EQUAL(upload.upload_id(), error->upload_id());
        fake_set(fake, FAKE_FINISH, fake_answer(200, "ETag: \"fake\"\r\n", "{}"));
        upload.finish_with_policy(std::nullopt);
    }
    fake_stop(fake);
}

static void an_abort_leaves_nothing()
{
    emulator_reset();
    us3::Client client(test_config());
    us3::Multipart upload = client.initiate_multipart_upload("given-up");

    upload.upload_part(0, "hello", 5);
    CHECK_INT(1, pending_uploads());
    upload.abort();
    CHECK_INT(0, pending_uploads());
    CHECK_INT(US3_INVALID_ARGUMENT, upload.upload_part(std::nothrow, 0, "x", 1).status);
}

static void an_upload_is_aborted_by_its_name()
{
    emulator_reset();
    us3::Client client(test_config());
    std::string id;
    Error error;

    {
        us3::Multipart upload = client.initiate_multipart_upload("left");
        upload.upload_part(0, "hello", 5);
        id = upload.upload_id();
    }
    CHECK_INT(1, pending_uploads());
    // A view of a longer text, which goes no further than the view.
    const std::string longer = id + "x";
    const us3::Result aborted = client.abort_upload("left", std::string_view(longer).substr(0, id.size()));
    CHECK(aborted.ok());
    CHECK_EQUAL(id, aborted.upload_id);
    CHECK_INT(0, pending_uploads());
    CHECK_THROWS(us3::Error, client.abort_upload("left", id), error);
    REQUIRE(error);
    CHECK(error->status() == US3_SERVICE_ERROR && error->http_status() == 404 && error->upload_id().empty());
    CHECK_INT(US3_INVALID_ARGUMENT, client.abort_upload(std::nothrow, "left", "").status);
    CHECK_INT(US3_INVALID_ARGUMENT, client.abort_upload(std::nothrow, "", id).status);
}

static void states_have_names()
{
    CHECK_EQUAL("US3_OBJECT_STORED", us3::object_state_name(US3_OBJECT_STORED));
    CHECK_EQUAL("US3_UNKNOWN_OBJECT_STATE", us3::object_state_name(-1));
    CHECK_EQUAL("US3_CALLBACK_REPLY_REFUSED", us3::callback_state_name(US3_CALLBACK_REPLY_REFUSED));
    CHECK_EQUAL("US3_UNKNOWN_CALLBACK_STATE", us3::callback_state_name(99));
}

static void moved_from_is_an_error_not_a_crash()
{
    us3::Client client(test_config());
    us3::Multipart multipart = client.initiate_multipart_upload("k");
    us3::Task task = client.start(us3::Request::from_string("x", "moved"));
    us3::Client client2(std::move(client));
    us3::Multipart multipart2(std::move(multipart));
    us3::Task task2(std::move(task));

    CHECK(client.get() == nullptr && client2.get() != nullptr);
    CHECK_INT(US3_INVALID_ARGUMENT, client.delete_file(std::nothrow, "k").status);
    CHECK_INT(US3_INVALID_ARGUMENT, client.start(std::nothrow, us3::Request::from_string("x", "k")).result.status);
    CHECK_INT(US3_INVALID_ARGUMENT, multipart.abort(std::nothrow).status);
    CHECK(multipart.upload_id().empty() && multipart.part_size() == 0);
    CHECK_INT(US3_INVALID_ARGUMENT, task.wait(std::nothrow).status);
    CHECK(task.fd() == -1 && !task.progress(std::nothrow));
    std::optional<std::future_error> error;
    CHECK_THROWS(std::future_error, task.future(), error);
    multipart2.abort();
    task2.wait();
}

static void the_rest_of_a_request_arrives()
{
    emulator_reset();
    us3::Client client(test_config());
    us3::Request request = us3::Request::from_memory("hello", 5, "metadata");

    request.mime_type = "text/x-test";
    request.storage_class = "IA";
    request.metadata = {{"color", "blue"}, {"size", ""}};
    client.upload(request);
    CHECK_HAS(emulator_state(), "\"content_type\":\"text/x-test\",\"storage_class\":\"IA\",\"metadata\":{\"color\":\"blue\"");
    request.mode = US3_MODE_MPUT;
    request.jobs = 2;
    client.upload(request);
    CHECK_INT(1, requests_seen("initiate"));
    client.upload(us3::Request::from_memory(nullptr, 0, "empty"));
    CHECK_HOLDS("empty", ""s);
    CHECK_INT(US3_INVALID_ARGUMENT, client.upload(std::nothrow, us3::Request::from_memory(nullptr, 5, "k")).status);

    us3::Request kept = us3::Request::from_file(test_file("big", 9 * MIB, 3), "resumed");
    kept.resume_path = test_path("checkpoint");
    CHECK_INT(0, client.upload(kept).parts_resumed);
    CHECK_HOLDS("resumed", bytes(9 * MIB, 3));
}

static void the_log()
{
    us3::Client client(test_config());
    std::mutex lock;
    std::string lines;
    int levels = 0;

    us3::set_logger(US3_LOG_DEBUG, [&](us3::LogLevel level, std::string_view line) {
        const std::lock_guard<std::mutex> guard(lock);
        levels |= 1 << level;
        lines.append(line).append("\n");
        // Setting a logger in the logger would wait for itself.
        if (us3::set_logger(std::nothrow, US3_LOG_OFF, nullptr).status != US3_WOULD_DEADLOCK)
            lines.append("no deadlock found");
        throw std::runtime_error("goes nowhere");
    });
    client.upload(us3::Request::from_string("x", "logged"));
    us3::set_logger(US3_LOG_OFF, nullptr);
    const std::string until_then = lines;
    CHECK_HAS(until_then.c_str(), "logged");
    CHECK(strstr(until_then.c_str(), "no deadlock found") == nullptr);
    CHECK((levels & (1 << US3_LOG_DEBUG)) != 0 && (levels & (1 << US3_LOG_TRACE)) == 0);
    client.upload(us3::Request::from_string("x", "not-logged"));
    CHECK_EQUAL(until_then, lines);
    CHECK_INT(US3_INVALID_ARGUMENT,
              us3::set_logger(std::nothrow, static_cast<us3::LogLevel>(77), [](us3::LogLevel, std::string_view) {}).status);
}

// Another thread is setting a logger, and waits for the one that is running; that must not wait for it.
static void setting_a_logger_in_the_logger_while_another_does()
{
    us3::Client client(test_config());
    std::promise<void> running;
    std::atomic<int> lines{0}, nested{-1};

    us3::set_logger(US3_LOG_INFO, [&](us3::LogLevel, std::string_view) {
        if (lines++ != 0)
            return;
        running.set_value();
        while (us3::detail::LoggerSlot::get().changing.try_lock()) {
            us3::detail::LoggerSlot::get().changing.unlock();
            std::this_thread::yield();
        }
        nested = us3::set_logger(std::nothrow, US3_LOG_OFF, nullptr).status;
    });
    us3::Task task = client.start(us3::Request::from_string("x", "k"));
    running.get_future().wait();
    us3::set_logger(US3_LOG_OFF, nullptr);
    CHECK_INT(US3_WOULD_DEADLOCK, nested);
    task.wait();
}

// What a logger holds may set another when it goes; here on a thread, so that a deadlock has an end.
static void the_old_logger_goes_when_another_may_be_set()
{
    std::thread setting;
    bool set = false;
    {
        const std::shared_ptr<void> held(nullptr, [&](void *) {
            auto done = std::make_shared<std::promise<void>>();
            setting = std::thread([done] {
                us3::set_logger(US3_LOG_OFF, nullptr);
                done->set_value();
            });
            set = done->get_future().wait_for(std::chrono::seconds(20)) == std::future_status::ready;
        });
        us3::set_logger(US3_LOG_ERROR, [held](us3::LogLevel, std::string_view) {});
    }
    us3::set_logger(US3_LOG_OFF, nullptr);
    CHECK(set);
    if (setting.joinable())
        setting.join();
}

static void names()
{
    CHECK_EQUAL(US3_VERSION, us3::version());
    CHECK_EQUAL("US3_FILE_CHANGED", us3::status_name(US3_FILE_CHANGED));
    CHECK_EQUAL("US3_UNKNOWN_STATUS", us3::status_name(4711));
}

int main()
{
    RUN(the_five_operations);
    RUN(head_delete_and_their_404);
    RUN(an_error_says_everything);
    RUN(nuls_are_refused);
    RUN(an_empty_policy_is_not_no_policy);
    RUN(configurations);
    RUN(limits_arrive);
    RUN(policies);
    RUN(a_failed_finish_can_be_repeated);
    RUN(an_abort_leaves_nothing);
    RUN(an_upload_is_aborted_by_its_name);
    RUN(states_have_names);
    RUN(moved_from_is_an_error_not_a_crash);
    RUN(the_rest_of_a_request_arrives);
    RUN(the_log);
    RUN(setting_a_logger_in_the_logger_while_another_does);
    RUN(the_old_logger_goes_when_another_may_be_set);
    RUN(names);
    return check_done();
}
