-- An upload described by a table, as the us3_upload_request that the library reads.

local ffi = require("ffi")
local header = require("us3.cdef")
local outcome = require("us3.outcome")
local values = require("us3.values")

local request = {}

local MODES = { auto = header.US3_MODE_AUTO, put = header.US3_MODE_PUT, mput = header.US3_MODE_MPUT }
local INT32_MAX = 2 ^ 31 - 1
-- Up to here a number of Lua is exact.
local EXACT = 2 ^ 53

local function set_text(struct, name, value)
    local refused = values.refused(name, value)
    if not refused then
        struct[name] = value
    end
    return refused
end

local setters = {
    file_path = set_text,
    key = set_text,
    mime_type = set_text,
    policy_json = set_text,
    storage_class = set_text,
    resume_path = set_text,
}

function setters.mode(struct, _, value)
    if not MODES[value] then
        values.mistake(('mode must be "auto", "put" or "mput", not %s'):format(tostring(value)))
    end
    struct.mode = MODES[value]
end

-- A string, or memory of C with its data_len.
function setters.data(struct, name, value)
    if type(value) == "string" then
        struct.data_len = #value
    elseif type(value) ~= "cdata" then
        values.mistake("data must be a string, or cdata with a data_len, not " .. type(value))
    end
    struct[name] = ffi.cast("const void *", value)
end

function setters.data_len(struct, name, value, fields)
    if type(fields.data) ~= "cdata" then
        values.mistake("data_len goes with data that is cdata")
    end
    struct[name] = values.integer(name, value, 0, EXACT)
end

function setters.jobs(struct, name, value)
    struct[name] = values.integer(name, value, -INT32_MAX, INT32_MAX)
end

function setters.timeout_ms(struct, name, value)
    struct[name] = values.integer(name, value, 0, EXACT)
end

function setters.metadata(struct, name, value, _, borrowed)
    local headers, count = values.headers(name, value)
    if not headers then
        return count
    end
    borrowed.headers = headers
    struct.metadata, struct.metadata_len = headers, count
end

-- The struct, and what must stay alive while the library uses it; or nil and an error.
function request.new(fields)
    values.table("what is uploaded", fields)
    local struct = outcome.struct("us3_upload_request")
    local borrowed = {}
    for name, value in pairs(fields) do
        local setter = setters[name]
        if not setter then
            values.mistake(("an upload has no field %s"):format(tostring(name)))
        end
        local refused = setter(struct, name, value, fields, borrowed)
        if refused then
            return nil, refused
        end
        -- Not the table itself, which the program may change.
        borrowed[name] = value
    end
    if type(fields.data) == "cdata" and not fields.data_len then
        values.mistake("data that is cdata needs its data_len")
    end
    return struct, borrowed
end

return request
