-- A multipart upload that the program drives part by part. Each call but upload_id and part_size blocks.

local ffi = require("ffi")
local handle = require("us3.handle")
local library = require("us3.library")
local outcome = require("us3.outcome")
local values = require("us3.values")

local multipart = {}

local Multipart = {}
Multipart.__index = Multipart

local function free(state)
    library.get().us3_multipart_free(handle.take(state))
    state.owner = nil
end

-- A multipart upload to be begun, and where its handle is to be written. `owner` keeps the client, which must
-- live longer.
function multipart.new(owner)
    local state = { owner = owner }
    local guard = handle.place("us3_multipart", state, free)
    return setmetatable({ state = state, guard = guard }, Multipart), state.out
end

local function handle_of(self)
    return handle.of(self.state) or values.mistake("the multipart upload is freed")
end

function Multipart:upload_id()
    return ffi.string(library.get().us3_multipart_upload_id(handle_of(self)))
end

-- Bytes of each part but the last.
function Multipart:part_size()
    return tonumber(library.get().us3_multipart_part_size(handle_of(self)))
end

-- Sends a part, a string; part numbers begin with 0.
function Multipart:upload_part(part_number, data)
    local upload = handle_of(self)
    values.integer("part_number", part_number, 0, 2 ^ 32 - 1)
    if type(data) ~= "string" then
        values.mistake("data must be a string, not " .. type(data))
    end
    local result = outcome.new()
    library.get().us3_upload_part(upload, part_number, data, #data, result)
    return outcome.take(result)
end

-- FinishMultipartUploadWithPolicy.
function Multipart:finish_with_policy(policy_json)
    local upload = handle_of(self)
    local refused = values.refused("policy_json", policy_json)
    if refused then
        return nil, refused
    end
    local result = outcome.new()
    library.get().us3_finish_multipart_upload_with_policy(upload, policy_json, result)
    return outcome.take(result)
end

-- Gives the upload up, so that the service forgets its parts.
function Multipart:abort()
    local result = outcome.new()
    library.get().us3_abort_multipart_upload(handle_of(self), result)
    return outcome.take(result)
end

-- Frees the handle now rather than when it is collected. Parts that were neither finished nor aborted stay with
-- the service.
function Multipart:free()
    free(self.state)
end

return multipart
