// See alone.cpp.
#include <us3.hpp>

std::string_view version_elsewhere();

std::string_view version_elsewhere()
{
    const us3::Outcome<us3::Client> client = us3::Client::make(std::nothrow, us3::Config());
    return client ? std::string_view() : us3::version();
}
