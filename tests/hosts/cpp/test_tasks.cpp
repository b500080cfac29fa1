// Operations that are started, their queue, and unfinished uploads, from C++.
#include "cpp_support.hpp"

#include <map>
#include <poll.h>

static_assert(std::is_nothrow_move_constructible_v<us3::Queue> && !std::is_copy_constructible_v<us3::Queue>);

using namespace std::chrono_literals;

static bool is_readable(int fd)
{
    pollfd poller = {fd, POLLIN, 0};
    return poll(&poller, 1, 60000) == 1;
}

static void every_operation_is_a_task()
{
    us3::Client client(test_config());
    const std::string content = bytes(5 * MIB, 1);
    us3::Result told;
    us3::Start start;
    start.on_complete = [&](const us3::Result &result) { told = result; };

    us3::Task begun = client.initiate_multipart_upload_start("stepwise", "text/x-steps", start);
    CHECK(begun.wait().ok() && told.ok() && !told.upload_id.empty());
    std::optional<us3::Multipart> upload = begun.multipart();
    CHECK(upload && upload->upload_id() == told.upload_id && !begun.multipart());
    us3::Task first = upload->upload_part_start(0, content.data(), 4 * MIB);
    us3::Task second = upload->upload_part_start(1, content.data() + 4 * MIB, MIB);
    CHECK(!first.wait().etag.empty() && second.future().get().ok());
    CHECK_INT(MIB, upload->part_len(1));
    CHECK(upload->finish_with_policy_start(std::nullopt).wait().ok());
    CHECK_HOLDS("stepwise", content);

    us3::Task head = client.head_file_start("stepwise");
    head.wait();
    CHECK(head.file_info().size == content.size() && head.file_info().mime_type == "text/x-steps");
    CHECK(client.delete_file_start("stepwise").wait().ok());
    us3::Task absent = client.head_file_start("stepwise");
    CHECK_INT(404, absent.wait(std::nothrow).http_status);
    CHECK_INT(US3_SERVICE_ERROR, absent.file_info(std::nothrow).result.status);
    CHECK_INT(US3_INVALID_ARGUMENT, client.head_file_start(std::nothrow, std::string_view("a\0b", 3)).result.status);
    us3::Multipart other = client.initiate_multipart_upload("aborted");
    CHECK(other.abort_start().wait().ok());
}

static void what_on_complete_throws_is_kept()
{
    us3::Client client(test_config());
    us3::Start start;
    start.on_complete = [](const us3::Result &) { throw std::runtime_error("mine"); };
    us3::Task task = client.head_file_start("absent", start);
    bool thrown = false;
    try {
        task.wait();
    } catch (const std::runtime_error &error) {
        thrown = std::string(error.what()) == "mine";
    }
    CHECK(thrown);
}

static void a_queue_hands_out_what_has_ended()
{
    us3::Client client(test_config());
    us3::Queue queue;
    std::map<us3_task *, us3::Task> tasks;
    const auto add = [&](us3::Task task) { tasks.emplace(task.get(), std::move(task)); };

    CHECK(queue.next(0ms) == nullptr);
    for (int i = 0; i < 20; i++) {
        us3::Start start;
        start.queue = &queue;
        add(client.head_file_start("absent", start));
        us3::Request request = us3::Request::from_string("x", "there");
        request.queue = &queue;
        add(client.start(std::move(request)));
    }
    int stored = 0;
    while (!tasks.empty()) {
        CHECK(is_readable(queue.fd()));
        const auto ended = tasks.find(queue.next(0ms));
        CHECK(ended != tasks.end());
        if (ended == tasks.end())
            break;
        const us3::Result result = ended->second.wait_for(std::nothrow, 0ms);
        CHECK(result.status == US3_OK || result.http_status == 404);
        stored += result.ok();
        tasks.erase(ended);
    }
    CHECK_INT(20, stored);
    CHECK_INT(US3_PENDING, queue.next(std::nothrow, 1ms).result.status);
}

static void unfinished_uploads_are_listed_opened_and_aborted()
{
    us3::Client client(test_config());
    const std::string content = bytes(5 * MIB, 2);
    std::string id;
    {
        us3::Multipart upload = client.initiate_multipart_upload("left/one");
        id = upload.upload_id();
        upload.upload_part(0, content.data(), 4 * MIB);
    }
    { const us3::Multipart upload = client.initiate_multipart_upload("left/two"); }

    const std::vector<us3::Unfinished> left = client.list_uploads("left/");
    CHECK_INT(2, left.size());
    CHECK(left[0].key == "left/one" && left[0].upload_id == id && left[0].started > 1500000000);
    us3::Multipart upload = client.multipart_open("left/one", id);
    CHECK(upload.part_len(0) == 4 * MIB && upload.part_len(1) == 0 && upload.part_size() == 4 * MIB);
    upload.upload_part(1, content.data() + 4 * MIB, MIB);
    upload.finish_with_policy(std::nullopt);
    CHECK_HOLDS("left/one", content);

    int told = 0;
    client.list_uploads_start("left/", [&](const us3::Unfinished &) { return ++told < 1; }).wait();
    CHECK_INT(1, told);
    us3::Task throwing = client.list_uploads_start("left/", [](const us3::Unfinished &) -> bool { throw 5; });
    CHECK(throwing.wait(std::nothrow).exception != nullptr);
    CHECK_INT(US3_INVALID_ARGUMENT, client.list_uploads_start(std::nothrow, "", nullptr).result.status);
    us3::Task opening = client.multipart_open_start("left/two", left[1].upload_id);
    opening.wait();
    CHECK(opening.multipart().has_value());
    CHECK(client.abort_upload_start("left/two", left[1].upload_id).wait().ok());
    CHECK_INT(0, client.list_uploads().size());
}

int main()
{
    RUN(every_operation_is_a_task);
    RUN(what_on_complete_throws_is_kept);
    RUN(a_queue_hands_out_what_has_ended);
    RUN(unfinished_uploads_are_listed_opened_and_aborted);
    return check_done();
}
