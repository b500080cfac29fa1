-- What became of a call: a us3_result made into a table, or into nil and an error.

local ffi = require("ffi")
local header = require("us3.cdef")
local library = require("us3.library")

local outcome = {}

local Error = {}
Error.__index = Error

-- One readable paragraph: what failed, why, what is stored, what to do.
function Error:__tostring()
    return self.description
end

-- { [1] = "STORED", … } of the enumerators with this prefix.
local function names_of(prefix)
    local names = {}
    for name, number in pairs(header) do
        if name:sub(1, #prefix) == prefix then
            names[number] = name:sub(#prefix + 1)
        end
    end
    return names
end

local OBJECT_STATES = names_of("US3_OBJECT_")
local CALLBACK_STATES = names_of("US3_CALLBACK_")
-- US3_CALLBACK_FAILED is a status.
CALLBACK_STATES[header.US3_CALLBACK_FAILED] = nil

local function text(pointer)
    return pointer ~= nil and ffi.string(pointer) or nil
end

local function describe(result)
    local lib = library.get()
    local description = lib.us3_result_describe(result)
    local copy = text(description)
    lib.us3_string_free(description)
    return copy or ffi.string(lib.us3_status_name(result.status))
end

local function to_table(result)
    return {
        status = result.status,
        name = ffi.string(library.get().us3_status_name(result.status)),
        http_status = result.http_status,
        ret_code = result.ret_code,
        os_error = result.os_error,
        object_state = OBJECT_STATES[result.object_state] or result.object_state,
        callback_state = CALLBACK_STATES[result.callback_state] or result.callback_state,
        attempts = result.attempts,
        bytes_sent = tonumber(result.bytes_sent),
        parts_resumed = result.parts_resumed,
        message = text(result.err_msg),
        session_id = text(result.session_id),
        etag = text(result.etag),
        upload_id = text(result.upload_id),
        -- The service may answer with NULs.
        body = result.body ~= nil and ffi.string(result.body, result.body_len) or nil,
        note = text(result.note),
    }
end

-- A struct for this binding's shape of it, freshly initialised.
function outcome.struct(name)
    local lib = library.get()
    local struct = ffi.new(name)
    lib[name .. "_init"](struct)
    -- _init knows the members of the first release only; the others are zero, which is their default.
    struct.struct_size = ffi.sizeof(name)
    return struct
end

ffi.metatype("us3_result", {
    __gc = function(result)
        library.get().us3_result_clear(result)
    end,
})
ffi.metatype("us3_file_info", {
    __gc = function(info)
        library.get().us3_file_info_clear(info)
    end,
})

-- A us3_result to be given to a call, and then to outcome.take.
function outcome.new()
    return outcome.struct("us3_result")
end

-- The result as a table, or nil and an error; frees what it holds.
function outcome.take(result)
    local taken = to_table(result)
    if result.status ~= header.US3_OK then
        taken.description = describe(result)
        setmetatable(taken, Error)
    end
    library.get().us3_result_clear(result)
    if getmetatable(taken) then
        return nil, taken
    end
    return taken
end

-- An error that this binding found before the library was asked.
function outcome.refusal(message)
    -- Its message is Lua's, which the library must not free.
    local result = ffi.gc(outcome.struct("us3_result"), nil)
    result.status = header.US3_INVALID_ARGUMENT
    result.err_msg = ffi.cast("char *", message)
    local refusal = to_table(result)
    refusal.description = describe(result)
    return setmetatable(refusal, Error)
end

return outcome
