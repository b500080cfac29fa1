-- Runs the handler of openresty.lua without nginx: a small scheduler of coroutines with a `sleep` like ngx.sleep.
--
--   luajit scheduler.lua CONFIG FILE PREFIX [COUNT]      uploads FILE as PREFIX1, PREFIX2 …, all at once
--
-- CALLBACK_URL in the environment is where the callbacks go.

local ffi = require("ffi")
local example = require("openresty")

ffi.cdef([[
typedef struct { long seconds, nanoseconds; } scheduler_time;
int clock_gettime(int clock, scheduler_time *time);
int nanosleep(const scheduler_time *time, scheduler_time *rest);
]])

local CLOCK_MONOTONIC = 1
local time = ffi.new("scheduler_time")

local function now()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function really_sleep(seconds)
    time.seconds, time.nanoseconds = math.floor(seconds), seconds % 1 * 1e9
    ffi.C.nanosleep(time, nil)
end

-- Coroutine → the time at which it goes on.
local sleeping = {}

local function sleep(seconds)
    sleeping[coroutine.running()] = now() + seconds
    coroutine.yield()
end

local function resume(thread, ...)
    sleeping[thread] = nil
    assert(coroutine.resume(thread, ...))
end

local function next_to_wake()
    local first, when
    for thread, at in pairs(sleeping) do
        if not when or at < when then
            first, when = thread, at
        end
    end
    return first, when
end

local function run()
    local thread, at = next_to_wake()
    while thread do
        really_sleep(math.max(0, at - now()))
        resume(thread)
        thread, at = next_to_wake()
    end
end

if #arg < 3 then
    io.stderr:write("usage: scheduler.lua CONFIG FILE PREFIX [COUNT]\n")
    os.exit(2)
end
local config, file, prefix, count = arg[1], arg[2], arg[3], tonumber(arg[4] or 10)
local stored = 0

example.init_worker(config)
for i = 1, count do
    resume(coroutine.create(function()
        local result, err = example.store(file, prefix .. i, sleep)
        if result then
            stored = stored + 1
        else
            io.stderr:write(prefix, i, ": ", tostring(err), "\n")
        end
    end))
end
run()
print(("%d of %d uploads stored and called back"):format(stored, count))
os.exit(stored == count and 0 or 1)
