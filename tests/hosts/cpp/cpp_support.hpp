// What the C++ tests share: the harness and the look at the servers are those of the C tests.
#ifndef CPP_SUPPORT_HPP
#define CPP_SUPPORT_HPP

#include <us3.hpp>

// C's own name space for structs, in which a function may have the name of one.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "../../c/support.h"
}
#pragma GCC diagnostic pop

#include <cstring>
#include <string>
#include <string_view>

using namespace std::string_literals;

/// The test's keys and bucket at the emulator, or at another endpoint.
inline us3::Config test_config(const char *endpoint = nullptr)
{
    us3::Config config;
    config.public_key = TEST_PUBLIC_KEY;
    config.private_key = TEST_PRIVATE_KEY;
    config.bucket_name = TEST_BUCKET;
    config.endpoint = endpoint == nullptr ? env("US3_TEST_ENDPOINT") : endpoint;
    return config;
}

/// The same that never repeats a request.
inline us3::Config config_without_retries(const char *endpoint)
{
    us3::Config config = test_config(endpoint);
    config.max_retries = 0;
    return config;
}

inline std::string bytes(std::size_t size, std::uint32_t seed)
{
    const unsigned char *const made = test_bytes(size, seed);
    return std::string(reinterpret_cast<const char *>(made), size);
}

inline void check_holds(const char *file, int line, const char *key, const std::string &content)
{
    check_stored(file, line, key, reinterpret_cast<const unsigned char *>(content.data()), content.size());
}
#define CHECK_HOLDS(key, content) check_holds(__FILE__, __LINE__, (key), (content))

#define CHECK_EQUAL(expected, actual) CHECK_STR(std::string(expected).c_str(), std::string(actual).c_str())

/// The expression throws this type; `caught` then holds a copy of it.
#define CHECK_THROWS(type, expression, caught) \
    do { \
        bool thrown_ = false; \
        try { \
            expression; \
        } catch (const type &error_) { \
            thrown_ = true; \
            caught.emplace(error_); \
        } \
        if (!thrown_) \
            check_fail(__FILE__, __LINE__, "%s does not throw %s", #expression, #type); \
    } while (0)

#endif
