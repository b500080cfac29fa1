-- Uploads that do not block, and what the garbage collector makes of them.

local ffi = require("ffi")
local us3 = require("us3")
local support = require("support")
local test, equal, fails = support.test, support.equal, support.fails

ffi.cdef([[
struct pollfd { int fd; short events; short revents; };
int fork(void);
int waitpid(int pid, int *status, int options);
void _exit(int status);
]])

local MIB = 1024 * 1024

local function readable(fd, timeout)
    local set = ffi.new("struct pollfd[1]", { { fd = fd, events = 1 } })
    return ffi.C.poll(set, 1, timeout) == 1
end

local function collect()
    -- Compiled code holds the objects that it was compiled with, such as the client of an earlier test.
    jit.flush()
    collectgarbage()
    collectgarbage()
end

test("a task ends, its descriptor says so, and its result can be read again", function()
    local client = support.client()
    support.rule('{"call":"put","fault":{"stall":{"ms":200}}}')
    local task = assert(client:start({ data = "hello", key = "task", policy_json = support.policy("task") }))
    equal(task:done(), false)
    fails("US3_PENDING", task:result())
    fails("US3_PENDING", task:wait(10))
    equal(readable(task:fd(), 0), false)
    equal(readable(task:fd(), 10000), true)
    equal(task:done(), true)
    equal(assert(task:result()).callback_state, "DELIVERED")
    equal(assert(task:wait()).object_state, "STORED")
    task:free()
    task:free()
    client:close()
end)

test("progress", function()
    local client = support.client()
    support.rule('{"call":"part","part":1,"fault":{"stall":{}}}')
    local task = assert(client:start({ data = ("x"):rep(9 * MIB), key = "progress", mode = "mput" }))
    support.eventually("two parts are confirmed", function()
        return task:progress().parts_done == 2
    end)
    local progress = task:progress()
    equal(progress.total, 9 * MIB)
    equal(progress.parts_total, 3)
    equal(progress.acknowledged, 5 * MIB)
    support.control("POST", "/release")
    assert(task:wait())
    equal(task:progress().acknowledged, 9 * MIB)
end)

test("cancelled mid-upload: nothing is left behind", function()
    local client = support.client()
    support.rule('{"call":"part","part":1,"fault":{"stall":{}}}')
    local task = assert(client:start({ data = ("x"):rep(9 * MIB), key = "cancelled", mode = "mput" }))
    support.eventually("the part stalls", function()
        return support.control("GET", "/rules"):find('"stalled":1')
    end)
    equal(task:cancel(), true)
    local err = fails("US3_CANCELLED", task:wait(5000))
    equal(err.object_state, "NOT_STORED")
    equal(support.seen("uploads", '"upload_id"'), 0)
    equal(support.requests("abort"), 1)
end)

test("150 uploads at once on one thread, with as many threads as one needs", function()
    local client = support.client({ max_concurrent_uploads = 8 })
    assert(client:upload({ data = "warm", key = "warm" }))
    local before = support.threads()
    local path = support.file("small", 10000)
    support.rule('{"call":"put","fault":{"stall":{"ms":50}}}')
    local running = {}
    for i = 1, 150 do
        running[i] = assert(client:start({ file_path = path, key = "many/" .. i, policy_json = support.policy("many") }))
    end
    local most = 0
    for i = #running, 1, -1 do
        support.eventually("the upload ends", function()
            return running[i]:done()
        end)
        assert(running[i]:result())
        most = math.max(most, i % 10 == 0 and support.threads() or 0)
    end
    equal(support.callbacks("many"), 150)
    -- Reading files takes a few for each upload that has its turn, and no more.
    assert(most <= before + 24, ("%d threads after %d"):format(most, before))
end)

test("collecting garbage during uploads disturbs none, and their strings stay", function()
    local client = support.client()
    support.rule('{"call":"put","key":"gc/1","fault":{"stall":{"ms":500}}}')
    local running = {}
    for i = 1, 50 do
        -- Strings that nobody else holds.
        local fields = { data = tostring(i):rep(20000), key = "gc/" .. i, metadata = { number = tostring(i) } }
        running[i] = assert(client:start(fields))
        fields = nil
        collectgarbage()
    end
    for i, task in ipairs(running) do
        while not task:done() do
            collectgarbage()
            local _ = ("garbage"):rep(1000) .. i
        end
        -- What was sent is what was given.
        local again = assert(client:upload({ data = tostring(i):rep(20000), key = "again", mode = "put" }))
        equal(assert(task:result()).etag, again.etag)
    end
end)

