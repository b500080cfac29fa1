-- The loaded library: found when it is first needed, and refused when its version does not fit.

local ffi = require("ffi")
local header = require("us3.cdef")

local library = {}
local loaded, loaded_from

-- By its soname, so that a library with another binary interface is never found.
local SONAME = "libus3.so." .. header.US3_VERSION_MAJOR

local function check_version(lib, path)
    local version = ffi.string(lib.us3_version())
    local major, minor = version:match("^(%d+)%.(%d+)%.")
    -- A newer minor version has everything that this one has.
    if tonumber(major) ~= header.US3_VERSION_MAJOR or tonumber(minor) < header.US3_VERSION_MINOR then
        error(("us3: %s is version %s, and this module needs %d.%d or a later %d: install the two together"):format(
            path, version, header.US3_VERSION_MAJOR, header.US3_VERSION_MINOR, header.US3_VERSION_MAJOR), 0)
    end
end

-- Loads the library from a path, or under a name that the system's loader knows.
function library.load(path)
    if loaded then
        if path ~= loaded_from then
            error(("us3: %s is in use already; us3.load comes first"):format(loaded_from), 2)
        end
        return
    end
    local lib = ffi.load(path)
    check_version(lib, path)
    loaded, loaded_from = lib, path
end

-- What the functions of the library are called through.
function library.get()
    if not loaded then
        library.load(os.getenv("US3_LIBRARY") or SONAME)
    end
    return loaded
end

function library.version()
    return ffi.string(library.get().us3_version())
end

return library
