-- Handles of the library, and who frees them: the program, or the collector, once.
--
-- A handle stands in `out`, to which the library itself writes it: from that moment on somebody frees it, whatever
-- Lua meets next. It becomes NULL when it is freed, for whoever still holds the object: when a Lua state is closed,
-- finalizers run in any order.

local ffi = require("ffi")

local handle = {}

-- An empty place for a handle of this type, and a guard whose collection calls `free` with `state`. The guard is
-- for the object; `state` must not hold it.
function handle.place(ctype, state, free)
    state.out = ffi.new(ctype .. " *[1]")
    return ffi.gc(ffi.new("char[1]"), function()
        free(state)
    end)
end

-- The handle; nil when there is none any more.
function handle.of(state)
    local found = state.out[0]
    return found ~= nil and found or nil
end

-- Takes the handle out, so that nobody else frees it; nil when there is none.
function handle.take(state)
    local found = handle.of(state)
    state.out[0] = nil
    return found
end

return handle
