-- An upload on its way. Nothing here waits, except task:wait with a time and task:free.

local ffi = require("ffi")
local handle = require("us3.handle")
local header = require("us3.cdef")
local library = require("us3.library")
local outcome = require("us3.outcome")
local values = require("us3.values")

local task = {}

local Task = {}
Task.__index = Task

-- Uploads that were dropped while they ran. They were cancelled, but the library uses what they borrow until
-- they have ended, and collecting garbage must not wait for the network: they are freed later.
local dying = {}
-- Once true, nothing may outlive the call: the Lua state is being closed.
local closing = false

local function has_ended(task_handle)
    return library.get().us3_task_wait(task_handle, 0, nil) ~= header.US3_PENDING
end

-- An upload is { out, running, borrowed, owner }; owner keeps the client from being collected.
local function release(upload)
    upload.running[upload.out] = nil
    library.get().us3_task_free(handle.take(upload))
    upload.owner = nil
end

local function drop(upload)
    local task_handle = handle.of(upload)
    if not task_handle then
        upload.running[upload.out] = nil
        return
    end
    library.get().us3_task_cancel(task_handle)
    if closing or has_ended(task_handle) then
        release(upload)
    else
        dying[#dying + 1] = upload
    end
end

-- Frees the dropped uploads that have ended meanwhile.
function task.reap()
    for i = #dying, 1, -1 do
        if has_ended(handle.of(dying[i])) then
            release(table.remove(dying, i))
        end
    end
end

-- Collected when the Lua state is closed, in any order with the uploads: those that come later find
-- `closing` set.
task.undertaker = ffi.gc(ffi.new("char[1]"), function()
    closing = true
    while #dying > 0 do
        release(table.remove(dying))
    end
end)

-- A task to be started, and where its handle is to be written. `running` are the client's uploads, `owner` its
-- guard. The finalizer holds the upload, and so all that is borrowed.
function task.new(borrowed, owner, running)
    local upload = { borrowed = borrowed, owner = owner, running = running }
    local guard = handle.place("us3_task", upload, drop)
    running[upload.out] = true
    return setmetatable({ upload = upload, guard = guard }, Task), upload.out
end

local function handle_of(self)
    return handle.of(self.upload) or values.mistake("the task is freed")
end

-- A descriptor that becomes readable at the end, for poll and epoll; only poll it. nil when none is left.
function Task:fd()
    local fd = library.get().us3_task_fd(handle_of(self))
    return fd >= 0 and fd or nil
end

-- Whether the upload has ended.
function Task:done()
    return has_ended(handle_of(self))
end

-- What became of the upload: a result, or nil and an error, which is US3_PENDING while it runs.
function Task:result()
    return self:wait(0)
end

-- The same, after waiting for the end: timeout_ms at most, or as long as it takes. Blocks the thread.
function Task:wait(timeout_ms)
    local task_handle = handle_of(self)
    local limit = timeout_ms == nil and -1 or values.integer("timeout_ms", timeout_ms, 0, 2 ^ 53)
    local result = outcome.new()
    library.get().us3_task_wait(task_handle, limit, result)
    return outcome.take(result)
end

-- Cancels the upload; its end comes within moments. Returns true, or false in a forked child.
function Task:cancel()
    return library.get().us3_task_cancel(handle_of(self)) == header.US3_OK
end

-- How far it is. total is nil, and parts_total 0, while nobody knows. nil in a forked child.
function Task:progress()
    local task_handle = handle_of(self)
    local progress = outcome.struct("us3_progress")
    if library.get().us3_task_progress(task_handle, progress) ~= header.US3_OK then
        return nil
    end
    return {
        -- US3_TOTAL_UNKNOWN is the greatest number there is.
        total = progress.total ~= ffi.cast("uint64_t", -1) and tonumber(progress.total) or nil,
        sent = tonumber(progress.sent),
        acknowledged = tonumber(progress.acknowledged),
        parts_done = progress.parts_done,
        parts_total = progress.parts_total,
        attempts = progress.attempts,
        elapsed_ms = tonumber(progress.elapsed_ms),
    }
end

-- Frees the task now rather than when it is collected; an upload that runs is cancelled and waited for.
function Task:free()
    local task_handle = handle.of(self.upload)
    if task_handle then
        library.get().us3_task_cancel(task_handle)
        release(self.upload)
    end
end

return task
