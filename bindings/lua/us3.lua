-- libus3 for LuaJIT: uploads to UCloud US3 object storage, with upload callbacks. README.md is the manual.
--
-- Nothing of Lua is ever called from a thread of the library. An upload that is started runs by
-- itself; the program asks how far it is, or waits on its descriptor.

local library = require("us3.library")
local client = require("us3.client")
local policy = require("us3.policy")

return {
    -- us3.load(path): loads this library instead of the one that US3_LIBRARY or the system names. Before
    -- everything else.
    load = library.load,
    -- us3.version(): of the library that is loaded.
    version = library.version,

    -- us3.client(config), us3.client_from_file(json_path) → client, or nil and an error
    client = client.new,
    client_from_file = client.from_file,

    -- us3.build_policy(url, body, body_type, vars) → JSON, or nil and an error
    build_policy = policy.build,
    -- us3.check_policy(json) → true, or nil and an error
    check_policy = policy.check,
}
