// Calls that never throw, when memory runs out at any of their allocations.
#include "cpp_support.hpp"

#include <cstdlib>
#include <new>

// How many allocations of this thread still succeed; below 0, all do.
static thread_local long allowed = -1;

void *operator new(std::size_t size)
{
    void *const made = allowed == 0 ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (made == nullptr)
        throw std::bad_alloc();
    if (allowed > 0)
        allowed--;
    return made;
}

void operator delete(void *made) noexcept { std::free(made); }
void operator delete(void *made, std::size_t) noexcept { std::free(made); }

// With one allocation more each time, until there are enough. Each end is an answer, never the end of the program.
template <typename F> static void refused_with_any_memory(F call)
{
    for (long enough = 0;; enough++) {
        allowed = enough;
        const us3::Result result = call();
        const bool ran_out = allowed == 0;
        allowed = -1;
        CHECK(result.status == US3_INVALID_ARGUMENT || (ran_out && result.status == US3_INTERNAL_ERROR));
        if (ran_out)
            continue;
        CHECK_HAS(result.err_msg.c_str(), "has a NUL at offset 1");
        CHECK(enough > 3);
        return;
    }
}

static void refusals_without_memory()
{
    us3::Client client(test_config());
    const std::string_view nul("a\0b", 3);
    const us3::PolicyBuilder policy = us3::PolicyBuilder("http://x/").body(nul);

    refused_with_any_memory([&] { return us3::policy_check(std::nothrow, nul); });
    refused_with_any_memory([&] { return policy.build(std::nothrow).result; });
    refused_with_any_memory([&] { return client.delete_file(std::nothrow, nul); });
    refused_with_any_memory([&] { return client.put_file_with_policy(std::nothrow, "f", nul, "", std::nullopt); });
}

int main()
{
    RUN(refusals_without_memory);
    return check_done();
}
