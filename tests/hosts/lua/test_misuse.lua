-- Mistakes of the program, and strings from hostile places.

local ffi = require("ffi")
local us3 = require("us3")
local support = require("support")
local test, equal, fails, matches = support.test, support.equal, support.fails, support.matches

local function raises(pattern, call, ...)
    local ok, message = pcall(call, ...)
    equal(ok, false, "success")
    matches(message, pattern)
    -- It is said where the program called, not within the binding.
    matches(message, "test_misuse%.lua:%d+: us3: ")
end

test("a NUL within a string is refused, and nothing is cut off", function()
    local client = support.client()
    local path = support.file("a", 1)
    local calls = {
        file_path = function() return client:put_file_with_policy("a\0b", "k") end,
        key = function() return client:put_file_with_policy(path, "k\0hidden") end,
        mime_type = function() return client:mput_with_policy(path, "k", "text\0") end,
        policy_json = function() return client:async_upload_with_policy(path, "k", nil, 1, "{}\0") end,
        ["metadata.name"] = function() return client:start({ data = "", key = "k", metadata = { name = "\0" } }) end,
        upload_id = function() return client:abort_upload("k", "id\0") end,
        storage_class = function() return client:upload({ data = "", key = "k", storage_class = "IA\0" }) end,
        public_key = function() return us3.client(support.config({ public_key = "a\0" })) end,
        json_path = function() return us3.client_from_file("a\0") end,
        url = function() return us3.build_policy("http://a\0", "x") end,
        ["vars.x:a"] = function() return us3.build_policy("http://a", "x", nil, { ["x:a"] = "\0" }) end,
    }
    for name, call in pairs(calls) do
        local err = fails("US3_INVALID_ARGUMENT", call())
        matches(err.message, "^" .. name:gsub("%p", "%%%0") .. " contains a NUL at offset %d")
        matches(tostring(err), "Nothing was sent")
    end
    equal(support.seen("requests", '"call"'), 0)
end)

test("what the library refuses comes back as an error", function()
    local client = support.client()
    matches(fails("US3_INVALID_ARGUMENT", client:upload({ data = "x" })).message, "key")
    fails("US3_INVALID_ARGUMENT", client:upload({ key = "k" }))
    fails("US3_INVALID_ARGUMENT", client:upload({ key = "k", data = "x", file_path = "y" }))
    fails("US3_INVALID_ARGUMENT", client:upload({ key = "a/../b", data = "x" }))
    fails("US3_INVALID_ARGUMENT", client:upload({ key = "\255", data = "x" }))
    fails("US3_INVALID_ARGUMENT", client:head_file(nil))
    local err = fails("US3_FILE_ERROR", client:put_file_with_policy("/no/such/file", "k"))
    equal(err.os_error, 2)
    matches(tostring(err), "/no/such/file")
    fails("US3_INVALID_CONFIG", us3.client({}))
    local refused = fails("US3_INVALID_CONFIG", us3.client(support.config({ settle_timeout_ms = 86400001 })))
    matches(refused.message, "settle_timeout_ms")
    fails("US3_FILE_ERROR", us3.client_from_file("/no/such/file"))
end)

test("wrong types and unknown names are raised where the program made the mistake", function()
    local client = support.client()
    raises("key must be a string, not", function() client:upload({ data = "x", key = {} }) end)
    raises("no field polcy", function() client:upload({ data = "x", key = "k", polcy = "{}" }) end)
    raises("no field private_keys", function() us3.client({ private_keys = "secret" }) end)
    raises("mode must be", function() client:start({ data = "x", key = "k", mode = "fast" }) end)
    raises("jobs must be a whole number", function() client:start({ data = "x", key = "k", jobs = 1.5 }) end)
    raises("jobs must be a whole number", function() client:async_upload_with_policy("f", "k", nil, nil) end)
    raises("timeout_ms must be a whole number", function() client:start({ data = "x", key = "k", timeout_ms = -1 }) end)
    raises("data must be a string", function() client:start({ data = 5, key = "k" }) end)
    raises("data_len", function() client:start({ data = ffi.new("char[1]"), key = "k" }) end)
    raises("data_len", function() client:start({ data = "long", data_len = 100000, key = "k" }) end)
    raises("metadata must be a table", function() client:start({ data = "x", key = "k", metadata = "x" }) end)
    raises("what is uploaded must be a table", function() client:upload("path") end)
    raises("verify_etag must be true or false", function() us3.client(support.config({ verify_etag = "no" })) end)
    raises("upload_id must be a string", function() client:abort_upload("k", 7) end)
    raises("settle_timeout_ms must be a whole number", function() us3.client(support.config({ settle_timeout_ms = -1 })) end)
    raises("no field read", function() client:start({ read = function() end, key = "k" }) end)
    equal(support.seen("requests", '"call"'), 0)
end)

test("what is closed or freed says so", function()
    local client = support.client()
    local task = assert(client:start({ data = "x", key = "k" }))
    local multipart = assert(client:initiate_multipart_upload("k"))
    task:wait()
    task:free()
    multipart:free()
    multipart:free()
    client:close()
    raises("the task is freed", function() task:done() end)
    raises("the task is freed", function() task:fd() end)
    raises("the multipart upload is freed", function() multipart:abort() end)
    raises("the client is closed", function() client:head_file("k") end)
    raises("the client is closed", function() client:start({ data = "x", key = "k" }) end)
end)

test("no secret is in an error", function()
    local client = support.client({ public_key = "wrong" })
    local err = fails("US3_SERVICE_ERROR", client:upload({ data = "x", key = "k" }))
    equal(err.http_status, 403)
    for _, value in pairs(err) do
        assert(not tostring(value):find(os.getenv("US3_TEST_PRIVATE_KEY"), 1, true))
    end
end)

test("the library is loaded once, from where it was said", function()
    us3.load(os.getenv("US3_LIBRARY"))
    local ok, message = pcall(us3.load, "/somewhere/else.so")
    equal(ok, false)
    matches(message, "in use already")
    matches(us3.version(), "^%d+%.%d+%.%d+$")
end)

-- A library of another version, made of C.
local function version_is_refused(version)
    local source, library = support.dir .. "/fake.c", support.dir .. "/fake-" .. version .. ".so"
    local file = assert(io.open(source, "w"))
    file:write(('const char *us3_version(void) { return "%s"; }\n'):format(version))
    file:close()
    assert(os.execute(("%s -shared -fPIC -o %s %s"):format(os.getenv("CC") or "cc", library, source)) == 0)
    local pipe = io.popen(("US3_LIBRARY=%s luajit -e 'print(pcall(require(\"us3\").version))' 2>&1"):format(library))
    local output = pipe:read("*a")
    pipe:close()
    return output:find("^false") and output:find("is version " .. version, 1, true) ~= nil, output
end

test("a library whose version does not fit is refused", function()
    equal(version_is_refused("1.0.0"), true)
    equal(version_is_refused("0.0.9"), true)
    equal(version_is_refused("0.1.7"), nil)
    equal(version_is_refused("0.9.0"), nil)
end)

support.main()
