-- A client of one bucket. One for each process (nginx: for each worker) is enough, and keeps connections.

local ffi = require("ffi")
local handle = require("us3.handle")
local header = require("us3.cdef")
local library = require("us3.library")
local multipart = require("us3.multipart")
local outcome = require("us3.outcome")
local request = require("us3.request")
local task = require("us3.task")
local values = require("us3.values")

local client = {}

local Client = {}
Client.__index = Client

local UINT32_MAX = 2 ^ 32 - 1

-- ---- making and freeing ------------------------------------------------------------------------

local TEXTS = {
    "public_key", "private_key", "security_token", "bucket_name", "file_host", "endpoint", "proxy", "ca_file",
}
local FLAGS = { "verify_upload_md5", "verify_etag", "use_env_proxy", "callback_at_least_once" }
local NUMBERS = {
    "connect_timeout_ms", "idle_timeout_ms", "response_timeout_ms", "settle_timeout_ms", "max_retries",
    "worker_threads", "max_concurrent_uploads",
}

local checks = {}
for _, name in ipairs(TEXTS) do
    checks[name] = values.refused
end
for _, name in ipairs(FLAGS) do
    checks[name] = function(_, value) values.boolean(name, value) end
end
for _, name in ipairs(NUMBERS) do
    checks[name] = function(_, value) values.integer(name, value, 0, UINT32_MAX) end
end

-- Uploads that run are not waited for, also when the Lua state is closed.
local function free(state)
    local client_handle = handle.take(state)
    if not client_handle then
        return
    end
    local lib = library.get()
    for out in pairs(state.running) do
        if out[0] ~= nil then
            lib.us3_task_cancel(out[0])
        end
    end
    lib.us3_client_free(client_handle)
end

-- A client that `make` makes.
local function new(make)
    local state = { running = {} }
    local guard = handle.place("us3_client", state, free)
    local result = outcome.new()
    if make(state.out, result) ~= header.US3_OK then
        return outcome.take(result)
    end
    return setmetatable({ state = state, guard = guard }, Client)
end

-- A client from a table with the members of us3_config.
function client.new(config)
    local struct = outcome.struct("us3_config")
    -- The struct points into strings of the table, which the caller holds.
    for name, value in pairs(values.table("the configuration", config)) do
        local check = checks[name] or values.mistake(("a configuration has no field %s"):format(tostring(name)))
        local refused = check(name, value)
        if refused then
            return nil, refused
        end
        struct[name] = value
    end
    return new(function(out, result)
        local status = library.get().us3_client_new(struct, out, result)
        -- Alive until here.
        return status, config
    end)
end

-- A client from the JSON file of the vendor's SDKs.
function client.from_file(json_path)
    local refused = values.refused("json_path", json_path)
    if refused then
        return nil, refused
    end
    return new(function(out, result)
        return library.get().us3_client_from_file(json_path, out, result)
    end)
end

local function handle_of(self)
    return handle.of(self.state) or values.mistake("the client is closed")
end

-- Cancels the uploads that run, waits for their end, and frees the client; tasks keep what became of them.
function Client:close()
    free(self.state)
end

-- ---- the operations of the vendor's page; each blocks until the callback has answered -----------

-- PutFileWithPolicy and its likes differ in the function only.
local function file_operation(name)
    return function(self, file_path, key, mime_type, policy_json)
        local client_handle = handle_of(self)
        local refused = values.any_refused("file_path", file_path, "key", key, "mime_type", mime_type,
            "policy_json", policy_json)
        if refused then
            return nil, refused
        end
        local result = outcome.new()
        library.get()[name](client_handle, file_path, key, mime_type, policy_json, result)
        return outcome.take(result)
    end
end

Client.put_file_with_policy = file_operation("us3_put_file_with_policy")
Client.mput_with_policy = file_operation("us3_mput_with_policy")
Client.async_mput_with_policy = file_operation("us3_async_mput_with_policy")

function Client:async_upload_with_policy(file_path, key, mime_type, jobs, policy_json)
    local client_handle = handle_of(self)
    local refused = values.any_refused("file_path", file_path, "key", key, "mime_type", mime_type,
        "policy_json", policy_json)
    if refused then
        return nil, refused
    end
    values.integer("jobs", jobs, -2 ^ 31, 2 ^ 31 - 1)
    local result = outcome.new()
    library.get().us3_async_upload_with_policy(client_handle, file_path, key, mime_type, jobs, policy_json, result)
    return outcome.take(result)
end

-- InitiateMultipartUpload; the fifth operation is multipart:finish_with_policy. Blocks.
function Client:initiate_multipart_upload(key, mime_type)
    local client_handle = handle_of(self)
    local refused = values.any_refused("key", key, "mime_type", mime_type)
    if refused then
        return nil, refused
    end
    local upload, out = multipart.new(self.guard)
    local result = outcome.new()
    if library.get().us3_initiate_multipart_upload(client_handle, key, mime_type, out, result) ~= header.US3_OK then
        return outcome.take(result)
    end
    return upload
end

-- Aborts an unfinished multipart upload by its name, the upload_id of the result or error that left it. Blocks.
function Client:abort_upload(key, upload_id)
    local client_handle = handle_of(self)
    local refused = values.any_refused("key", key, "upload_id", upload_id)
    if refused then
        return nil, refused
    end
    local result = outcome.new()
    library.get().us3_abort_upload(client_handle, key, upload_id, result)
    return outcome.take(result)
end

-- ---- uploads of every kind ---------------------------------------------------------------------

-- Uploads what `fields`, with the names of us3_upload_request, ask for. Blocks.
function Client:upload(fields)
    local client_handle = handle_of(self)
    local struct, borrowed = request.new(fields)
    if not struct then
        return nil, borrowed
    end
    local result = outcome.new()
    library.get().us3_upload(client_handle, struct, result)
    -- Alive until here.
    borrowed.done = true
    return outcome.take(result)
end

-- Starts the same, and returns a task at once.
function Client:start(fields)
    local client_handle = handle_of(self)
    task.reap()
    local struct, borrowed = request.new(fields)
    if not struct then
        return nil, borrowed
    end
    local upload, out = task.new(borrowed, self.guard, self.state.running)
    local result = outcome.new()
    if library.get().us3_upload_start(client_handle, struct, out, result) ~= header.US3_OK then
        return outcome.take(result)
    end
    return upload
end

-- ---- objects; each blocks ----------------------------------------------------------------------

-- HeadFile: { size, last_modified, etag, mime_type }.
function Client:head_file(key)
    local client_handle = handle_of(self)
    local refused = values.refused("key", key)
    if refused then
        return nil, refused
    end
    local lib = library.get()
    local info = outcome.struct("us3_file_info")
    local result = outcome.new()
    lib.us3_head_file(client_handle, key, info, result)
    local taken, failure = outcome.take(result)
    if not taken then
        return nil, failure
    end
    return {
        size = tonumber(info.size),
        -- Seconds since 1970, nil when the service does not say.
        last_modified = info.last_modified >= 0 and tonumber(info.last_modified) or nil,
        etag = info.etag ~= nil and ffi.string(info.etag) or nil,
        mime_type = info.mime_type ~= nil and ffi.string(info.mime_type) or nil,
    }
end

-- DeleteFile.
function Client:delete_file(key)
    local client_handle = handle_of(self)
    local refused = values.refused("key", key)
    if refused then
        return nil, refused
    end
    local result = outcome.new()
    library.get().us3_delete_file(client_handle, key, result)
    return outcome.take(result)
end

return client
