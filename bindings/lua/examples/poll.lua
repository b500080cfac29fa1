-- Many uploads at once on one thread, with poll(2).
--
--   luajit poll.lua CONFIG FILE PREFIX [COUNT]      uploads FILE as PREFIX1, PREFIX2 … (default 100)
--
-- Each task has a descriptor that becomes readable when the upload has ended. Here poll(2) waits for
-- them; a program with an event loop of its own gives them to that, beside its sockets and timers.

local ffi = require("ffi")
local us3 = require("us3")

ffi.cdef([[
struct pollfd { int fd; short events; short revents; };
int poll(struct pollfd *fds, unsigned long nfds, int timeout);
]])

local POLLIN = 1

if #arg < 3 then
    io.stderr:write("usage: poll.lua CONFIG FILE PREFIX [COUNT]\n")
    os.exit(2)
end
local config, file, prefix, count = arg[1], arg[2], arg[3], tonumber(arg[4] or 100)

local client = assert(us3.client_from_file(config))
local running, failed = {}, 0

for i = 1, count do
    local key = prefix .. i
    local task, err = client:start({ file_path = file, key = key })
    if task then
        running[#running + 1] = { key = key, task = task }
    else
        failed = failed + 1
        io.stderr:write(key, ": ", tostring(err), "\n")
    end
end

-- Waits until at least one upload has ended.
local function wait_for_one()
    local fds = ffi.new("struct pollfd[?]", #running)
    for i, upload in ipairs(running) do
        fds[i - 1].fd, fds[i - 1].events = assert(upload.task:fd(), "no descriptor left"), POLLIN
    end
    ffi.C.poll(fds, #running, -1)
end

while #running > 0 do
    wait_for_one()
    for i = #running, 1, -1 do
        local upload = running[i]
        if upload.task:done() then
            local result, err = upload.task:result()
            if not result then
                failed = failed + 1
                io.stderr:write(upload.key, ": ", tostring(err), "\n")
            end
            upload.task:free()
            table.remove(running, i)
        end
    end
end

print(("%d of %d uploads stored"):format(count - failed, count))
client:close()
os.exit(failed == 0 and 0 or 1)
