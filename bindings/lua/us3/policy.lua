-- Put policies.

local ffi = require("ffi")
local library = require("us3.library")
local outcome = require("us3.outcome")
local values = require("us3.values")

local policy = {}

-- Builds a put policy: `body` is POSTed to `url` as `body_type`, or as the query without one. `vars` are
-- { ["x:name"] = "value" } for $(x:name) in `body`.
function policy.build(url, body, body_type, vars)
    local refused = values.any_refused("url", url, "body", body, "body_type", body_type)
    if refused then
        return nil, refused
    end
    local lib, result = library.get(), outcome.new()
    local headers, count = nil, 0
    if vars ~= nil then
        headers, count = values.headers("vars", vars)
        if not headers then
            return nil, count
        end
    end
    local json = lib.us3_policy_build(url, body, body_type, headers, count, result)
    local taken, failure = outcome.take(result)
    if not taken then
        return nil, failure
    end
    local copy = ffi.string(json)
    lib.us3_string_free(json)
    return copy
end

-- Checks a put policy as the uploads do before they send anything.
function policy.check(policy_json)
    local refused = values.refused("policy_json", policy_json)
    if refused then
        return nil, refused
    end
    local result = outcome.new()
    library.get().us3_policy_check(policy_json, result)
    local taken, failure = outcome.take(result)
    return taken and true or nil, failure
end

return policy