test("a dropped task is cancelled, does not wait, and is freed once it has ended", function()
    local client = support.client()
    -- A cancelled upload is aborted, and that takes its time.
    support.rule('{"call":"part","fault":{"stall":{}}}')
    support.rule('{"call":"abort","fault":{"stall":{"ms":700}}}')
    local descriptors = support.descriptors()
    local task = assert(client:start({ data = ("x"):rep(5 * MIB), key = "dropped", mode = "mput" }))
    assert(task:fd())
    support.eventually("the part stalls", function()
        return support.control("GET", "/rules"):find('"stalled":%d')
    end)
    task = nil
    local begin = support.now()
    collect()
    assert(support.now() - begin < 0.5)
    support.eventually("it is aborted", function()
        return support.seen("uploads", '"upload_id"') == 0
    end)
    support.eventually("its descriptor is closed", function()
        assert(client:start({ data = "y", key = "next" })):wait()
        collect()
        -- Connections come and go.
        return support.descriptors() <= descriptors + 4 and next(client.state.running) == nil
    end)
end)

test("everything that is dropped is freed: descriptors and threads", function()
    local function use()
        local client = support.client()
        for i = 1, 5 do
            assert(client:start({ data = "x", key = "leak/" .. i })):wait()
        end
        local multipart = assert(client:initiate_multipart_upload("leak"))
        assert(multipart:upload_part(0, "x"))
        assert(multipart:abort())
        client:start({ data = ("x"):rep(MIB), key = "leak" })
    end
    use()
    collect()
    local function settled(descriptors, threads)
        support.eventually("what was used is freed", function()
            us3.client(support.config()):start({ data = "x", key = "reap" })
            collect()
            return support.descriptors() <= descriptors and support.threads() <= threads
        end)
    end
    settled(20, 10)
    local descriptors, threads = support.descriptors(), support.threads()
    for _ = 1, 20 do
        use()
        collect()
    end
    settled(descriptors + 5, threads + 3)
end)

test("a client is kept alive by its tasks and multipart uploads", function()
    support.rule('{"call":"put","fault":{"stall":{"ms":200}}}')
    local task = assert(support.client():start({ data = "x", key = "orphan" }))
    local multipart = assert(support.client():initiate_multipart_upload("orphan2"))
    collect()
    assert(task:wait())
    assert(multipart:upload_part(0, "x"))
    collect()
    assert(multipart:finish_with_policy())
end)

test("closing a client cancels what runs, and the tasks tell it", function()
    local client = support.client()
    support.rule('{"call":"put","fault":{"stall":{}}}')
    local task = assert(client:start({ data = "x", key = "closed" }))
    client:close()
    client:close()
    equal(fails("US3_CANCELLED", task:result()).status, 8)
    equal(pcall(client.start, client, { data = "x", key = "k" }), false)
end)

-- Runs a program in a Lua state of its own, which is closed with everything that is in it.
local function run_program(body)
    local path = support.dir .. "/program.lua"
    local file = assert(io.open(path, "w"))
    file:write(body)
    file:close()
    local pipe = io.popen("timeout 20 luajit " .. path .. " 2>&1; echo status $?")
    local output = pipe:read("*a")
    pipe:close()
    return output
end

test("a Lua state that is closed while uploads run ends quickly and in order", function()
    support.rule('{"call":"put","fault":{"stall":{}}}')
    support.rule('{"call":"part","fault":{"stall":{}}}')
    local begin = support.now()
    local output = run_program([[
        local support = require("support")
        local client = support.client()
        tasks = {}
        for i = 1, 20 do
            tasks[i] = assert(client:start({ data = tostring(i):rep(100000), key = "state/" .. i, mode = "put" }))
        end
        for i = 1, 3 do
            client:start({ data = tostring(i):rep(9000000), key = "big/" .. i, mode = "mput" })
        end
        dropped = client:start({ data = ("x"):rep(100000), key = "dropped" })
        dropped = nil
        collectgarbage()
        collectgarbage()
        os.exit(7, true)
    ]])
    equal(output, "status 7\n")
    assert(support.now() - begin < 10)
    -- An upload of an earlier test may still arrive.
    for _, key in ipairs({ '"state/', '"big/', '"dropped"' }) do
        equal(support.seen("objects", key), 0, key)
    end
end)

