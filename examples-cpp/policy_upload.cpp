// Uploads with a callback from C++: waiting, with a future, from a stream, with progress.
//
//   policy_upload CONFIG FILE CALLBACK_URL
//
// CONFIG is the JSON file with the keys, the bucket and its host. CALLBACK_URL must be reachable from US3, and
// answer JSON; examples-c/callback_service.c is such a service. Each object is deleted again.
//
//   c++ -std=c++17 -Iinclude examples-cpp/policy_upload.cpp -Lbuild/lib -lus3 -o policy_upload
#include <us3.hpp>

#include <ctime>
#include <fstream>
#include <iostream>

namespace {

void report(std::string_view operation, const us3::Result &result)
{
    std::cout << operation << "\n  ETag   " << result.etag << "\n  reply  " << result.body << '\n';
}

// One call that waits: 20 parts at a time, then the callback.
void wait_for_it(us3::Client &client, const std::string &file, const std::string &key, const std::string &policy)
{
    report("AsyncUploadWithPolicy", client.async_upload_with_policy(file, key, "", 20, policy));
}

// Any number of these may run at once, without a thread for each.
void with_a_future(us3::Client &client, const std::string &file, const std::string &key, const std::string &policy)
{
    us3::Request request = us3::Request::from_file(file, key);
    request.policy = policy;
    std::future<us3::Result> future = client.upload_async(std::move(request));
    // … other work …
    report("upload_async", future.get());
}

// Content of any length from anywhere, in bounded memory.
void from_a_stream(us3::Client &client, const std::string &file, const std::string &key, const std::string &policy)
{
    std::ifstream stream(file, std::ios::binary);
    us3::Request request = us3::Request::from_stream(stream, key);
    request.policy = policy;
    request.on_progress = [](const us3::Progress &progress) { std::cout << progress.acknowledged << " bytes stored\n"; };
    report("a stream", client.upload(std::move(request)));
}

void run(const std::string &config, const std::string &file, const std::string &url)
{
    us3::Client client = us3::Client::from_file(config);
    const std::string policy = us3::PolicyBuilder(url)
                                   .body("Name=$(x:name)&Age=$(x:age)")
                                   .var("x:name", "Alice")
                                   .var("x:age", "20")
                                   .build();
    // A key of its own, since the object is deleted afterwards.
    const std::string key = "libus3-example-" + std::to_string(std::time(nullptr));

    for (const auto upload : {wait_for_it, with_a_future, from_a_stream}) {
        upload(client, file, key, policy);
        client.delete_file(key);
    }
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::cerr << "usage: policy_upload CONFIG FILE CALLBACK_URL\n";
        return 2;
    }
    try {
        run(argv[1], argv[2], argv[3]);
        return 0;
    } catch (const us3::Error &error) {
        std::cerr << error.what() << '\n';
        if (error.object_state() == US3_OBJECT_STORED)
            std::cerr << "Do not upload again before you have decided what a second callback would do.\n";
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
