// include/us3.hpp as a program's first and only include, twice; with alone_too.cpp, in two files of a program.
#include <us3.hpp>
#include <us3.hpp>

std::string_view version_elsewhere();

int main() { return us3::version() == version_elsewhere() ? 0 : 1; }
