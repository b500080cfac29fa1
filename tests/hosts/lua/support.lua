-- What the Lua tests share: running them, the emulator's control listener, callbacks, files, the process.

local ffi = require("ffi")
local us3 = require("us3")

ffi.cdef([[
int poll(void *fds, unsigned long nfds, int timeout);
int getpid(void);
struct timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct timespec *time);
]])

local support = { dir = os.getenv("US3_TEST_DIR") }

local function env(name)
    local value = os.getenv(name)
    return value or error(name .. " is not set: run tests/hosts/lua/run.sh")
end

-- ---- running tests -----------------------------------------------------------------------------

local tests = {}

function support.test(name, run)
    tests[#tests + 1] = { name = name, run = run }
end

-- Runs what was registered, each with a fresh emulator, and ends the process.
function support.main()
    local failed = false
    for _, test in ipairs(tests) do
        if test.name:find(os.getenv("CHECK_ONLY") or "", 1, true) then
            support.control("POST", "/reset")
            local ok, message = xpcall(test.run, debug.traceback)
            print(ok and "ok    " .. test.name or "FAIL  " .. test.name .. "\n" .. message)
            failed = failed or not ok
        end
    end
    os.exit(failed and 1 or 0, true)
end

function support.equal(actual, expected, what)
    if actual ~= expected then
        error(("%s is %s, not %s"):format(what or "value", tostring(actual), tostring(expected)), 2)
    end
end

function support.matches(text, pattern)
    if not tostring(text):find(pattern) then
        error(("%q does not match %q"):format(tostring(text), pattern), 2)
    end
end

-- A call of nil and an error of this name.
function support.fails(name, value, err)
    if value ~= nil or type(err) ~= "table" or err.name ~= name then
        error(("not %s, but %s, %s"):format(name, tostring(value), tostring(err)), 2)
    end
    return err
end

-- ---- the emulator and the callback service -----------------------------------------------------

local function run(command)
    local pipe = assert(io.popen(command))
    local output = pipe:read("*a")
    pipe:close()
    return output
end

function support.control(method, path, body)
    local data = body and "--data-binary '" .. body .. "'" or ""
    return run(("curl -sS --fail --max-time 10 -X %s %s '%s%s' 2>&1"):format(method, data, env("US3_TEST_CONTROL"), path))
end

-- A rule, as JSON: what goes wrong with which request.
function support.rule(json)
    local answer = support.control("POST", "/rules", json)
    assert(answer:find('"ids"', 1, true), answer)
end

-- How often a text occurs in an array of the emulator's state.
function support.seen(array, text)
    local state = support.control("GET", "/state")
    local content = assert(state:match('"' .. array .. '":(%b[])'), state)
    local _, count = content:gsub(text:gsub("%p", "%%%0"), "")
    return count
end

function support.requests(call)
    return support.seen("requests", '"call":"' .. call .. '"')
end

-- A policy whose callback arrives at /NAME.
function support.policy(name)
    return assert(us3.build_policy(env("US3_TEST_CALLBACK") .. "/" .. name, '{"who":"' .. name .. '"}', "application/json"))
end

-- One whose callback service nobody runs.
function support.policy_down()
    return assert(us3.build_policy("http://127.0.0.1:1/down", "{}", "application/json"))
end

function support.callbacks(name)
    local count = 0
    for line in io.lines(env("US3_TEST_CALLBACKS")) do
        if line:find("/" .. name .. '"', 1, true) then
            count = count + 1
        end
    end
    return count
end

-- ---- clients and files -------------------------------------------------------------------------

function support.config(more)
    local config = {
        public_key = env("US3_TEST_PUBLIC_KEY"),
        private_key = env("US3_TEST_PRIVATE_KEY"),
        bucket_name = "demo",
        endpoint = env("US3_TEST_ENDPOINT"),
    }
    for name, value in pairs(more or {}) do
        config[name] = value
    end
    return config
end

function support.client(more)
    return assert(us3.client(support.config(more)))
end

function support.file(name, size)
    local path = support.dir .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(("0123456789abcdef"):rep(math.ceil(size / 16)):sub(1, size))
    file:close()
    return path
end

-- ---- the process -------------------------------------------------------------------------------

local function count_lines(command)
    return select(2, run(command):gsub("\n", ""))
end

function support.descriptors()
    return count_lines(("ls /proc/%d/fd"):format(ffi.C.getpid()))
end

function support.threads()
    return count_lines(("ls /proc/%d/task"):format(ffi.C.getpid()))
end

-- Seconds of a clock that is never set.
function support.now()
    local time = ffi.new("struct timespec")
    ffi.C.clock_gettime(1, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

function support.sleep(milliseconds)
    ffi.C.poll(nil, 0, milliseconds)
end

-- Waits until `condition` holds.
function support.eventually(what, condition)
    for _ = 1, 1000 do
        if condition() then
            return
        end
        support.sleep(10)
    end
    error(what .. " did not come about within 10 s", 2)
end

return support
