-- Values of Lua on their way into C: checked, because C would cut a string at its first NUL and read a
-- number that is none as anything.

local ffi = require("ffi")
local outcome = require("us3.outcome")

local values = {}

local HERE = debug.getinfo(1, "S").source:match("^(.*)values%.lua$")

-- A mistake in the program, said where it called the binding.
function values.mistake(message)
    local level = 2
    local frame = debug.getinfo(level, "S")
    while frame and (frame.what == "C" or frame.source:sub(1, #HERE) == HERE) do
        level = level + 1
        frame = debug.getinfo(level, "S")
    end
    error("us3: " .. message, level)
end

local function wrong_type(name, expected, value)
    values.mistake(("%s must be %s, not %s"):format(name, expected, type(value) == "number" and value or type(value)))
end

-- nil when `value` can be a C string (nil is NULL), or the error to return. A string with a NUL may have come
-- from anywhere, so it is an error like the library's own; another type is a mistake in the program.
function values.refused(name, value)
    if value == nil then
        return nil
    end
    if type(value) ~= "string" then
        wrong_type(name, "a string", value)
    end
    local at = value:find("\0", 1, true)
    if at then
        return outcome.refusal(("%s contains a NUL at offset %d"):format(name, at - 1))
    end
end

-- The first error of NAME, VALUE, NAME, VALUE …
function values.any_refused(...)
    for i = 1, select("#", ...), 2 do
        local name, value = select(i, ...)
        local refused = values.refused(name, value)
        if refused then
            return refused
        end
    end
end

-- A whole number from `least` to `most`.
function values.integer(name, value, least, most)
    if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
        wrong_type(name, ("a whole number from %.0f to %.0f"):format(least, most), value)
    end
    return value
end

function values.boolean(name, value)
    if type(value) ~= "boolean" then
        wrong_type(name, "true or false", value)
    end
    return value
end

function values.table(name, value)
    if type(value) ~= "table" then
        wrong_type(name, "a table", value)
    end
    return value
end

-- { name = value, … } as an array of us3_header and its length, in the order of the names; or nil and an
-- error. The array holds pointers into the strings of the table.
function values.headers(what, pairs_of)
    local names = {}
    for name, value in pairs(values.table(what, pairs_of)) do
        local refused = values.any_refused("a name of " .. what, name, what .. "." .. tostring(name), value)
        if refused then
            return nil, refused
        end
        names[#names + 1] = name
    end
    table.sort(names)
    local headers = ffi.new("us3_header[?]", math.max(#names, 1))
    for i, name in ipairs(names) do
        headers[i - 1].name = name
        headers[i - 1].value = pairs_of[name]
    end
    return headers, #names
end

return values