test("what is used by other finalizers while the Lua state is closed is gone, not freed twice", function()
    local output = run_program([[
        local support = require("support")
        local client = support.client()
        local multipart = assert(client:initiate_multipart_upload("closing"))
        local task = assert(client:start({ data = "x", key = "closing" }))
        task:wait()
        -- LuaJIT finalizes userdata after all cdata.
        last = newproxy(true)
        getmetatable(last).__gc = function()
            pcall(task.progress, task)
            pcall(task.result, task)
            task:free()
            pcall(multipart.part_size, multipart)
            multipart:free()
            client:close()
        end
        os.exit(7, true)
    ]])
    equal(output, "status 7\n")
end)

test("an error right after the start leaves nobody's upload behind", function()
    local client = support.client()
    support.rule('{"call":"put","fault":{"stall":{}}}')
    -- Whether it was started before so many instructions had passed.
    local function start_within(most)
        local count, started = 0, false
        local function expire()
            count = count + 1
            if count == most then
                error("no more instructions")
            end
        end
        pcall(function()
            debug.sethook(expire, "", 1)
            client:start({ data = ("x"):rep(100000), key = "hooked" })
            started = true
        end)
        debug.sethook()
        return started
    end
    jit.off()
    local after = 1
    while not start_within(after) do
        after = after + 1
    end
    jit.on()
    assert(after > 20)
    collect()
    support.eventually("all are cancelled", function()
        -- Starting one frees those that have ended; it ends itself before it is counted.
        client:start({ data = "x", key = "reap", timeout_ms = 1 }):wait()
        collect()
        return next(client.state.running) == nil
    end)
    client:close()
end)

ffi.cdef([[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *L);
int luaL_loadstring(lua_State *L, const char *text);
int lua_pcall(lua_State *L, int arguments, int results, int handler);
const char *lua_tolstring(lua_State *L, int index, size_t *length);
void lua_close(lua_State *L);
]])

local function in_a_state(program)
    local state = ffi.C.luaL_newstate()
    ffi.C.luaL_openlibs(state)
    if ffi.C.luaL_loadstring(state, program) ~= 0 or ffi.C.lua_pcall(state, 0, 0, 0) ~= 0 then
        error(ffi.string(ffi.C.lua_tolstring(state, -1, nil)))
    end
    ffi.C.lua_close(state)
end

test("Lua states that come and go leave nothing behind", function()
    support.rule('{"call":"put","fault":{"stall":{}}}')
    local descriptors, threads = support.descriptors(), support.threads()
    for _ = 1, 20 do
        in_a_state([[
            local client = require("support").client()
            client:start({ data = ("x"):rep(100000), key = "dropped" }):fd()
            collectgarbage()
            collectgarbage()
            kept = client:start({ data = ("x"):rep(100000), key = "kept" })
            kept:fd()
        ]])
    end
    support.eventually("all is freed", function()
        return support.descriptors() <= descriptors + 3 and support.threads() <= threads
    end)
end)

test("a forked child is told, and the parent notices nothing", function()
    local client = support.client()
    support.rule('{"call":"put","fault":{"stall":{"ms":300}}}')
    local task = assert(client:start({ data = "x", key = "forked" }))
    local pid = ffi.C.fork()
    if pid == 0 then
        local _, started = client:start({ data = "x", key = "child" })
        local _, waited = task:wait()
        local fresh = support.client()
        local good = started.name == "US3_FORKED" and waited.name == "US3_FORKED" and not task:cancel()
            and not task:fd() and not task:progress() and fresh:upload({ data = "x", key = "child" })
        task, client = nil, nil
        collect()
        ffi.C._exit(good and 0 or 1)
    end
    local status = ffi.new("int[1]")
    ffi.C.waitpid(pid, status, 0)
    equal(status[0], 0, "the child's status")
    assert(task:wait())
    assert(client:head_file("child"))
end)

support.main()
