// The same in C++: upload CONFIG FILE KEY CALLBACK_URL
#include <us3.hpp>

#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 5 || us3::version() != US3_VERSION)
        return 2;
    try {
        us3::Client client = us3::Client::from_file(argv[1]);
        us3::Request request = us3::Request::from_file(argv[2], argv[3]);
        request.policy = us3::PolicyBuilder(argv[4]).body(argv[3], "text/plain").build();
        std::cout << client.upload_async(std::move(request)).get().describe() << '\n';
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
